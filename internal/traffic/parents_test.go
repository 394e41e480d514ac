package traffic_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// public is a Gateway with a listener for *.example.com that takes routes of all
// namespaces.
func public(change ...func(*gatewayv1.Listener)) *gatewayv1.Gateway {
	listener := gatewayv1.Listener{
		Name: "web", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: new(gatewayv1.Hostname("*.example.com")),
		AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}},
	}
	for _, c := range change {
		c(&listener)
	}
	return &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "public"}, Spec: gatewayv1.GatewaySpec{GatewayClassName: "traefik", Listeners: []gatewayv1.Listener{listener}}}
}

// TestFaultsOfParents: what a Gateway has against a route, and nothing where it has not.
func TestFaultsOfParents(t *testing.T) {
	t.Parallel()
	api := traffic.RouteSpec{Namespace: "shop", Kind: traffic.HTTPRoute, Hostnames: []gatewayv1.Hostname{"api.example.com"}}
	hosts := func(names ...gatewayv1.Hostname) traffic.RouteSpec {
		s := api
		s.Hostnames = names
		return s
	}
	tcp, grpc, query := api, api, api
	tcp.Kind, grpc.Kind = traffic.TCPRoute, traffic.GRPCRoute
	query.HTTPMatches = []gatewayv1.HTTPRouteMatch{{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "a", Value: "b"}}}}
	filtered := api
	filtered.HTTPFilters = []gatewayv1.HTTPRouteFilter{
		{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Remove: []string{"x-a"}}},
		{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: &gatewayv1.HTTPURLRewriteFilter{Path: &gatewayv1.HTTPPathModifier{}}},
	}
	from := func(where gatewayv1.FromNamespaces, labels ...string) func(*gatewayv1.Listener) {
		return func(l *gatewayv1.Listener) {
			l.AllowedRoutes.Namespaces = &gatewayv1.RouteNamespaces{From: &where}
			if len(labels) > 0 {
				l.AllowedRoutes.Namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{labels[0]: labels[1]}}
			}
		}
	}
	class := func(accepted metav1.ConditionStatus, features ...string) *gatewayv1.GatewayClass {
		c := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "traefik"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/traefik"}}
		c.Status.Conditions = []metav1.Condition{{Type: "Accepted", Status: accepted}}
		for _, f := range features {
			c.Status.SupportedFeatures = append(c.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: gatewayv1.FeatureName(f)})
		}
		return c
	}
	named := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}}
	for name, tt := range map[string]struct {
		route  traffic.RouteSpec
		parent traffic.Parent
		want   string // parts of what is said, "; " between them; empty: nothing
	}{
		"it serves the route":                     {api, traffic.Parent{Gateway: public()}, ""},
		"and one without host names":              {hosts(), traffic.Parent{Gateway: public()}, ""},
		"and calls":                               {grpc, traffic.Parent{Gateway: public()}, ""},
		"a wildcard within its wildcard":          {hosts("*.api.example.com"), traffic.Parent{Gateway: public()}, ""},
		"more labels than one below it":           {hosts("a.b.example.com"), traffic.Parent{Gateway: public()}, ""},
		"one of two host names":                   {hosts("api.example.org", "api.example.com"), traffic.Parent{Gateway: public()}, ""},
		"another host name":                       {hosts("api.example.org"), traffic.Parent{Gateway: public()}, "hostnames: The Gateway infra/public has no listener for any of these host names"},
		"the wildcard's own domain":               {hosts("example.com"), traffic.Parent{Gateway: public()}, "hostnames: "},
		"another kind":                            {tcp, traffic.Parent{Gateway: public()}, "parents: The Gateway infra/public has no listener for a TCPRoute"},
		"a section that is not there":             {api, traffic.Parent{Gateway: public(), Ref: gatewayv1.ParentReference{SectionName: new(gatewayv1.SectionName("https"))}}, `sectionName: The Gateway infra/public has no listener "https". Its listeners are "web" (HTTP, port 80, *.example.com)`},
		"a port that is not there":                {api, traffic.Parent{Gateway: public(), Ref: gatewayv1.ParentReference{Port: new(int32(443))}}, "port: The Gateway infra/public has no listener on port 443."},
		"a port of another section":               {api, traffic.Parent{Gateway: public(), Ref: gatewayv1.ParentReference{SectionName: new(gatewayv1.SectionName("web")), Port: new(int32(443))}}, `port: The Gateway infra/public has no listener "web" on port 443.`},
		"its own namespace only":                  {api, traffic.Parent{Gateway: public(from(gatewayv1.NamespacesFromSame))}, "parents: The Gateway infra/public takes no routes of the namespace shop"},
		"by default, too":                         {api, traffic.Parent{Gateway: public(func(l *gatewayv1.Listener) { l.AllowedRoutes = nil })}, "takes no routes of the namespace shop"},
		"namespaces with a label":                 {api, traffic.Parent{Gateway: public(from(gatewayv1.NamespacesFromSelector, "team", "shop")), Namespace: named}, ""},
		"and not with another":                    {api, traffic.Parent{Gateway: public(from(gatewayv1.NamespacesFromSelector, "team", "web")), Namespace: named}, "takes no routes"},
		"a namespace that cannot be seen":         {api, traffic.Parent{Gateway: public(from(gatewayv1.NamespacesFromSelector, "team", "web"))}, ""},
		"a class that nobody accepts":             {api, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionFalse)}, "parents: The Gateway infra/public has the class traefik, which its controller does not accept"},
		"a class that nobody has accepted so far": {api, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionUnknown)}, "parents? The Gateway infra/public has the class traefik, which no controller has accepted so far. Unless example.com/traefik is about to start"},
		"a class that is not there":               {api, traffic.Parent{Gateway: public(), Classless: true}, "parents? The Gateway infra/public has the class traefik, which is not there"},
		"what its class has":                      {query, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue, "HTTPRouteQueryParamMatching")}, ""},
		"what its class lacks":                    {query, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue, "HTTPRoute")}, "matches: The GatewayClass traefik does not support HTTPRouteQueryParamMatching"},
		"a class that does not say":               {query, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue)}, "matches? The GatewayClass traefik does not say what it supports"},
		"filters that its class has":              {filtered, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue, "HTTPRoutePathRewrite")}, ""},
		"a filter that its class lacks":           {filtered, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue, "HTTPRouteHostRewrite")}, "filters: The GatewayClass traefik does not support HTTPRoutePathRewrite"},
		"filters of a silent class":               {filtered, traffic.Parent{Gateway: public(), Class: class(metav1.ConditionTrue)}, "filters? The GatewayClass traefik does not say what it supports"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said []string
			for _, f := range tt.parent.Faults(tt.route) {
				said = append(said, f.Field+map[bool]string{true: "? ", false: ": "}[f.Doubt]+f.Reason)
			}
			if got := strings.Join(said, "; "); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || len(said) > 1 {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}
