package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// applyPatch merges the user's pod_template_patch, the last word on the pods,
// and refuses one that would make them not ours, or the wrong shape.
func applyPatch(template *corev1.PodTemplateSpec, c release.Content) (*corev1.PodTemplateSpec, error) {
	if strings.TrimSpace(c.TemplatePatch) == "" {
		return template, nil
	}
	patch, err := readPatch(c.TemplatePatch)
	if err != nil {
		return nil, err
	}
	if err := checkPatch(patch, template); err != nil {
		return nil, fmt.Errorf("pod_template_patch: %w", err)
	}
	giveWay(template, patch, c)
	before, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	change, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	after, err := strategicpatch.StrategicMergePatch(before, change, corev1.PodTemplateSpec{})
	if err != nil {
		return nil, fmt.Errorf("pod_template_patch cannot be merged: %w", err)
	}
	merged, err := decodeTemplate(after)
	if err != nil {
		return nil, fmt.Errorf("pod_template_patch does not lead to a pod template: %w", err)
	}
	if err := checkMerged(merged, template, c.Application); err != nil {
		return nil, err
	}
	return merged, nil
}

// decodeTemplate is strict: a misspelt field must not vanish.
func decodeTemplate(text []byte) (*corev1.PodTemplateSpec, error) {
	fields := map[string]any{}
	if err := utiljson.Unmarshal(text, &fields); err != nil { // numbers as the converter wants them
		return nil, err
	}
	template := &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(text, template); err != nil { // says where a type is wrong; the converter does not
		return nil, err
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(fields, template, true)
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		err = errors.Join(strict.Errors()...)
	}
	return template, err
}

// checkPatch finds what is better said before the merge, in the patch's terms.
func checkPatch(patch map[string]any, template *corev1.PodTemplateSpec) error {
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if key != "metadata" && key != "spec" {
			return fmt.Errorf("its root is the pod template, with the keys metadata and spec; %q is not one of them", key)
		}
	}
	metadata, _ := patch["metadata"].(map[string]any)
	for _, kind := range []string{"labels", "annotations"} {
		entries, _ := metadata[kind].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if reserved(key) {
				return fmt.Errorf("it changes the reserved %s key %q: Switchback finds its pods by these", kind, key)
			}
		}
	}
	return checkContainers(patch, template)
}

// checkContainers tells a misspelt container name from a new container: only
// the latter brings an image.
func checkContainers(patch map[string]any, template *corev1.PodTemplateSpec) error {
	known := map[string][]corev1.Container{
		"containers": template.Spec.Containers, "initContainers": template.Spec.InitContainers,
	}
	for _, field := range []string{"containers", "initContainers"} {
		for _, entry := range patchedContainers(patch, field) {
			name, _ := entry["name"].(string)
			isKnown := slices.ContainsFunc(known[field], func(c corev1.Container) bool { return c.Name == name })
			if name != "" && !isKnown && entry["image"] == nil && entry["$patch"] == nil {
				var names []string
				for _, c := range known[field] {
					names = append(names, c.Name)
				}
				return fmt.Errorf("spec.%s names %q, which does not exist and brings no image of its own; there is %s", field, name, quotedList(names))
			}
		}
	}
	return nil
}

// patchedContainers is what a patch says of the containers, or initContainers.
func patchedContainers(patch map[string]any, field string) []map[string]any {
	spec, _ := patch["spec"].(map[string]any)
	list, _ := spec[field].([]any)
	var entries []map[string]any
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			entries = append(entries, entry)
		}
	}
	return entries
}

// giveWay takes our own pre-stop sleep away where a patch brings another handler:
// merged, there would be two of them, of which nobody typed one. A sleep in the
// patch is merged into ours.
func giveWay(template *corev1.PodTemplateSpec, patch map[string]any, c release.Content) {
	typed := map[string]bool{c.Application: c.Container.PreStop != nil}
	for _, sidecar := range c.Sidecars {
		typed[sidecar.Name] = sidecar.PreStop != nil
	}
	lists := map[string][]corev1.Container{"containers": template.Spec.Containers, "initContainers": template.Spec.InitContainers}
	for field, containers := range lists {
		for _, entry := range patchedContainers(patch, field) {
			lifecycle, _ := entry["lifecycle"].(map[string]any)
			preStop, _ := lifecycle["preStop"].(map[string]any)
			i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == entry["name"] })
			if i < 0 || typed[containers[i].Name] || containers[i].Lifecycle == nil || !otherHandler(preStop) {
				continue
			}
			containers[i].Lifecycle.PreStop = nil
		}
	}
}

// otherHandler says that a patch's handler is another one than a sleep.
func otherHandler(preStop map[string]any) bool {
	if preStop["sleep"] != nil {
		return false
	}
	for kind, value := range preStop {
		if value != nil && !strings.HasPrefix(kind, "$") {
			return true
		}
	}
	return false
}

// checkMerged catches the ways around checkPatch: $patch: replace, null maps.
func checkMerged(merged, template *corev1.PodTemplateSpec, application string) error {
	for _, key := range slices.Sorted(maps.Keys(template.Labels)) {
		if reserved(key) && merged.Labels[key] != template.Labels[key] {
			return fmt.Errorf("pod_template_patch changes the reserved label %q: Switchback finds its pods by these", key)
		}
	}
	if !slices.ContainsFunc(merged.Spec.Containers, func(c corev1.Container) bool { return c.Name == application }) {
		return errors.New("pod_template_patch removes the application's own container")
	}
	return nil
}

// quotedList is names for people: "a", "b" and "c"; "none" for none.
func quotedList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
}
