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
// with every env value and every file blanked: they are in the containers and in
// a ConfigMap already, and a second copy of them would be one more place to leak
// from.
func SpecAnnotation(spec release.Spec) (string, error) {
	c := spec.Content
	c.Container.Env, c.Container.Files = blank(c.Container.Env), blank(c.Container.Files)
	c.InitContainers = blankAll(c.InitContainers)
	c.Sidecars = blankAll(c.Sidecars)
	b, err := json.Marshal(typedOf(spec, c))
	return string(b), err
}

func blankAll(list []release.Helper) []release.Helper {
	list = slices.Clone(list)
	for i := range list {
		list[i].Env, list[i].Files = blank(list[i].Env), blank(list[i].Files)
	}
	return list
}

func blank(values map[string]string) map[string]string {
	values = maps.Clone(values)
	for name := range values {
		values[name] = ""
	}
	return values
}

// FromDeployment rebuilds the spec of a live workload: what was typed from the
// annotation, env values from the live containers, and the containers' files from
// the release's ConfigMap, which is one of files. Where the annotation is
// missing or broken it reads the pod template backwards, without the server's
// defaults and ours, as well as that goes.
//
// exact says that the rebuilt content has the hash that the workload was made
// with, so the content is the original. It is false after a lossy rebuild and
// where somebody changed env values on the live object, or took its files away.
func FromDeployment(d *appsv1.Deployment, files ...*corev1.ConfigMap) (spec release.Spec, exact bool, err error) {
	spec = release.Spec{Namespace: d.Namespace, Environment: environment(d), Replicas: StartedReplicas(d), RestartTriggers: RestartTriggers(d)}
	hash := d.Annotations[release.AnnotationContentHash]
	spec.Strategy, spec.Rolling = strategyOf(d)
	spec.Health = HealthOf(d, release.Health{})
	texts := textsFor(d, files)
	if c, ok := fromAnnotation(d, texts); ok {
		spec.Content = c
		return spec, c.Normalize().Hash() == hash, nil
	}
	spec.Content, err = fromTemplate(d, texts)
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
func fromAnnotation(d *appsv1.Deployment, texts map[string]string) (release.Content, bool) {
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
	restoreFiles(c.Container.Files, c.Application, texts)
	for _, h := range slices.Concat(c.InitContainers, c.Sidecars) {
		restore(h.Env, template.InitContainers, h.Name)
		restoreFiles(h.Files, h.Name, texts)
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
