package cluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestApplyAnew makes what is not there, and changes nothing that is, whoever has made it.
func TestApplyAnew(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	service := func(port int32) *corev1.Service {
		return &corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "api"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: port}}},
		}
	}
	first, second := service(80), service(81)
	release.Anew(first)
	release.Anew(second)
	if err := w.Apply(t.Context(), first, false); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if err := w.Apply(t.Context(), second, force); !release.ReadAgain(err) {
			t.Errorf("force %t: it says %v", force, err)
		}
	}
	now := &corev1.Service{}
	if err := w.Get(t.Context(), w.namespace, "api", now); err != nil || now.Spec.Ports[0].Port != 80 || now.ResourceVersion != first.ResourceVersion {
		t.Errorf("it is %+v (%v)", now.Spec, err)
	}
}
