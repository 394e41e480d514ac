package release

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is any Kubernetes object of the typed API (*appsv1.Deployment, …).
type Object = interface {
	metav1.Object
	runtime.Object
}
