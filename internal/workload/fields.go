package workload

import (
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// mergeKeys are the fields that tell the items of a list apart, by the list's
// name: the +listMapKey marks of the kinds we apply, sorted as the API server
// writes them into managedFields. Other lists are atomic: one field. The first
// alternative whose keys an item has is its own (ports of containers and of
// Services differ).
var mergeKeys = map[string][][]string{
	"containers":                {{"name"}},
	"initContainers":            {{"name"}},
	"volumes":                   {{"name"}},
	"env":                       {{"name"}},
	"imagePullSecrets":          {{"name"}},
	"resourceClaims":            {{"name"}},
	"claims":                    {{"name"}},
	"schedulingGates":           {{"name"}},
	"ports":                     {{"containerPort", "protocol"}, {"port", "protocol"}},
	"volumeMounts":              {{"mountPath"}},
	"volumeDevices":             {{"devicePath"}},
	"hostAliases":               {{"ip"}},
	"topologySpreadConstraints": {{"topologyKey", "whenUnsatisfiable"}},
	"ownerReferences":           {{"uid"}},
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// step appends one field name, map key or list key to a path for people:
// spec.template.spec.containers[api].image, metadata.labels[app.kubernetes.io/name].
func step(path, name string, bracket bool) string {
	switch {
	case bracket || !plainName.MatchString(name):
		return path + "[" + name + "]"
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

// fieldText is a path of managedFields for people, the same text that values
// gives the same field.
func fieldText(p fieldpath.Path) string {
	text := ""
	for _, e := range p {
		switch {
		case e.FieldName != nil:
			text = step(text, *e.FieldName, false)
		case e.Key != nil:
			var keys []string
			for _, k := range *e.Key {
				keys = append(keys, scalar(k.Value))
			}
			text = step(text, strings.Join(keys, "/"), true)
		case e.Value != nil:
			text = step(text, scalar(*e.Value), true)
		case e.Index != nil:
			text = step(text, fmt.Sprint(*e.Index), true)
		}
	}
	return text
}

func scalar(v value.Value) string { return fmt.Sprint(v.Unstructured()) }

// values are all fields of an object, also the inner ones, by their path. The
// typed object is converted first, so that the reply to an apply and what a
// watch delivers look alike.
func values(obj Object) map[string]any {
	obj = obj.DeepCopyObject().(Object) // it may be a shared cache's
	obj.SetManagedFields(nil)           // large, and not a field of interest
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		panic(fmt.Sprintf("%T cannot be converted: %v", obj, err)) // API types are plain data: cannot happen
	}
	fields := map[string]any{}
	collect(fields, "", "", content)
	return fields
}

func collect(fields map[string]any, path, name string, v any) {
	if path != "" {
		fields[path] = v
	}
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			collect(fields, step(path, key, false), key, child)
		}
	case []any:
		for _, item := range v {
			switch item := item.(type) {
			case map[string]any:
				if key, ok := itemKey(name, item); ok {
					collect(fields, step(path, key, true), "", item)
				}
			default: // an element of a set of scalars, such as a finalizer
				fields[step(path, fmt.Sprint(item), true)] = item
			}
		}
	}
}

// itemKey is what tells an item from the others of its list, and false where
// the list is atomic.
func itemKey(list string, item map[string]any) (string, bool) {
	for _, names := range mergeKeys[list] {
		var keys []string
		for _, name := range names {
			if v, ok := item[name]; ok {
				keys = append(keys, fmt.Sprint(v))
			}
		}
		if len(keys) == len(names) {
			return strings.Join(keys, "/"), true
		}
	}
	return "", false
}

// fieldSet reads one entry of managedFields; an unreadable one owns nothing.
func fieldSet(entry metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := &fieldpath.Set{}
	if entry.FieldsV1 == nil || set.FromJSON(entry.FieldsV1.GetRawReader()) != nil {
		return &fieldpath.Set{}
	}
	return set
}
