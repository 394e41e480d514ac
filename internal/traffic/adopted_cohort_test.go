package traffic

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestCohortFollows: the rule of a cohort is made once, and again where somebody else is
// the cohort, or where the adopted rule is for other requests.
func TestCohortFollows(t *testing.T) {
	t.Parallel()
	split, ports := release.Split{"shop-00000001": 90, "shop-00000002": 10}, map[string]int32{"shop-00000001": 80, "shop-00000002": 80}
	of := func(value string) RouteSpec {
		return RouteSpec{Application: "shop", Kind: HTTPRoute, Adopt: true, Rule: "api", Candidate: "shop-00000002", Cohort: []Header{{Name: "x-canary", Value: value}}}
	}
	at := func(prefix string) *gatewayv1.HTTPRoute {
		route := their("web", "api")
		route.Spec.Rules[1].Matches = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new(prefix)}}}
		return route
	}
	asked := func(s RouteSpec, route *gatewayv1.HTTPRoute) []release.PatchOp {
		rules := rulesOf(route)
		where, why := s.place(rules)
		if why != "" {
			t.Fatal(why)
		}
		return s.cohortOps(route, rules, where, split, ports)
	}
	first := asked(of("1"), at("/shop"))
	if len(first) != 1 || first[0].Op != "add" || first[0].Path != "/spec/rules/1" {
		t.Fatalf("it is made by %+v", first)
	}
	stands := func(prefix string) *gatewayv1.HTTPRoute { // as the API server keeps it
		route := at(prefix)
		made := first[0].Value.(*gatewayv1.HTTPRouteRule).DeepCopy()
		made.Matches[0].Headers[0].Type = new(gatewayv1.HeaderMatchExact)
		route.Spec.Rules = append(route.Spec.Rules[:1:1], *made, route.Spec.Rules[1])
		return route
	}
	if ops := asked(of("1"), stands("/shop")); len(ops) > 0 {
		t.Errorf("it is made again by %+v", ops)
	}
	for name, ops := range map[string][]release.PatchOp{"another cohort": asked(of("2"), stands("/shop")), "another path": asked(of("1"), stands("/cart"))} {
		if len(ops) != 1 || ops[0].Op != "replace" || ops[0].Path != "/spec/rules/1" {
			t.Errorf("%s: it follows by %+v", name, ops)
		}
	}
}
