package traffic

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Addresses are where clients outside the cluster reach a Service, as its load
// balancer says: IP addresses, or host names where it has none. Nil while it has
// neither, or is no load balancer.
func Addresses(svc *corev1.Service) []string {
	if svc == nil || svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	var ips, hosts []string
	for _, ingress := range svc.Status.LoadBalancer.Ingress {
		switch {
		case ingress.IP != "":
			ips = append(ips, ingress.IP)
		case ingress.Hostname != "":
			hosts = append(hosts, ingress.Hostname)
		}
	}
	if len(ips) == 0 {
		ips = hosts
	}
	slices.Sort(ips)
	return slices.Compact(ips)
}
