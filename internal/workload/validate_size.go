package workload

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What there is room for. Of both limits of the API server something is left to
// others: Kubernetes copies a Deployment's annotations to its ReplicaSets and adds
// a history of up to 2 KiB, and tools annotate, too; a record has more than its
// baseline.
const (
	annotationRoom = validation.TotalAnnotationSizeLimitB - 8<<10
	baselineRoom   = corev1.MaxSecretSize - 64<<10 // the API server's limit for ConfigMaps, too
	// storeRoom is what etcd takes at once, unless it is told otherwise; managed
	// fields and the status need some of it.
	storeRoom = 1536<<10 - 64<<10
)

// checkSize finds what the API server would refuse for its size, in the middle of
// an apply: what we keep of the configuration in annotations, and the record's
// baseline. What is wrong otherwise was said already.
func checkSize(r *report, spec release.Spec) {
	notes, err := annotations(spec, spec.Content.Normalize().Hash())
	if err != nil {
		return
	}
	if size := annotationSize(notes); size > annotationRoom {
		at, largest := heaviest(typedTree(notes[release.AnnotationSpec], spec.RestartTriggers), jsonSize)
		r.add(at, "Deployment too large",
			"%s has %d bytes. What is configured is kept in annotations of the Kubernetes Deployment, for imports and without the values of env: they may have %d bytes, and here are %d. %s",
			at.text(), largest, annotationRoom, size, shorter(at))
	}
	if fields, size := baselineSize(spec); size > baselineRoom {
		at, largest := heaviest(typedTree(notes[release.AnnotationSpec], nil), leafCount)
		r.add(at, "Deployment has too many fields",
			"%s has %d values. Of each field that is set, its path and a short hash are kept in a ConfigMap, to find drift: these may have %d bytes, and here are %d fields with %d. "+
				"Use fewer: of variables, env_from takes any number from one ConfigMap or Secret.",
			at.text(), largest, baselineRoom, fields, size)
	}
}

// adviseSize is for what most clusters have no room for.
func adviseSize(r *report, spec release.Spec) {
	d, err := Deployment(spec)
	if err != nil {
		return // Validate says so
	}
	size := jsonSize(d)
	if size <= storeRoom {
		return
	}
	content, err := json.Marshal(withoutTexts(spec.Content))
	if err != nil {
		return
	}
	at, largest := heaviest(typedTree(string(content), nil), jsonSize)
	r.add(at, "Deployment may be too large",
		"%s has %d bytes, and the Kubernetes Deployment %d. Most clusters keep no object of more than 1.5 MiB: the API server then answers that the request is too large. %s",
		at.text(), largest, size, shorter(at))
}

// shorter is what to do about an attribute that is too large.
func shorter(at path) string {
	switch at.text() {
	case "triggers", "restart_triggers":
		return "Use a hash in its place, as the function sha256 makes."
	}
	return "Make it shorter, or put it into a ConfigMap and mount that as files, with volumes and volume_mounts."
}

// annotationSize counts as the API server does.
func annotationSize(annotations map[string]string) (size int) {
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	return size
}

// baselineSize is how many fields the release's objects have, and how many bytes
// their baseline has in its record, as far as that is known before an apply.
func baselineSize(spec release.Spec) (fields, size int) {
	d, err := Deployment(spec)
	if err != nil {
		return 0, 0
	}
	objects := []Object{d}
	if service := Service(spec); service != nil {
		objects = append(objects, service)
	}
	if files := Files(spec); files != nil {
		objects = append(objects, files)
	}
	for _, obj := range objects {
		baseline := map[string]string{}
		for at, v := range values(obj) {
			if isLeaf(v) && watched(at) {
				baseline[at] = "00000000"
			}
		}
		fields, size = fields+len(baseline), size+jsonSize(baseline)
	}
	return fields, size
}

// isLeaf says that a value of an object has no fields of its own.
func isLeaf(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { _, object := item.(map[string]any); return object })
	}
	return true
}

// typedTree is what was typed, as a tree of JSON.
func typedTree(typed string, restartTriggers map[string]string) map[string]any {
	tree := map[string]any{}
	if json.Unmarshal([]byte(typed), &tree) != nil {
		return nil
	}
	if len(restartTriggers) > 0 {
		tree["restartTriggers"] = restartTriggers
	}
	return tree
}

// heaviest is the attribute that weighs most, and what it weighs: one of a
// container's, where it is one of a container.
func heaviest(tree map[string]any, weigh func(v any) int) (path, int) {
	at, v := path{}, any(tree)
	for holdsAttributes(at) {
		var step, child any
		weight := -1
		consider := func(s, c any) {
			if w := weigh(c); w > weight {
				step, child, weight = s, c, w
			}
		}
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				consider(attributeName(name), v[name])
			}
		case []any:
			for i, c := range v {
				consider(i, c)
			}
		}
		if step == nil {
			break
		}
		at, v = at.to(step), child
	}
	return at, weigh(v)
}

func holdsAttributes(at path) bool {
	if len(at) == 0 {
		return true
	}
	switch at[0] {
	case "container":
		return len(at) == 1
	case "init_containers", "sidecars":
		return len(at) <= 2
	}
	return false
}

var upper = regexp.MustCompile(`[A-Z]`)

// attributeName is the attribute of a field of release.Content: args, pod_template_patch.
func attributeName(field string) string {
	return upper.ReplaceAllStringFunc(field, func(letter string) string { return "_" + strings.ToLower(letter) })
}

func jsonSize(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return len(text)
}

// leafCount is how many values a tree of JSON has.
func leafCount(v any) int {
	count := 0
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			count += leafCount(child)
		}
	case []any:
		for _, child := range v {
			count += leafCount(child)
		}
	default:
		return 1
	}
	return count
}
