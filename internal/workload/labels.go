package workload

import (
	"maps"
	"strconv"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Labels are what the metadata of a release's Deployment and Service carry. The
// environment is among them: it changes in place, so it is on no pod template.
func Labels(spec release.Spec) map[string]string {
	c := spec.Content.Normalize()
	labels := contentLabels(c, spec.NameFor(c.Hash()))
	if spec.Environment != "" {
		labels[release.LabelEnvironment] = release.LabelValue(spec.Environment)
	}
	return labels
}

// contentLabels depend on the content alone, so that pods may carry them.
func contentLabels(c release.Content, name string) map[string]string {
	labels := release.Selector(name)
	labels[release.LabelName] = c.Application
	labels[release.LabelInstance] = name
	labels[release.LabelManagedBy] = release.ManagedBy
	labels[release.LabelApplication] = c.Application
	if c.Version != "" {
		labels[release.LabelVersion] = release.LabelValue(c.Version)
	}
	return labels
}

// podLabels are the user's labels under ours: ours win.
func podLabels(c release.Content, name string) map[string]string {
	labels := make(map[string]string, len(c.Labels)+8)
	maps.Copy(labels, c.Labels)
	maps.Copy(labels, contentLabels(c, name))
	return labels
}

// podAnnotations are the user's, without any that has our prefix.
func podAnnotations(c release.Content) map[string]string {
	annotations := maps.Clone(c.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return reserved(key) })
	if len(annotations) == 0 {
		return nil
	}
	return annotations
}

// annotations are those of the workload itself: what an import needs.
func annotations(spec release.Spec, hash string) (map[string]string, error) {
	typed, err := SpecAnnotation(spec)
	if err != nil {
		return nil, err
	}
	a := map[string]string{
		release.AnnotationVersion:     spec.Content.Version,
		release.AnnotationContentHash: hash,
		release.AnnotationSpec:        typed,
		release.AnnotationReplicas:    strconv.Itoa(int(spec.Replicas)),
	}
	if err := setRestartTriggers(a, spec.RestartTriggers); err != nil {
		return nil, err
	}
	// A label value cannot hold every environment name; the annotation can.
	if spec.Environment != "" && release.LabelValue(spec.Environment) != spec.Environment {
		a[release.LabelEnvironment] = spec.Environment
	}
	return a, nil
}

// reserved says whether a label or annotation key is ours alone. Other
// app.kubernetes.io keys (component, part-of) stay free for users.
func reserved(key string) bool {
	switch key {
	case release.LabelName, release.LabelInstance, release.LabelVersion, release.LabelManagedBy:
		return true
	}
	return strings.HasPrefix(key, release.Prefix)
}
