package traffic

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// slicesBy is a view of EndpointSlices, by the name of their Service.
type slicesBy map[string][]Object

func (v slicesBy) List(_ context.Context, _ Object, labels map[string]string) ([]Object, error) {
	return v[labels[discoveryv1.LabelServiceName]], nil
}

func (v slicesBy) Select(context.Context, Object, string, string) ([]Object, error) { return nil, nil }

// slice has endpoints that are ready, and these ports.
func slice(ports []discoveryv1.EndpointPort, pods ...string) Object {
	s := &discoveryv1.EndpointSlice{Ports: ports}
	for _, pod := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Name: pod}})
	}
	return s
}

func offered(name string, number int32, protocol corev1.Protocol) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &protocol}
}

type endpointPorts = []discoveryv1.EndpointPort

// TestEndpointsOfferEveryPort: a pod counts as ready only where it is offered by
// name, number and protocol.
func TestEndpointsOfferEveryPort(t *testing.T) {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Name: "web", Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP},
		{Name: "admin", Port: 9000},
		{Name: "dns", Port: 53, TargetPort: intstr.FromInt32(5353), Protocol: corev1.ProtocolUDP},
	}}}
	pod := &corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}}
	admin, dns := offered("admin", 9000, corev1.ProtocolTCP), offered("dns", 5353, corev1.ProtocolUDP)
	for name, tc := range map[string]struct {
		ports   endpointPorts
		want    bool
		lacking string
	}{
		"all":                     {endpointPorts{offered("web", 8080, corev1.ProtocolTCP), admin, dns}, true, ""},
		"none":                    {nil, false, `"web" (8080/TCP), "admin" (9000/TCP), "dns" (5353/UDP)`},
		"one is missing":          {endpointPorts{offered("web", 8080, corev1.ProtocolTCP), admin}, false, `"dns" (5353/UDP)`},
		"another name":            {endpointPorts{offered("http", 8080, corev1.ProtocolTCP), admin, dns}, false, `"web" (8080/TCP)`},
		"another number":          {endpointPorts{offered("web", 8081, corev1.ProtocolTCP), admin, dns}, false, `"web" (8080/TCP)`},
		"another protocol":        {endpointPorts{offered("web", 8080, corev1.ProtocolUDP), admin, dns}, false, `"web" (8080/TCP)`},
		"another number, typed":   {endpointPorts{offered("web", 8080, corev1.ProtocolTCP), offered("admin", 9001, corev1.ProtocolTCP), dns}, false, `"admin" (9000/TCP)`},
		"a protocol that is TCP":  {endpointPorts{{Name: new("web"), Port: new(int32(8080))}, admin, dns}, true, ""},
		"a name without a number": {endpointPorts{{Name: new("web")}, admin, dns}, false, `"web" (8080/TCP)`},
	} {
		view := slicesBy{"api": {slice(tc.ports, "a")}}
		got, err := Endpoints(t.Context(), view, "api", PortsOf(svc, pod))
		if _, known := got["a"]; err != nil || !known || got["a"] != tc.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if lacking, err := Lacking(t.Context(), view, "api", PortsOf(svc, pod)); err != nil || lacking != tc.lacking {
			t.Errorf("%s: lacking %s, %v", name, lacking, err)
		}
	}
	// Pods that differ are in slices of their own.
	view := slicesBy{"api": {slice(endpointPorts{offered("web", 8080, corev1.ProtocolTCP), admin, dns}, "a"), slice(endpointPorts{admin, dns}, "b")}}
	if got, err := Endpoints(t.Context(), view, "api", PortsOf(svc, pod)); err != nil || !got["a"] || got["b"] || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSettledBySamePodsAndSamePorts is about a main Service that selects what the
// release's own does.
func TestSettledBySamePodsAndSamePorts(t *testing.T) {
	http := endpointPorts{offered("http", 8080, corev1.ProtocolTCP)}
	for name, tc := range map[string]struct {
		main, own []Object
		want, any bool // with all ports; whichever they are
	}{
		"the same":              {[]Object{slice(http, "a", "b")}, []Object{slice(http, "a", "b")}, true, true},
		"nothing yet":           {nil, []Object{slice(http, "a")}, false, false},
		"nothing at all":        {nil, nil, false, false},
		"a part of them":        {[]Object{slice(http, "a")}, []Object{slice(http, "a", "b")}, false, false},
		"the others still":      {[]Object{slice(http, "old", "a")}, []Object{slice(http, "a")}, false, false},
		"no ports":              {[]Object{slice(nil, "a")}, []Object{slice(http, "a")}, false, true},
		"the number of before":  {[]Object{slice(endpointPorts{offered("http", 80, corev1.ProtocolTCP)}, "a")}, []Object{slice(http, "a")}, false, true},
		"ports in other slices": {[]Object{slice(http, "a"), slice(nil, "b")}, []Object{slice(http, "a"), slice(nil, "b")}, false, true},
	} {
		s := NewService(nil, slicesBy{"api": tc.main, "api-1": tc.own}, ServiceSpec{Name: "api"}, false)
		s.reply = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, TargetPort: intstr.FromString("http")},
		}}}
		if got, err := s.settled(t.Context(), "api-1"); err != nil || got != tc.want {
			t.Errorf("%s: %t, %v", name, got, err)
		}
		s.Returns()
		if got, err := s.settled(t.Context(), "api-1"); err != nil || got != tc.any {
			t.Errorf("%s, with any ports: %t, %v", name, got, err)
		}
	}
}
