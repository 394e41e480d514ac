package workload

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Owned is the live workload with nothing but the fields that our own apply
// has: applying it again changes nothing, and applying it with one field
// changed changes that field alone. It is for those who have no configuration
// at hand. Its uid and resourceVersion are those of live.
//
// It fails rather than leave out a field of ours: an apply would remove it.
func Owned(live *appsv1.Deployment) (*appsv1.Deployment, error) {
	keep, leaves := ownedPaths(live)
	bare := live.DeepCopy()
	bare.ManagedFields = nil
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(bare)
	if err != nil {
		return nil, err
	}
	prune("", "", content, func(path string) bool { return !keep(path) })
	owned := &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, owned); err != nil {
		return nil, err
	}
	have, lives := values(owned), values(live)
	for _, leaf := range leaves {
		if value, ok := lives[leaf]; ok && !reflect.DeepEqual(have[leaf], value) {
			return nil, fmt.Errorf("cannot tell the fields of %s/%s that are ours from the others: %s", live.Namespace, live.Name, leaf)
		}
	}
	owned.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
	owned.Namespace, owned.Name, owned.UID, owned.ResourceVersion = live.Namespace, live.Name, live.UID, live.ResourceVersion
	return owned, nil
}

// ownedPaths says which paths belong to our apply, or lie around or under what
// does, and lists the innermost ones.
func ownedPaths(live *appsv1.Deployment) (keep func(path string) bool, leaves []string) {
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
