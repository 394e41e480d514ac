package workload

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// AttributeOf is the attribute that a field of one of the objects of [Planned] comes
// from, as a Problem's path; empty: no single one. field is as an API server writes it
// in an error, such as spec.template.spec.containers[0].resources.limits[cpu].
func AttributeOf(spec release.Spec, kind, field string) []any {
	steps := fieldSteps(field)
	c := spec.Content.Normalize()
	switch kind {
	case "HorizontalPodAutoscaler":
		return path{"autoscaling"}
	case "ConfigMap":
		return attributeOfFiles(c)
	case "PodDisruptionBudget":
		if spec.Disruption != nil {
			return path{"disruption_budget"}
		}
		return path{"replicas"}
	case "Service":
		return path{"container", "ports"}
	case "HTTPRoute":
		return attributeOfPreview(steps)
	case "Deployment":
		if len(steps) < 2 || steps[0] != "spec" || steps[1] != "template" {
			return attributeOfSpec(steps)
		}
		steps = steps[2:]
	}
	if len(steps) == 0 {
		return nil
	}
	if patched(c, steps) {
		return path{"pod_template_patch"}
	}
	return attributeOfPod(c, steps)
}

// fieldSteps are the names and, in brackets, indices and keys of a field.
func fieldSteps(field string) []string {
	var steps []string
	for field != "" {
		if rest, ok := strings.CutPrefix(field, "["); ok {
			key, after, _ := strings.Cut(rest, "]")
			steps, field = append(steps, strings.Trim(key, `"`)), strings.TrimPrefix(after, ".")
			continue
		}
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			end = len(field)
		}
		steps, field = append(steps, field[:end]), strings.TrimPrefix(field[end:], ".")
	}
	return steps
}

// attributeOfSpec is for what a Deployment says beside its pods.
func attributeOfSpec(steps []string) path {
	if len(steps) < 2 {
		return nil
	}
	switch steps[1] {
	case "replicas":
		return path{"replicas"}
	case "strategy":
		return path{"rolling_update"}
	case "minReadySeconds", "progressDeadlineSeconds":
		return path{"health"}
	}
	return nil
}

// attributeOfPreview is for what the route of a preview says.
func attributeOfPreview(steps []string) path {
	at := path{"preview"}
	if len(steps) < 2 || steps[0] != "spec" {
		return at
	}
	switch steps[1] {
	case "hostnames":
		return at.to("hostname")
	case "parentRefs":
		return at.to("parent_refs")
	}
	return at
}

// podAttributes are the attributes that fields of a pod come from.
var podAttributes = map[string]string{
	"serviceAccountName": "service_account_name", "nodeSelector": "node_selector", "imagePullSecrets": "image_pull_secrets",
	"terminationGracePeriodSeconds": "termination_grace_period_seconds", "securityContext": "pod_security",
	"priorityClassName": "priority_class_name", "runtimeClassName": "runtime_class_name", "hostAliases": "host_aliases",
	"dnsPolicy": "dns", "dnsConfig": "dns", "topologySpreadConstraints": "topology_spread", "affinity": "affinity",
}

// containerAttributes are those that fields of a container come from.
var containerAttributes = map[string]string{
	"ports": "ports", "command": "command", "args": "args", "resources": "resources", "readinessProbe": "readiness_probe",
	"livenessProbe": "liveness_probe", "startupProbe": "startup_probe", "securityContext": "security_context",
}

func attributeOfPod(c release.Content, steps []string) path {
	if steps[0] == "metadata" && len(steps) > 1 && (steps[1] == "labels" || steps[1] == "annotations") {
		return path{steps[1]}
	}
	if steps[0] != "spec" || len(steps) < 2 {
		return nil
	}
	index := -1
	if len(steps) > 2 {
		if i, err := strconv.Atoi(steps[2]); err == nil {
			index = i
		}
	}
	switch at := steps[1]; {
	case at == "containers" && index == 0:
		return attributeOfContainer(path{}, c.Container, steps[3:])
	case at == "initContainers" && index >= 0 && index < len(c.InitContainers):
		return attributeOfContainer(path{"init_containers", index}, c.InitContainers[index].Container, steps[3:])
	case at == "initContainers" && index >= 0 && index-len(c.InitContainers) < len(c.Sidecars):
		index -= len(c.InitContainers)
		return attributeOfContainer(path{"sidecars", index}, c.Sidecars[index].Container, steps[3:])
	case at == "volumes" && index >= 0:
		if rendered, err := volumes(c.Volumes, c.Application); err == nil && index < len(rendered) {
			return path{"volumes", Key(rendered[index].Name)}
		}
	case at == "tolerations" && index >= 0:
		return path{"tolerations", index}
	case podAttributes[at] != "":
		return path{podAttributes[at]}
	}
	return nil
}

// attributeOfContainer is for a field of a container. The application's own has its
// image beside it.
func attributeOfContainer(at path, c release.Container, steps []string) path {
	if len(steps) == 0 {
		return at
	}
	own := len(at) == 0
	if steps[0] == "image" {
		return at.to("image")
	}
	if own {
		at = path{"container"}
	}
	index := -1
	if len(steps) > 1 {
		if i, err := strconv.Atoi(steps[1]); err == nil {
			index = i
		}
	}
	switch rendered := env(c); {
	case steps[0] == "env" && index >= 0 && index < len(rendered):
		name := rendered[index].Name
		if _, secret := c.SecretEnv[name]; secret {
			return at.to("secret_env", Key(name))
		}
		if _, field := c.EnvFromField[name]; field {
			return at.to("env_from_field", Key(name))
		}
		return at.to("env", Key(name))
	case steps[0] == "envFrom" && index >= 0 && index < len(c.EnvFrom):
		return at.to("env_from", index)
	case steps[0] == "volumeMounts":
		mounts, paths := volumeMounts(c.VolumeMounts), slices.Sorted(maps.Keys(c.Files))
		if index >= 0 && index < len(mounts) {
			return at.to("volume_mounts", Key(mounts[index].MountPath))
		}
		if index -= len(mounts); index >= 0 && index < len(paths) {
			return at.to("files", Key(paths[index]))
		}
		return at.to("volume_mounts")
	case steps[0] == "lifecycle" && len(steps) > 1 && steps[1] == "postStart":
		return at.to("post_start")
	case steps[0] == "lifecycle":
		return at.to("pre_stop")
	case steps[0] == "resources" && len(steps) > 1 && (steps[1] == "limits" || steps[1] == "requests"):
		return at.to("resources", steps[1])
	case containerAttributes[steps[0]] != "":
		return at.to(containerAttributes[steps[0]])
	}
	return at
}

// patched says that pod_template_patch made a field of the pods what it is.
func patched(c release.Content, steps []string) bool {
	if strings.TrimSpace(c.TemplatePatch) == "" {
		return false
	}
	fields := func(c release.Content) map[string]any {
		template, err := podTemplate(c, c.Application) // whatever it is called
		if err != nil {
			return nil
		}
		u, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.PodTemplate{Template: *template})
		inner, _ := u["template"].(map[string]any)
		return inner
	}
	with := fields(c)
	c.TemplatePatch = ""
	without := fields(c)
	for n := len(steps); n > 0; n-- {
		is, there := fieldAt(with, steps[:n])
		was, before := fieldAt(without, steps[:n])
		if there || before {
			return there != before || !reflect.DeepEqual(is, was)
		}
	}
	return false
}

func fieldAt(v any, steps []string) (any, bool) {
	for _, step := range steps {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}
