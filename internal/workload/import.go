package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// SpecAnnotation is what the user typed, in their spelling, as compact JSON,
// with every env value blanked: the values are in the containers already, and a
// second copy of them would be one more place to leak from.
func SpecAnnotation(spec release.Spec) (string, error) {
	c := spec.Content
	c.Container.Env = blank(c.Container.Env)
	c.InitContainers = blankAll(c.InitContainers)
	c.Sidecars = blankAll(c.Sidecars)
	b, err := json.Marshal(typedOf(spec, c))
	return string(b), err
}

func blankAll(list []release.Helper) []release.Helper {
	list = slices.Clone(list)
	for i := range list {
		list[i].Env = blank(list[i].Env)
	}
	return list
}

func blank(env map[string]string) map[string]string {
	env = maps.Clone(env)
	for name := range env {
		env[name] = ""
	}
	return env
}

// FromDeployment rebuilds the spec of a live workload: what was typed from the
// annotation, env values from the live containers. Where the annotation is
// missing or broken it reads the pod template backwards, without the server's
// defaults and ours, as well as that goes.
//
// exact says that the rebuilt content has the hash that the workload was made
// with, so the content is the original. It is false after a lossy rebuild and
// where somebody changed env values on the live object.
func FromDeployment(d *appsv1.Deployment) (spec release.Spec, exact bool, err error) {
	spec = release.Spec{Namespace: d.Namespace, Environment: environment(d), Replicas: StartedReplicas(d), RestartTriggers: RestartTriggers(d)}
	hash := d.Annotations[release.AnnotationContentHash]
	spec.Strategy, spec.Rolling = strategyOf(d)
	spec.Health = HealthOf(d, release.Health{})
	if c, ok := fromAnnotation(d); ok {
		spec.Content = c
		return spec, c.Normalize().Hash() == hash, nil
	}
	spec.Content, err = fromTemplate(d)
	if err != nil {
		return release.Spec{}, false, fmt.Errorf("cannot read the workload %s/%s: %w", d.Namespace, d.Name, err)
	}
	return spec, spec.Content.Normalize().Hash() == hash, nil
}

func environment(d *appsv1.Deployment) string {
	if typed, ok := d.Annotations[release.LabelEnvironment]; ok {
		return typed
	}
	return d.Labels[release.LabelEnvironment]
}

// fromAnnotation takes the annotation only if it describes this workload: one
// that was copied from another would import that one's content.
func fromAnnotation(d *appsv1.Deployment) (release.Content, bool) {
	var c release.Content
	text, ok := d.Annotations[release.AnnotationSpec]
	if !ok || json.Unmarshal([]byte(text), &c) != nil || c.Application == "" || c.Image == "" {
		return release.Content{}, false
	}
	if application := d.Labels[release.LabelApplication]; application != "" && application != c.Application {
		return release.Content{}, false
	}
	template := d.Spec.Template.Spec
	restore(c.Container.Env, template.Containers, c.Application)
	for _, h := range slices.Concat(c.InitContainers, c.Sidecars) {
		restore(h.Env, template.InitContainers, h.Name)
	}
	return c, true
}

// restore fills in the live values of the named container's variables; the ones
// that are gone from the live object are dropped.
func restore(env map[string]string, live []corev1.Container, name string) {
	values := map[string]string{}
	for _, c := range live {
		if c.Name == name {
			for _, v := range c.Env {
				if v.ValueFrom == nil {
					values[v.Name] = v.Value
				}
			}
		}
	}
	for variable := range env {
		if value, ok := values[variable]; ok {
			env[variable] = value
		} else {
			delete(env, variable)
		}
	}
}
