package traffic

import (
	"reflect"
	"regexp"
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

// TestCookie: the pattern finds the one cookie among others, whether a data plane takes it
// for the whole header or not, and no cookie that is only alike.
func TestCookie(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(Cookie("track", "v1.2").Value)
	for header, want := range map[string]bool{
		"track=v1.2":               true,
		"a=b; track=v1.2":          true,
		"a=b;track=v1.2; c=d":      true,
		"track=v1.2; c=d":          true,
		"track=v1.23":              false,
		"track=v1x2":               false,
		"xtrack=v1.2":              false,
		"a=b; x-track=v1.2":        false,
		"track=v1":                 false,
		"a=track=v1.2":             false,
		"track=v1; other=track; a": false,
		"":                         false,
	} {
		found := pattern.FindString(header)
		if (found != "") != want || want && found != header {
			t.Errorf("in %q it finds %q", header, found)
		}
	}
}

// TestCohortByCookie: the rule asks for a pattern, and one by a header for a value.
func TestCohortByCookie(t *testing.T) {
	t.Parallel()
	split, ports := release.Split{"web-1": 90, "web-2": 10}, map[string]int32{"web-1": 80, "web-2": 80}
	http, grpc := routeSpec(HTTPRoute), routeSpec(GRPCRoute)
	for _, s := range []*RouteSpec{&http, &grpc} {
		s.Cohort, s.Candidate = []Header{Cookie("track", "new"), {Name: "x-canary", Value: "1"}}, "web-2"
	}
	byCookie := http.Object(split, ports).(*gatewayv1.HTTPRoute).Spec.Rules[0].Matches
	if h := byCookie[0].Headers[0]; h.Name != "cookie" || *h.Type != gatewayv1.HeaderMatchRegularExpression {
		t.Errorf("it asks for %+v", h)
	}
	if h := byCookie[1].Headers[0]; h.Type != nil {
		t.Errorf("it asks for %+v", h)
	}
	calls := grpc.Object(split, ports).(*gatewayv1.GRPCRoute).Spec.Rules[0].Matches
	if h := calls[0].Headers[0]; h.Name != "cookie" || *h.Type != gatewayv1.GRPCHeaderMatchRegularExpression {
		t.Errorf("it asks for %+v", h)
	}
}
