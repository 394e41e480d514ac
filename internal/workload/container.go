package workload

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// container renders one container. Maps become lists in a fixed order, so that
// the same content is always the same pod template.
func container(name, image string, c release.Container, security release.PodSecurity) (*corev1.Container, error) {
	requests, err := quantities(c.Resources.Requests)
	if err != nil {
		return nil, fmt.Errorf("container %q: requests: %w", name, err)
	}
	limits, err := quantities(c.Resources.Limits)
	if err != nil {
		return nil, fmt.Errorf("container %q: limits: %w", name, err)
	}
	probes, err := renderProbes(c)
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", name, err)
	}
	return &corev1.Container{
		Name:            name,
		Image:           image,
		Command:         c.Command,
		Args:            c.Args,
		Ports:           ports(c),
		Env:             env(c),
		EnvFrom:         envFrom(c.EnvFrom),
		Resources:       corev1.ResourceRequirements{Requests: requests, Limits: limits},
		ReadinessProbe:  probes.readiness,
		LivenessProbe:   probes.liveness,
		StartupProbe:    probes.startup,
		VolumeMounts:    append(volumeMounts(c.VolumeMounts), fileMounts(name, c.Files)...),
		SecurityContext: securityContext(c.SecurityContext, security),
		Lifecycle:       lifecycle(c),
		// The last lines of its log say why it ended, to whoever may see the pod
		// but not its log.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}, nil
}

// initContainers are the plain ones in their order, then the sidecars: native
// ones (restartPolicy Always), which start before the application and end after
// it, so that a proxy or a log shipper is there for its first and last words.
func initContainers(c release.Content) ([]corev1.Container, error) {
	var list []corev1.Container
	for _, h := range c.InitContainers {
		r, err := container(h.Name, h.Image, h.Container, c.PodSecurity)
		if err != nil {
			return nil, err
		}
		list = append(list, *r)
	}
	always := corev1.ContainerRestartPolicyAlways
	for _, h := range c.Sidecars {
		r, err := container(h.Name, h.Image, h.Container, c.PodSecurity)
		if err != nil {
			return nil, err
		}
		r.RestartPolicy = &always
		r.Lifecycle = orSleeps(r.Lifecycle, h.Container)
		list = append(list, *r)
	}
	return list, nil
}

func ports(c release.Container) []corev1.ContainerPort {
	var list []corev1.ContainerPort
	for _, name := range slices.Sorted(maps.Keys(c.Ports)) {
		list = append(list, corev1.ContainerPort{Name: name, ContainerPort: c.Ports[name], Protocol: corev1.Protocol(c.Protocol(name))})
	}
	return list
}

func quantities(texts map[string]string) (corev1.ResourceList, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	list := make(corev1.ResourceList, len(texts))
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		q, err := resource.ParseQuantity(texts[name])
		if err != nil {
			return nil, fmt.Errorf("%s %q is not a quantity: %w", name, texts[name], err)
		}
		list[corev1.ResourceName(name)] = q
	}
	return list, nil
}

var variable = regexp.MustCompile(`\$\(([^()]+)\)`)

// env lists the variables by name, except that one which refers to others with
// $(NAME) comes after them: Kubernetes expands only what was defined before,
// and a map has no order in which the user could say so.
func env(c release.Container) []corev1.EnvVar {
	var list []corev1.EnvVar
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		value, plain := c.Env[name]
		secret, fromSecret := c.SecretEnv[name]
		field, fromField := c.EnvFromField[name]
		if done[name] || !plain && !fromSecret && !fromField {
			return
		}
		done[name] = true // before the recursion: a circle must end
		switch {
		case fromSecret:
			list = append(list, corev1.EnvVar{Name: name, ValueFrom: secretSource(secret)})
			return
		case fromField:
			list = append(list, corev1.EnvVar{Name: name, ValueFrom: fieldSource(field)})
			return
		}
		for _, match := range variable.FindAllStringSubmatch(value, -1) {
			add(match[1])
		}
		list = append(list, corev1.EnvVar{Name: name, Value: value})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.SecretEnv)) {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.EnvFromField)) {
		add(name)
	}
	return list
}

func secretSource(s release.SecretKey) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: s.Name},
		Key:                  s.Key,
		Optional:             optional(s.Optional),
	}}
}

// fieldSource is a field of the pod, such as status.podIP, or of what the container may
// use, such as limits.memory.
func fieldSource(field string) *corev1.EnvVarSource {
	if isContainerResource(field) {
		return &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: field}}
	}
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}
}

// isContainerResource says that a field is a resource of the container.
func isContainerResource(field string) bool {
	kind, _, _ := strings.Cut(field, ".")
	return kind == "limits" || kind == "requests"
}

func envFrom(sources []release.EnvFrom) []corev1.EnvFromSource {
	var list []corev1.EnvFromSource
	for _, s := range sources {
		r := corev1.EnvFromSource{Prefix: s.Prefix}
		if s.ConfigMap != "" {
			r.ConfigMapRef = &corev1.ConfigMapEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: s.ConfigMap}, Optional: optional(s.Optional),
			}
		} else {
			r.SecretRef = &corev1.SecretEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: s.Secret}, Optional: optional(s.Optional),
			}
		}
		list = append(list, r)
	}
	return list
}

// optional is unset for false, the server's default: we own no field that
// nobody asked for.
func optional(is bool) *bool {
	if !is {
		return nil
	}
	return &is
}
