package traffic

import (
	"reflect"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestCohortIsNoPartOfTheSpec: what is read again of a route while a cohort has a rule of
// its own is what the others have. Who goes back without a configuration writes that.
func TestCohortIsNoPartOfTheSpec(t *testing.T) {
	t.Parallel()
	path := gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/v1")}}
	call := gatewayv1.GRPCRouteMatch{Method: &gatewayv1.GRPCMethodMatch{Service: new("shop.v1.Orders")}}
	for _, kind := range []RouteKind{HTTPRoute, GRPCRoute} {
		spec := routeSpec(kind)
		if kind == HTTPRoute {
			spec.HTTPMatches = []gatewayv1.HTTPRouteMatch{path}
		} else {
			spec.GRPCMatches = []gatewayv1.GRPCRouteMatch{call}
		}
		want := spec
		spec.Cohort, spec.Candidate = []Header{{Name: "x-canary", Value: "1"}}, "web-2"
		route := spec.Object(release.Split{"web-1": 90, "web-2": 10}, map[string]int32{"web-1": 80, "web-2": 80})
		if got := RouteSpecOf("web", route); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it is read as %+v, want %+v", kind, got, want)
		}
	}
}
