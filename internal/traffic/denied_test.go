package traffic

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestDenied: who says no, and who says nothing any more, has given up to serve a route. Who
// lags behind has not.
func TestDenied(t *testing.T) {
	t.Parallel()
	condition := func(kind string, status metav1.ConditionStatus, generation int64) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, ObservedGeneration: generation, Reason: "Why", Message: "so it is"}
	}
	by := func(name gatewayv1.ObjectName, conditions ...metav1.Condition) gatewayv1.RouteParentStatus {
		return gatewayv1.RouteParentStatus{ParentRef: gatewayv1.ParentReference{Name: name}, ControllerName: "example.com/c", Conditions: conditions}
	}
	accepted := condition("Accepted", "True", 7)
	for name, c := range map[string]struct {
		said []gatewayv1.RouteParentStatus
		want string // a part of it; empty: it is served
	}{
		"served by both":      {[]gatewayv1.RouteParentStatus{by("public", accepted), by("private", accepted, condition("ResolvedRefs", "True", 7))}, ""},
		"one lags behind":     {[]gatewayv1.RouteParentStatus{by("public", condition("Accepted", "True", 6)), by("private", accepted)}, ""},
		"one is gone":         {[]gatewayv1.RouteParentStatus{by("public", accepted)}, "Gateway shop/private says nothing about it any more"},
		"one says no":         {[]gatewayv1.RouteParentStatus{by("public", accepted), by("private", condition("Accepted", "False", 7))}, "Gateway shop/private (example.com/c) says Accepted=False, Why: so it is"},
		"one said no before":  {[]gatewayv1.RouteParentStatus{by("public", condition("Accepted", "False", 6)), by("private", accepted)}, "Gateway shop/public (example.com/c) says Accepted=False"},
		"a backend is not to": {[]gatewayv1.RouteParentStatus{by("public", accepted, condition("ResolvedRefs", "False", 7)), by("private", accepted)}, "says ResolvedRefs=False"},
		"it gives no reason":  {[]gatewayv1.RouteParentStatus{by("public", metav1.Condition{Type: "Accepted", Status: "False", Reason: "Why"}), by("private", accepted)}, "says Accepted=False, Why"},
		"in part":             {[]gatewayv1.RouteParentStatus{by("public", accepted, condition("PartiallyInvalid", "True", 7)), by("private", accepted)}, ""},
	} {
		route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Generation: 7}}
		route.Spec.ParentRefs, route.Status.Parents = []gatewayv1.ParentReference{{Name: "public"}, {Name: "private"}}, c.said
		if got := denied(route); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.HasSuffix(got, ": ") {
			t.Errorf("%s: it says %q, want %q", name, got, c.want)
		}
	}
}
