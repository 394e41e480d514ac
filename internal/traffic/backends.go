package traffic

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"
)

// Backend is a Service that an Ingress or a route leads to.
type Backend struct {
	Service string
	Idle    bool // its weight is 0: nothing is sent there for now
}

// Backends are the Services of its own namespace that an Ingress, an HTTPRoute, a
// GRPCRoute or a TCPRoute names, also those that get a copy of the requests.
func Backends(obj Object) []Backend {
	b := &backends{namespace: obj.GetNamespace()}
	switch o := obj.(type) {
	case *networkingv1.Ingress:
		b.ingress(o.Spec)
	case *gatewayv1.HTTPRoute:
		for _, rule := range o.Spec.Rules {
			b.httpFilters(rule.Filters)
			for _, ref := range rule.BackendRefs {
				b.add(ref.BackendObjectReference, ref.Weight)
				b.httpFilters(ref.Filters)
			}
		}
	case *gatewayv1.GRPCRoute:
		for _, rule := range o.Spec.Rules {
			b.grpcFilters(rule.Filters)
			for _, ref := range rule.BackendRefs {
				b.add(ref.BackendObjectReference, ref.Weight)
				b.grpcFilters(ref.Filters)
			}
		}
	case *gatewayv1.TCPRoute:
		for _, rule := range o.Spec.Rules {
			b.refs(rule.BackendRefs)
		}
	case *gatewayv1alpha2.TCPRoute:
		for _, rule := range o.Spec.Rules {
			b.refs(rule.BackendRefs)
		}
	}
	return b.found
}

type backends struct {
	namespace string
	found     []Backend
}

func (b *backends) ingress(spec networkingv1.IngressSpec) {
	add := func(backend *networkingv1.IngressBackend) {
		if backend != nil && backend.Service != nil {
			b.found = append(b.found, Backend{Service: backend.Service.Name})
		}
	}
	add(spec.DefaultBackend)
	for _, rule := range spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			add(&rule.HTTP.Paths[i].Backend)
		}
	}
}

func (b *backends) refs(refs []gatewayv1.BackendRef) {
	for _, ref := range refs {
		b.add(ref.BackendObjectReference, ref.Weight)
	}
}

func (b *backends) httpFilters(filters []gatewayv1.HTTPRouteFilter) {
	for _, filter := range filters {
		if mirror := filter.RequestMirror; mirror != nil {
			b.add(mirror.BackendRef, nil)
		}
	}
}

func (b *backends) grpcFilters(filters []gatewayv1.GRPCRouteFilter) {
	for _, filter := range filters {
		if mirror := filter.RequestMirror; mirror != nil {
			b.add(mirror.BackendRef, nil)
		}
	}
}

// add takes a reference that means a Service of the route's own namespace.
func (b *backends) add(ref gatewayv1.BackendObjectReference, weight *int32) {
	service := (ref.Group == nil || *ref.Group == "") && (ref.Kind == nil || *ref.Kind == "Service")
	here := ref.Namespace == nil || string(*ref.Namespace) == b.namespace
	if service && here {
		b.found = append(b.found, Backend{Service: string(ref.Name), Idle: weight != nil && *weight == 0})
	}
}

// Selects says that a Service selects pods that have these labels. An ExternalName
// Service selects none, whatever its selector says.
func Selects(svc *corev1.Service, pods map[string]string) bool {
	return len(svc.Spec.Selector) > 0 && svc.Spec.Type != corev1.ServiceTypeExternalName &&
		labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pods))
}

// Headless says that a Service has no address of its own: it is for finding pods.
func Headless(svc *corev1.Service) bool { return svc.Spec.ClusterIP == corev1.ClusterIPNone }
