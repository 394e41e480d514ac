package traffic

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"
)

func TestBackends(t *testing.T) {
	here := metav1.ObjectMeta{Namespace: "shop", Name: "www"}
	to := func(name string) gatewayv1.BackendObjectReference {
		return gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name)}
	}
	ref := func(name string, weight *int32) gatewayv1.BackendRef {
		return gatewayv1.BackendRef{BackendObjectReference: to(name), Weight: weight}
	}
	elsewhere, bucket := ref("api", nil), ref("api", nil)
	elsewhere.Namespace, bucket.Kind = new(gatewayv1.Namespace("other")), new(gatewayv1.Kind("Bucket"))
	named := ref("c", nil)
	named.Namespace, named.Kind, named.Group = new(gatewayv1.Namespace("shop")), new(gatewayv1.Kind("Service")), new(gatewayv1.Group(""))
	for name, tc := range map[string]struct {
		of   Object
		want []Backend
	}{
		"Ingress": {&networkingv1.Ingress{ObjectMeta: here, Spec: networkingv1.IngressSpec{
			DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "a"}},
			Rules: []networkingv1.IngressRule{{Host: "no.paths"}, {IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{
				{Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "b"}}},
				{Backend: networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Name: "api"}}},
			}}}}},
		}}, []Backend{{Service: "a"}, {Service: "b"}}},
		"HTTPRoute": {&gatewayv1.HTTPRoute{ObjectMeta: here, Spec: gatewayv1.HTTPRouteSpec{Rules: []gatewayv1.HTTPRouteRule{{
			Filters: []gatewayv1.HTTPRouteFilter{{RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{BackendRef: to("m")}}},
			BackendRefs: []gatewayv1.HTTPBackendRef{
				{BackendRef: ref("a", nil), Filters: []gatewayv1.HTTPRouteFilter{{RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{BackendRef: to("n")}}}},
				{BackendRef: ref("b", new(int32(0)))}, {BackendRef: named}, {BackendRef: elsewhere}, {BackendRef: bucket},
			},
		}}}}, []Backend{{Service: "m"}, {Service: "a"}, {Service: "n"}, {Service: "b", Idle: true}, {Service: "c"}}},
		"GRPCRoute": {&gatewayv1.GRPCRoute{ObjectMeta: here, Spec: gatewayv1.GRPCRouteSpec{Rules: []gatewayv1.GRPCRouteRule{{
			Filters:     []gatewayv1.GRPCRouteFilter{{RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{BackendRef: to("m")}}},
			BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: ref("a", new(int32(5)))}},
		}}}}, []Backend{{Service: "m"}, {Service: "a"}}},
		"TCPRoute":        {&gatewayv1.TCPRoute{ObjectMeta: here, Spec: gatewayv1.TCPRouteSpec{Rules: []gatewayv1.TCPRouteRule{{BackendRefs: []gatewayv1.BackendRef{ref("a", nil), elsewhere}}}}}, []Backend{{Service: "a"}}},
		"TCPRoute before": {&gatewayv1alpha2.TCPRoute{ObjectMeta: here, Spec: gatewayv1alpha2.TCPRouteSpec{Rules: []gatewayv1alpha2.TCPRouteRule{{BackendRefs: []gatewayv1.BackendRef{ref("a", nil)}}}}}, []Backend{{Service: "a"}}},
	} {
		if got := Backends(tc.of); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
