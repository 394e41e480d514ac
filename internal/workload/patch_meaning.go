package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"

	goyaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// SamePatch says that two pod_template_patches mean the same: comments, line ends, the
// order of keys, the notation and the spelling of quantities aside. It looks at
// what is written and at Kubernetes' types alone, never at pods, so that another
// provider version, which renders them otherwise, says the same.
func SamePatch(a, b string) bool {
	one, err := readPatch(a)
	other, err2 := readPatch(b)
	if err != nil || err2 != nil {
		return a == b
	}
	template := reflect.TypeFor[corev1.PodTemplateSpec]()
	return reflect.DeepEqual(meaning(one, template), meaning(other, template))
}

// readPatch reads a patch, which is one YAML document.
func readPatch(text string) (map[string]any, error) {
	decoder := goyaml.NewDecoder(strings.NewReader(text))
	for n := 0; ; n++ {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			break
		} else if err == nil && document != nil && n > 0 {
			return nil, errors.New("pod_template_patch has more than one YAML document, and a patch is one. " +
				"Merge them into one, without the line \"---\" between them")
		} else if err != nil {
			break // said below, in the same words as ever
		}
	}
	patch := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &patch); err != nil {
		return nil, fmt.Errorf("pod_template_patch is not a YAML object: %w", err)
	}
	return patch, nil
}

// meaning is v, which is written where Kubernetes has a t, with every quantity in
// one spelling. What it has no field for, such as a directive, stays as it is.
func meaning(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[resource.Quantity]() {
		return quantityMeaning(v)
	}
	switch v := v.(type) {
	case map[string]any:
		same := make(map[string]any, len(v))
		for key, value := range v {
			same[key] = value
			if t.Kind() == reflect.Map {
				same[key] = meaning(value, t.Elem())
			} else if field, ok := fieldType(t, key); ok {
				same[key] = meaning(value, field)
			}
		}
		return same
	case []any:
		if t.Kind() != reflect.Slice {
			return v
		}
		same := make([]any, len(v))
		for i, item := range v {
			same[i] = meaning(item, t.Elem())
		}
		return same
	}
	return v
}

// quantityMeaning is a quantity as a fraction; what is none stays.
func quantityMeaning(v any) any {
	text, err := json.Marshal(v)
	var q resource.Quantity
	if v == nil || err != nil || q.UnmarshalJSON(text) != nil {
		return v
	}
	exact, ok := new(big.Rat).SetString(q.AsDec().String())
	if !ok {
		return v
	}
	return exact.RatString()
}

// fieldType is the type of a struct's field by its name in JSON.
func fieldType(t reflect.Type, name string) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for field := range t.Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == name {
			return field.Type, true
		}
		if tag == "" && field.Anonymous {
			if inner, ok := fieldType(field.Type, name); ok {
				return inner, true
			}
		}
	}
	return nil, false
}
