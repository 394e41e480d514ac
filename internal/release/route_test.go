package release

import "testing"

func TestRouteIs(t *testing.T) {
	own := &Route{Kind: "HTTPRoute", Name: "shop"}
	adopted := func(rule, backends string) *Route {
		return &Route{Kind: "HTTPRoute", Name: "shop", Adopted: &AdoptedRule{Name: rule, Backends: []byte(backends)}}
	}
	for name, tt := range map[string]struct {
		one, other *Route
		want       bool
	}{
		"itself":                     {own, &Route{Kind: "HTTPRoute", Name: "shop"}, true},
		"none":                       {nil, nil, true},
		"one and none":               {own, nil, false},
		"another kind":               {own, &Route{Kind: "GRPCRoute", Name: "shop"}, false},
		"an adopted one":             {own, adopted("", ""), false},
		"whatever it led to":         {adopted("api", "[]"), adopted("api", ""), true},
		"another rule":               {adopted("api", ""), adopted("web", ""), false},
		"the only rule, and another": {adopted("", ""), adopted("web", ""), false},
	} {
		if got := tt.one.Is(tt.other); got != tt.want || tt.other.Is(tt.one) != got {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := adopted("api", "").String(); got != `rule "api" of the HTTPRoute shop` {
		t.Error(got)
	}
	if got := (&RuleError{Cluster: "prod", Namespace: "shop", Route: *own, Reason: "no"}).Error(); got != `the HTTPRoute shop in the namespace shop on cluster "prod" cannot be adopted: no` {
		t.Error(got)
	}
}
