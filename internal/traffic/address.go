package traffic

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
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

// Gateways are those that are to serve a route.
func Gateways(route Object) []types.NamespacedName {
	wanted, _ := parentsOf(route)
	var all []types.NamespacedName
	for _, ref := range wanted {
		p := parentKey(ref, route.GetNamespace())
		name := types.NamespacedName{Namespace: p.namespace, Name: p.name}
		if p.group == gatewayv1.GroupName && p.kind == "Gateway" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// GatewayAddresses are where clients outside the cluster reach a Gateway, as it says.
func GatewayAddresses(gateway *gatewayv1.Gateway) []string {
	var all []string
	for _, address := range gateway.Status.Addresses {
		all = append(all, address.Value)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
