package workload

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Planned are the objects that a release is made of, and one of its pods, which has no
// name: for asking an API server what it says to them.
func Planned(spec release.Spec) ([]Object, error) {
	d, err := Deployment(spec)
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(),
		Spec:       *d.Spec.Template.Spec.DeepCopy(),
	}
	pod.Namespace, pod.GenerateName = d.Namespace, d.Name+"-"
	objects := []Object{d, pod}
	if files := Files(spec); files != nil {
		objects = append(objects, files)
	}
	if svc := Service(spec); svc != nil {
		objects = append(objects, svc)
	}
	if h := Autoscaler(spec); h != nil {
		objects = append(objects, h)
	}
	if b := DisruptionBudget(spec); b != nil {
		objects = append(objects, b)
	}
	if p := Preview(spec); p != nil {
		objects = append(objects, p)
	}
	return objects, nil
}
