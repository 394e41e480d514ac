package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// declared are the ports that a pod's containers declare, each with its protocol.
type declared struct{ names, numbers []string }

func declaredBy(pod *corev1.PodSpec) (d declared) {
	for _, port := range containerPorts(pod) {
		d.names = append(d.names, port.Name+"/"+orTCP(port.Protocol))
		d.numbers = append(d.numbers, fmt.Sprintf("%d/%s", port.ContainerPort, orTCP(port.Protocol)))
	}
	return d
}

func (d declared) String() string {
	if len(d.names) == 0 {
		return "no ports"
	}
	var all []string
	for i := range d.names {
		all = append(all, fmt.Sprintf("%s (%s)", d.names[i], d.numbers[i]))
	}
	return "only " + strings.Join(all, ", ")
}

// Unresolved is the first port of an adopted Service that leads nowhere in such pods,
// as the end of a sentence; empty where there is none. The Service's ports are not
// ours to change.
func Unresolved(svc *corev1.Service, pod *corev1.PodSpec) string {
	declared := declaredBy(pod)
	for _, port := range svc.Spec.Ports {
		target, have, is := port.TargetPort, declared.numbers, "port "
		if target == intstr.FromInt32(0) {
			target = intstr.FromInt32(port.Port)
		}
		if target.Type == intstr.String {
			have, is = declared.names, "port named "
		}
		if slices.Contains(have, target.String()+"/"+orTCP(port.Protocol)) {
			continue
		}
		return fmt.Sprintf("the adopted Service %s/%s sends its port %d to the %s%s (%s) of the pods, but its containers declare %s. Declare that port in `container.ports`%s, or change the Service's targetPort",
			svc.Namespace, svc.Name, port.Port, is, target.String(), orTCP(port.Protocol), declared, asProtocol(port.Protocol))
	}
	return ""
}

// Named says whether a Service that is handed back would find its named ports in a pod.
// Numbers need not be declared.
func Named(svc *corev1.Service, pod *corev1.PodSpec) bool {
	names := declaredBy(pod).names
	return !slices.ContainsFunc(svc.Spec.Ports, func(port corev1.ServicePort) bool {
		return port.TargetPort.Type == intstr.String && !slices.Contains(names, port.TargetPort.StrVal+"/"+orTCP(port.Protocol))
	})
}

// asProtocol is what else declares a port that is not TCP, for people.
func asProtocol(p corev1.Protocol) string {
	if orTCP(p) == string(corev1.ProtocolTCP) {
		return ""
	}
	return fmt.Sprintf(" and, as %q, in `container.port_protocols`", p)
}

func orTCP(p corev1.Protocol) string { return string(cmp.Or(p, corev1.ProtocolTCP)) }
