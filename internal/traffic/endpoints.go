package traffic

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Port is one port of a Service, as its EndpointSlices must offer it.
type Port struct {
	Name     string // of the Service's port
	Protocol corev1.Protocol
	Number   int32 // that the pods listen on; 0: whichever they have
}

func (p Port) String() string {
	name := fmt.Sprintf("%q", p.Name)
	if p.Name == "" {
		name = "without a name"
	}
	if p.Number == 0 {
		return fmt.Sprintf("%s (%s)", name, p.Protocol)
	}
	return fmt.Sprintf("%s (%d/%s)", name, p.Number, p.Protocol)
}

// numbers tell which number a named port of the pods has; 0: not known.
type numbers func(name string, protocol corev1.Protocol) int32

// declaredIn takes them from a pod. Nil knows none.
func declaredIn(pod *corev1.PodSpec) numbers {
	return func(name string, protocol corev1.Protocol) int32 {
		if pod == nil {
			return 0
		}
		for _, port := range containerPorts(pod) {
			if port.Name == name && cmp.Or(port.Protocol, corev1.ProtocolTCP) == protocol {
				return port.ContainerPort
			}
		}
		return 0
	}
}

// offeredIn takes them from the EndpointSlices of a Service whose ports are named
// as those of the pods: a release's own. Where pods differ, none is known.
func offeredIn(endpoints []Object) numbers {
	return func(name string, protocol corev1.Protocol) int32 {
		found := int32(0)
		for _, obj := range endpoints {
			for _, port := range obj.(*discoveryv1.EndpointSlice).Ports {
				if deref(port.Name) != name || protocolOf(port) != protocol || port.Port == nil {
					continue
				}
				if found != 0 && found != *port.Port {
					return 0
				}
				found = *port.Port
			}
		}
		return found
	}
}

// PortsOf are the ports that a Service's EndpointSlices must offer. pod says which
// numbers named ports have; nil: whichever.
func PortsOf(svc *corev1.Service, pod *corev1.PodSpec) []Port { return portsOf(svc, declaredIn(pod)) }

func portsOf(svc *corev1.Service, known numbers) []Port {
	var ports []Port
	for _, port := range svc.Spec.Ports {
		p := Port{Name: port.Name, Protocol: cmp.Or(port.Protocol, corev1.ProtocolTCP)}
		switch target := port.TargetPort; {
		case target.Type == intstr.String:
			p.Number = known(target.StrVal, p.Protocol)
		case target.IntVal != 0:
			p.Number = target.IntVal
		default:
			p.Number = port.Port
		}
		ports = append(ports, p)
	}
	return ports
}

// Endpoints are the pods behind a Service by its EndpointSlices, and whether each
// is ready and offers all of the ports: what is ready on some of them only leads
// nowhere on the others. A pod with addresses of both families counts once.
func Endpoints(ctx context.Context, view View, service string, ports []Port) (map[string]bool, error) {
	found, err := slicesOf(ctx, view, service)
	if err != nil {
		return nil, err
	}
	return podsOf(found, ports), nil
}

// Lacking are those of the ports that the ready pods behind a Service do not all
// offer, as a sentence has them; empty where they do, or there are none.
func Lacking(ctx context.Context, view View, service string, ports []Port) (string, error) {
	found, err := slicesOf(ctx, view, service)
	if err != nil {
		return "", err
	}
	var lacking []string
	for _, port := range ports {
		without := slices.ContainsFunc(found, func(obj Object) bool {
			slice := obj.(*discoveryv1.EndpointSlice)
			return !offers(slice, []Port{port}) && slices.ContainsFunc(slice.Endpoints, isReady)
		})
		if without {
			lacking = append(lacking, port.String())
		}
	}
	return strings.Join(lacking, ", "), nil
}

func slicesOf(ctx context.Context, view View, service string) ([]Object, error) {
	return view.List(ctx, &discoveryv1.EndpointSlice{}, map[string]string{discoveryv1.LabelServiceName: service})
}

// podsOf are the pods in EndpointSlices, and whether each is ready on all ports.
func podsOf(endpoints []Object, ports []Port) map[string]bool {
	pods := map[string]bool{}
	for _, obj := range endpoints {
		slice := obj.(*discoveryv1.EndpointSlice)
		all := offers(slice, ports)
		for _, ep := range slice.Endpoints {
			up := all && isReady(ep)
			if ep.TargetRef != nil {
				pods[ep.TargetRef.Name] = pods[ep.TargetRef.Name] || up
				continue
			}
			for _, address := range ep.Addresses {
				pods[address] = pods[address] || up
			}
		}
	}
	return pods
}

// Answers says that one of the endpoints is ready.
func Answers(found *discoveryv1.EndpointSliceList) bool {
	return slices.ContainsFunc(found.Items, func(slice discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(slice.Endpoints, isReady)
	})
}

func isReady(ep discoveryv1.Endpoint) bool {
	return ep.Conditions.Ready == nil || *ep.Conditions.Ready
}

// offers says that the endpoints of a slice, which all have the same ports, have
// these. Pods in which a Service does not find a port are in a slice without it.
func offers(slice *discoveryv1.EndpointSlice, ports []Port) bool {
	return !slices.ContainsFunc(ports, func(want Port) bool {
		return !slices.ContainsFunc(slice.Ports, func(has discoveryv1.EndpointPort) bool {
			return deref(has.Name) == want.Name && protocolOf(has) == want.Protocol && has.Port != nil && (want.Number == 0 || *has.Port == want.Number)
		})
	})
}

func protocolOf(port discoveryv1.EndpointPort) corev1.Protocol {
	return cmp.Or(deref(port.Protocol), corev1.ProtocolTCP)
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
