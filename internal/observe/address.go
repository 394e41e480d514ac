package observe

import (
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// ServiceSpec is what a user would have written to get this address. Only fields
// of our own apply count, which the baseline lists: the rest are defaults, or
// somebody else's. Of an adopted Service nothing is ours but the selector.
func (o Main) ServiceSpec(namespace, application string) traffic.ServiceSpec {
	svc, baseline := o.Service, o.Main.Baseline
	s := traffic.ServiceSpec{Namespace: namespace, Application: application, Name: svc.Name}
	if o.Main.Adopted != nil {
		s.Adopt = true
		return s
	}
	s.Type, s.SessionAffinity = svc.Spec.Type, svc.Spec.SessionAffinity
	s.Ports, s.Annotations = map[string]int32{}, map[string]string{}
	if class := svc.Spec.LoadBalancerClass; class != nil && baseline["spec.loadBalancerClass"] != "" {
		s.LoadBalancerClass = *class
	}
	if baseline["spec.externalTrafficPolicy"] != "" {
		s.ExternalTrafficPolicy = svc.Spec.ExternalTrafficPolicy
	}
	for name, value := range svc.Annotations {
		if baseline["metadata.annotations["+name+"]"] != "" {
			s.Annotations[name] = value
		}
	}
	if baseline["spec.loadBalancerSourceRanges"] != "" {
		s.SourceRanges = svc.Spec.LoadBalancerSourceRanges
	}
	if baseline["spec.ipFamilies"] != "" {
		s.IPFamilies = svc.Spec.IPFamilies
	}
	if policy := svc.Spec.IPFamilyPolicy; policy != nil && baseline["spec.ipFamilyPolicy"] != "" {
		s.IPFamilyPolicy = *policy
	}
	if distribution := svc.Spec.TrafficDistribution; distribution != nil && baseline["spec.trafficDistribution"] != "" {
		s.TrafficDistribution = *distribution
	}
	s.AppProtocols, s.NodePorts = map[string]string{}, map[string]int32{}
	known := workload.HasPorts(baseline)
	for _, port := range svc.Spec.Ports {
		at := fmt.Sprintf("spec.ports[%d/%s]", port.Port, port.Protocol)
		if known && !workload.HasPort(baseline, at) {
			continue // somebody has added it
		}
		s.Ports[port.Name] = port.Port
		if port.AppProtocol != nil && baseline[at+".appProtocol"] != "" {
			s.AppProtocols[port.Name] = *port.AppProtocol
		}
		if baseline[at+".nodePort"] != "" {
			s.NodePorts[port.Name] = port.NodePort
		}
	}
	return s
}

// RouteOrNone is what a user would have written to get the route as it lives; nil where there
// is none.
func (o Main) RouteOrNone(namespace, application string) *traffic.RouteSpec {
	if o.Route == nil {
		return nil
	}
	return new(o.RouteSpec(namespace, application))
}

// Tried is the release that a promotion which goes forward has given a share, or waits with;
// empty where none is open on the cluster.
func (o Main) Tried() string {
	if o.Main == nil || o.Main.Progress == nil {
		return ""
	}
	if p := o.Main.Progress; p.Direction == release.DirectionForward && (p.Paused || len(o.Split) > 1) {
		return p.To
	}
	return ""
}
