package workload

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// Without takes the fields at these paths, and all under them, out of obj:
// applying it then leaves them to whoever else has them.
func Without(obj Object, paths []string) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return err
	}
	prune("", "", content, func(path string) bool {
		return slices.ContainsFunc(paths, func(prefix string) bool { return Within(path, prefix) })
	})
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, obj)
}

// prune walks as collect does, and returns what is left of v.
func prune(path, name string, v any, out func(path string) bool) any {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if at := step(path, key, false); out(at) {
				delete(v, key)
			} else {
				v[key] = prune(at, key, child, out)
			}
		}
	case []any:
		return slices.DeleteFunc(v, func(item any) bool {
			fields, ok := item.(map[string]any)
			if !ok {
				return out(step(path, fmt.Sprint(item), true))
			}
			key, ok := itemKey(name, fields)
			if !ok {
				return false // of an atomic list
			}
			at := step(path, key, true)
			prune(at, "", fields, out)
			return out(at)
		})
	}
	return v
}
