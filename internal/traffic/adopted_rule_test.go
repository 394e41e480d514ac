package traffic

import (
	"fmt"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// their is a route of somebody else's with rules of these names, each with a backend.
func their(names ...string) *gatewayv1.HTTPRoute {
	route := &gatewayv1.HTTPRoute{}
	for _, name := range names {
		rule := gatewayv1.HTTPRouteRule{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "web"}}}}}
		if name != "" {
			rule.Name = new(gatewayv1.SectionName(name))
		}
		route.Spec.Rules = append(route.Spec.Rules, rule)
	}
	return route
}

// TestPlaceOfRule: a rule is found by its name, wherever it stands, and the only one
// without; the rules of cohorts do not count.
func TestPlaceOfRule(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rule  string
		route *gatewayv1.HTTPRoute
		want  int // -1: refused
		why   string
	}{
		"by its name":               {"api", their("web", "api"), 1, ""},
		"the only one":              {"", their(""), 0, ""},
		"beside a cohort":           {"", their("cohort-shop", ""), 1, ""},
		"beside another's cohort":   {"", their("cohort-web", "api"), 1, ""},
		"called as a cohort is":     {"cohort-web", their("api", "cohort-web"), 1, ""},
		"our cohort is no rule":     {"cohort-shop", their("cohort-shop", "api"), -1, "the route has no rule of that name. Its rules are called: api"},
		"several, and none is said": {"", their("web", ""), -1, "the route has 2 rules. Say by `rule` which one leads to the application; they are called: web, (no name)"},
		"not there":                 {"cart", their("web"), -1, "the route has no rule of that name. Its rules are called: web"},
		"none at all":               {"", their(), -1, "the route has no rules"},
	} {
		s := RouteSpec{Application: "shop", Kind: HTTPRoute, Adopt: true, Rule: tt.rule}
		at, why := s.place(rulesOf(tt.route))
		if at != tt.want || !strings.HasPrefix(why, tt.why) || (why == "") != (tt.why == "") {
			t.Errorf("%s: at %d, %q", name, at, why)
		}
	}
}

func TestRoomForCohort(t *testing.T) {
	t.Parallel()
	s := RouteSpec{Application: "shop", Kind: HTTPRoute, Adopt: true}
	var names []string
	for i := range maxRules - 1 {
		names = append(names, fmt.Sprintf("rule-%d", i))
	}
	if !s.Room(their(names...)) || !s.Room(their(append(names, "cohort-shop")...)) {
		t.Error("there is room for one")
	}
	if s.Room(their(append(names, "last")...)) {
		t.Error("there is no room for one")
	}
}

// TestOwnersRuleIsNoCohort: a rule which is called as the cohort's would be, and leads
// elsewhere, stays its owner's.
func TestOwnersRuleIsNoCohort(t *testing.T) {
	t.Parallel()
	s := RouteSpec{Application: "shop", Kind: HTTPRoute, Adopt: true, Rule: "api"}
	route := their("cohort-shop", "api")
	if taken := s.CohortTaken(route); taken != "cohort-shop" {
		t.Errorf("the name is taken: %q", taken)
	}
	if ops, _ := s.restoring(route, nil); len(ops) > 0 {
		t.Errorf("when it is given back: %+v", ops)
	}
	if ops := s.cohortOps(route, rulesOf(route), 1, release.Split{"shop-1": 100}, nil); len(ops) > 0 {
		t.Errorf("without a cohort: %+v", ops)
	}
	route.Spec.Rules[0].BackendRefs[0].Name = "shop-0123abcd"
	if taken := s.CohortTaken(route); taken != "" {
		t.Errorf("a rule that a run has left is taken for the owner's: %q", taken)
	}
	if ops, _ := s.restoring(route, nil); len(ops) != 1 || ops[0].Op != "remove" {
		t.Errorf("of a rule that a run has left: %+v", ops)
	}
}
