package workload

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Owned is a live workload, or its autoscaler, with nothing but the fields that our own apply
// has: applying it again changes nothing, and applying it with one field
// changed changes that field alone. It is for those who have no configuration
// at hand. Its uid and resourceVersion are those of live.
//
// It fails rather than leave out a field of ours: an apply would remove it.
func Owned[T any, P interface {
	*T
	Object
}](live P) (P, error) {
	keep, leaves := ownedPaths(live)
	bare := live.DeepCopyObject().(P)
	bare.SetManagedFields(nil)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bare)
	if err != nil {
		return nil, err
	}
	prune("", "", content, func(path string) bool { return !keep(path) })
	owned := P(new(T))
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, owned); err != nil {
		return nil, err
	}
	have, lives := values(owned), values(live)
	for _, leaf := range leaves {
		if value, ok := lives[leaf]; ok && !reflect.DeepEqual(have[leaf], value) {
			return nil, fmt.Errorf("cannot tell the fields of %s/%s that are ours from the others: %s", live.GetNamespace(), live.GetName(), leaf)
		}
	}
	owned.GetObjectKind().SetGroupVersionKind(kindOf(live))
	owned.SetNamespace(live.GetNamespace())
	owned.SetName(live.GetName())
	owned.SetUID(live.GetUID())
	owned.SetResourceVersion(live.GetResourceVersion())
	return owned, nil
}

// kindOf is the kind of what Owned is asked for: what comes from a client has none.
func kindOf(obj Object) schema.GroupVersionKind {
	if _, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		return autoscalingv2.SchemeGroupVersion.WithKind(string(release.CompanionAutoscaler))
	}
	return appsv1.SchemeGroupVersion.WithKind("Deployment")
}

// ownedPaths says which paths belong to our apply, or lie around or under what
// does, and lists the innermost ones.
func ownedPaths(live Object) (keep func(path string) bool, leaves []string) {
	around, whole := map[string]bool{}, map[string]bool{}
	others := &fieldpath.Set{}
	for _, entry := range live.GetManagedFields() {
		if !ours(entry) {
			others = others.Union(fieldSet(entry))
		}
	}
	inner := map[string]bool{} // somebody has a field within it
	others.Iterate(func(p fieldpath.Path) {
		for i := 1; i < len(p); i++ {
			inner[fieldText(p[:i])] = true
		}
	})
	for _, entry := range live.GetManagedFields() {
		if !ours(entry) {
			continue
		}
		fieldSet(entry).Iterate(func(p fieldpath.Path) {
			for i := 1; i <= len(p); i++ {
				around[fieldText(p[:i])] = true
			}
		})
		fieldSet(entry).Leaves().Iterate(func(p fieldpath.Path) {
			text := fieldText(p)
			if !inner[text] { // what others put into a field that we applied as {} is theirs
				whole[text] = true
				leaves = append(leaves, text)
			}
		})
	}
	return func(path string) bool {
		if around[path] {
			return true
		}
		for at := path; at != ""; at = parentOf(at) {
			if whole[at] {
				return true
			}
		}
		return false
	}, leaves
}
