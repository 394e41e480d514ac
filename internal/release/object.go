package release

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Object is any Kubernetes object of the typed API (*appsv1.Deployment, …).
type Object = interface {
	metav1.Object
	runtime.Object
}

// Newer says that a cached object has changed since it was seen live; the cache
// may also still be behind.
func Newer(cached, seen Object) bool {
	if cached.GetUID() != seen.GetUID() {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), seen.GetResourceVersion())
	return err != nil || order > 0
}
