package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// PortFault is a port of an application's address that leads nowhere, or that a
// Service cannot have.
type PortFault struct {
	Name   string
	Reason string // the end of a sentence about a release, and what to do
}

// PortFaults are those of an address that is to lead to such pods, by name. Those of a
// Service that is somebody else's are not ours to judge.
func (s ServiceSpec) PortFaults(pod *corev1.PodSpec) (faults []PortFault) {
	declared, protocols, taken := declaredPorts(pod), ProtocolsOf(pod), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Ports)) {
		if !slices.Contains(declared, name) {
			only := "no ports"
			if len(declared) > 0 {
				only = "only " + strings.Join(declared, ", ")
			}
			faults = append(faults, PortFault{name, fmt.Sprintf("traffic.service.ports has %q, but its containers declare %s. Its names are those of `container.ports`", name, only)})
			continue
		}
		protocol := protocols[name]
		if protocol == "" {
			protocol = string(corev1.ProtocolTCP)
		}
		socket := fmt.Sprintf("%d/%s", s.Ports[name], protocol)
		if other, twice := taken[socket]; twice {
			faults = append(faults, PortFault{name, fmt.Sprintf("traffic.service.ports has %s for %q and for %q, and a Service has it once. Change one of the numbers, or `container.port_protocols`", socket, other, name)})
		}
		taken[socket] = name
	}
	return faults
}

// Declares says that a pod's containers declare a port of that name.
func Declares(pod *corev1.PodSpec, name string) bool {
	return slices.Contains(declaredPorts(pod), name)
}

// declaredPorts are the names of the ports that a pod's containers declare, each once.
func declaredPorts(pod *corev1.PodSpec) (names []string) {
	for _, port := range containerPorts(pod) {
		if port.Name != "" {
			names = append(names, port.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// containerPorts are all ports that a pod's containers declare.
func containerPorts(pod *corev1.PodSpec) (ports []corev1.ContainerPort) {
	for _, container := range slices.Concat(pod.Containers, pod.InitContainers) {
		ports = append(ports, container.Ports...)
	}
	return ports
}
