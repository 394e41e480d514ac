package workload

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Service renders the release's own, stable address, or nil where the
// application declares no port. It targets ports by name, like the main address
// does, so that a patch of the number is followed.
func Service(spec release.Spec) *corev1.Service {
	c := spec.Content.Normalize()
	if len(c.Container.Ports) == 0 {
		return nil
	}
	name := spec.NameFor(c.Hash())
	var ports []corev1.ServicePort
	for _, port := range slices.Sorted(maps.Keys(c.Container.Ports)) {
		ports = append(ports, corev1.ServicePort{
			Name:       port,
			Port:       c.Container.Ports[port],
			TargetPort: intstr.FromString(port),
			Protocol:   corev1.Protocol(c.Container.Protocol(port)),
		})
	}
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: name, Labels: Labels(spec)},
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: release.Selector(name),
			Ports:    ports,
		},
	}
}
