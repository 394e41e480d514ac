package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWithoutTakesOutWhatIsNamedAndNothingElse(t *testing.T) {
	two := int32(2)
	object := func() *appsv1.Deployment {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: "api", Labels: map[string]string{"a.b/c": "x", "d": "y"}},
			Spec: appsv1.DeploymentSpec{Replicas: &two, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
				{Name: "api", Image: "demo/api:v1", Env: []corev1.EnvVar{{Name: "ONE", Value: "1"}, {Name: "TWO", Value: "2"}}},
				{Name: "side", Image: "demo/side:v1"},
			}}}},
		}
	}
	containers := func(d *appsv1.Deployment) []corev1.Container { return d.Spec.Template.Spec.Containers }
	for path, edit := range map[string]func(*appsv1.Deployment){
		"spec.replicas":                                     func(d *appsv1.Deployment) { d.Spec.Replicas = nil },
		"metadata.labels[a.b/c]":                            func(d *appsv1.Deployment) { delete(d.Labels, "a.b/c") },
		"spec.template.spec.containers[api].image":          func(d *appsv1.Deployment) { containers(d)[0].Image = "" },
		"spec.template.spec.containers[api].env[ONE]":       func(d *appsv1.Deployment) { containers(d)[0].Env = containers(d)[0].Env[1:] },
		"spec.template.spec.containers[api].env[ONE].value": func(d *appsv1.Deployment) { containers(d)[0].Env[0].Value = "" },
		"spec.template.spec.containers[side]":               func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = containers(d)[:1] },
		"spec.template.spec.containers[nobody].image":       func(*appsv1.Deployment) {},
	} {
		got, want := object(), object()
		edit(want)
		if err := Without(got, []string{path}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", path, diff)
		}
	}
}
