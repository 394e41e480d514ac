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

// notYet is a version that no object has: etcd's own first one.
const notYet = "1"

// Anew lets the apply of an object make it, and nothing else. Where there is one by
// then, the API server answers with a conflict: somebody else has made it since we
// looked, and it is theirs to change. Where there is none, it does not ask for the
// version.
func Anew(obj Object) { obj.SetResourceVersion(notYet) }

// Newer says that a cached object has changed since it was seen live; the cache
// may also still be behind.
func Newer(cached, seen Object) bool {
	if cached.GetUID() != seen.GetUID() {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), seen.GetResourceVersion())
	return err != nil || order > 0
}
