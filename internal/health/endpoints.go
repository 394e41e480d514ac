package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// endpointFindings: a Service that should lead to the pods does not, because its
// selector or a port fits none. One that leads to nothing because no pod is ready
// only echoes that.
func endpointFindings(in Input, pods []*corev1.Pod) []Finding {
	if in.Workload == nil && len(pods) == 0 {
		return nil
	}
	wants := template(in, pods)
	var found []Finding
	for _, svc := range in.Around.Services {
		behind := slicesOf(svc, in.Around.Endpoints)
		if len(svc.Spec.Selector) == 0 || svc.Spec.Type == corev1.ServiceTypeExternalName || svc.DeletionTimestamp != nil || len(behind) == 0 {
			continue // not for pods, or it is not known what it leads to
		}
		if !selects(svc.Spec.Selector, wants.Labels) {
			if f := selectorFinding(svc, behind, wants.Labels); f != nil && len(pods) > 0 {
				found = append(found, *f)
			}
			continue
		}
		found = append(found, portFindings(svc, behind, wants.Spec)...)
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Sentence, b.Sentence))
	})
	return found
}

// template is what the pods are made of.
func template(in Input, pods []*corev1.Pod) corev1.PodTemplateSpec {
	if in.Workload != nil {
		return in.Workload.Spec.Template
	}
	return corev1.PodTemplateSpec{ObjectMeta: pods[0].ObjectMeta, Spec: pods[0].Spec}
}

func slicesOf(svc *corev1.Service, all []*discoveryv1.EndpointSlice) []*discoveryv1.EndpointSlice {
	var behind []*discoveryv1.EndpointSlice
	for _, slice := range all {
		if slice.Namespace == svc.Namespace && slice.Labels[discoveryv1.LabelServiceName] == svc.Name {
			behind = append(behind, slice)
		}
	}
	return behind
}

// selectorFinding: pods are there, none of them is selected, and nothing else is
// either.
func selectorFinding(svc *corev1.Service, behind []*discoveryv1.EndpointSlice, labels map[string]string) *Finding {
	if slices.ContainsFunc(behind, func(s *discoveryv1.EndpointSlice) bool { return len(s.Endpoints) > 0 }) {
		return nil
	}
	var differs []string
	has := map[string]string{}
	for key, want := range svc.Spec.Selector {
		value, ok := labels[key]
		switch {
		case !ok:
			differs = append(differs, fmt.Sprintf("the pods have no label %s", key))
		case value != want:
			differs = append(differs, fmt.Sprintf("the pods have %s=%s", key, value))
		}
		if ok {
			has[key] = value
		}
	}
	slices.Sort(differs)
	return &Finding{
		Cause: CauseNoEndpoints, Class: Patient, Object: "Service " + svc.Name,
		Sentence: fmt.Sprintf("the Service %q leads to no pod: it selects %s, and %s", svc.Name, labelled(svc.Spec.Selector), strings.Join(differs, ", ")),
		Evidence: fmt.Sprintf("selector of the Service: %s\nlabels of the pods: %s", labelled(svc.Spec.Selector), cmp.Or(labelled(has), "none of these")),
		Hint:     "correct the Service's selector, or the pods' labels",
	}
}

// portFindings: the pods are selected, and a port of the Service is none of
// theirs. A number that no container declares may be listened on all the same.
func portFindings(svc *corev1.Service, behind []*discoveryv1.EndpointSlice, spec corev1.PodSpec) []Finding {
	var found []Finding
	for _, port := range svc.Spec.Ports {
		protocol := cmp.Or(port.Protocol, corev1.ProtocolTCP)
		declared := containerPorts(spec, protocol)
		target := port.TargetPort
		if target.Type == intstr.Int && target.IntVal == 0 {
			target = intstr.FromInt32(port.Port)
		}
		if slices.ContainsFunc(declared, func(p corev1.ContainerPort) bool {
			return target.Type == intstr.String && p.Name == target.StrVal || target.Type == intstr.Int && p.ContainerPort == target.IntVal
		}) {
			continue
		}
		f := Finding{
			Cause: CauseNoEndpoints, Class: Patient, Object: "Service " + svc.Name,
			Sentence: fmt.Sprintf("port %s of the Service %q leads nowhere: it leads to the pods' port %q, and they have %s", portName(port), svc.Name, target.StrVal, portList(declared)),
			Evidence: fmt.Sprintf("port of the Service: %s, targetPort %s\nports of the pods: %s", portName(port), target.String(), portList(declared)),
			Hint:     "name one of the containers' ports so, or correct the Service's targetPort",
		}
		if target.Type == intstr.Int {
			if len(declared) == 0 {
				continue // they need not declare any
			}
			f.Class = Warning
			f.Sentence = fmt.Sprintf("port %s of the Service %q leads to the pods' port %d, which no container declares: they have %s", portName(port), svc.Name, target.IntVal, portList(declared))
			f.Hint = "correct the Service's targetPort; if a container listens there all the same, declare the port"
		} else if slices.ContainsFunc(behind, func(s *discoveryv1.EndpointSlice) bool { return leads(s, port.Name) }) {
			continue // to pods of another template
		}
		found = append(found, f)
	}
	return found
}

func selects(selector, labels map[string]string) bool {
	for key, want := range selector {
		if labels[key] != want {
			return false
		}
	}
	return true
}

// leads says that a slice has endpoints for a port of its Service.
func leads(slice *discoveryv1.EndpointSlice, name string) bool {
	return len(slice.Endpoints) > 0 && slices.ContainsFunc(slice.Ports, func(p discoveryv1.EndpointPort) bool {
		return p.Name != nil && *p.Name == name && p.Port != nil
	})
}

// containerPorts are those that a Service finds by name: also those of sidecars.
func containerPorts(spec corev1.PodSpec, protocol corev1.Protocol) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		if slices.ContainsFunc(spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name }) && initKind(c) != "sidecar" {
			continue
		}
		for _, p := range c.Ports {
			if cmp.Or(p.Protocol, corev1.ProtocolTCP) == protocol {
				ports = append(ports, p)
			}
		}
	}
	return ports
}

func portName(port corev1.ServicePort) string {
	if port.Name == "" {
		return fmt.Sprint(port.Port)
	}
	return fmt.Sprintf("%q (%d)", port.Name, port.Port)
}

func portList(ports []corev1.ContainerPort) string {
	var all []string
	for _, p := range ports {
		text := fmt.Sprint(p.ContainerPort)
		if p.Name != "" {
			text = fmt.Sprintf("%q (%d)", p.Name, p.ContainerPort)
		}
		all = append(all, text)
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}
