package traffic

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestProtocolsFollowThePods: of ports with one name the first counts, as for a Service,
// and the address has those of its own names.
func TestProtocolsFollowThePods(t *testing.T) {
	port := func(name string, protocol corev1.Protocol) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: 53, Protocol: protocol}
	}
	pod := &corev1.PodSpec{
		Containers: []corev1.Container{{Ports: []corev1.ContainerPort{port("dns", "UDP"), port("dns-tcp", "TCP"), port("web", "")}}},
		InitContainers: []corev1.Container{
			{Ports: []corev1.ContainerPort{port("dns", "TCP"), port("web", "UDP"), port("side", "SCTP")}},
		},
	}
	spec := ServiceSpec{Name: "dns", Ports: map[string]int32{"dns": 53, "dns-tcp": 53, "web": 80}, Protocols: ProtocolsOf(pod)}
	svc := spec.Object("dns-1")
	want := map[string]string{"dns": "UDP"}
	if got := spec.ProtocolsIn(svc); !maps.Equal(got, want) || len(svc.Spec.Ports) != 3 || svc.Spec.Ports[1].Protocol != "TCP" {
		t.Errorf("the address has %v: %+v", got, svc.Spec.Ports)
	}
	if !maps.Equal(spec.Protocols, map[string]string{"dns": "UDP", "side": "SCTP"}) {
		t.Errorf("the pods have %v", spec.Protocols)
	}
	if got := (ServiceSpec{Adopt: true}).ProtocolsIn(svc); got != nil {
		t.Errorf("of an adopted one, %v are ours", got)
	}
}
