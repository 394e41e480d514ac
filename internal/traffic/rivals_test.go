package traffic_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// TestRivals: who asks for the same, and which of the two serves.
func TestRivals(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	prefix := func(path string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: &path}}
	}
	infra := gatewayv1.ParentReference{Name: "public", Namespace: new(gatewayv1.Namespace("infra"))}
	section := func(name gatewayv1.SectionName) gatewayv1.ParentReference {
		ref := infra
		ref.SectionName = &name
		return ref
	}
	web := func(change ...func(*gatewayv1.HTTPRoute)) *gatewayv1.HTTPRoute {
		r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "web", CreationTimestamp: metav1.NewTime(noon)}}
		r.Spec.ParentRefs, r.Spec.Hostnames = []gatewayv1.ParentReference{infra}, []gatewayv1.Hostname{"api.example.com"}
		r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{prefix("/")}}}
		for _, c := range change {
			c(r)
		}
		return r
	}
	named := func(namespace, name string, labels ...string) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) {
			r.Namespace, r.Name, r.Labels = namespace, name, map[string]string{}
			for i := 0; i < len(labels); i += 2 {
				r.Labels[labels[i]] = labels[i+1]
			}
		}
	}
	hosts := func(names ...gatewayv1.Hostname) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames = names }
	}
	paths := func(of ...string) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules = nil
			for _, path := range of {
				r.Spec.Rules = append(r.Spec.Rules, gatewayv1.HTTPRouteRule{Matches: []gatewayv1.HTTPRouteMatch{prefix(path)}})
			}
		}
	}
	by := func(ref gatewayv1.ParentReference) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { r.Spec.ParentRefs = []gatewayv1.ParentReference{ref} }
	}
	made := func(at time.Time) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { r.CreationTimestamp = metav1.NewTime(at) }
	}
	refused := func(r *gatewayv1.HTTPRoute) {
		r.Status.Parents = []gatewayv1.RouteParentStatus{{ParentRef: infra, Conditions: []metav1.Condition{{Type: "Accepted", Status: "False"}}}}
	}
	ours := []string{release.LabelManagedBy, release.ManagedBy, release.LabelApplication, "api", release.LabelRole, release.RoleMain}
	theirs := []string{release.LabelManagedBy, release.ManagedBy, release.LabelApplication, "web", release.LabelRole, release.RoleMain}
	api := traffic.RouteSpec{Namespace: "shop", Application: "api", Name: "api", Kind: traffic.HTTPRoute, Hostnames: []gatewayv1.Hostname{"api.example.com"}}
	with := func(change func(*traffic.RouteSpec)) traffic.RouteSpec { s := api; change(&s); return s }
	parent := traffic.Parent{Ref: infra, RouteNamespace: "shop", Gateway: public()}
	hidden := traffic.Parent{Ref: infra, RouteNamespace: "shop"}
	https := traffic.Parent{Ref: section("https"), RouteNamespace: "shop"}
	tcp := func(name string, ref gatewayv1.ParentReference) *gatewayv1.TCPRoute {
		r := &gatewayv1.TCPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		r.Spec.ParentRefs = []gatewayv1.ParentReference{ref}
		return r
	}
	mine := web(named("shop", "api", ours...))
	for name, tt := range map[string]struct {
		route  traffic.RouteSpec
		parent traffic.Parent
		others []traffic.Object
		want   string // empty: none
	}{
		"the same, and ours is new": {api, parent, []traffic.Object{web()}, "other/web serves: requests with the path / (PathPrefix) for api.example.com"},
		"of an application of ours": {api, parent, []traffic.Object{web(named("other", "web", theirs...))}, "other/web of the application web serves"},
		"ours is older":             {api, parent, []traffic.Object{mine, web(made(noon.Add(time.Second)))}, "other/web does not serve"},
		"ours is younger":           {api, parent, []traffic.Object{mine, web(made(noon.Add(-time.Second)))}, "other/web serves"},
		"both of one second":        {api, parent, []traffic.Object{mine, web()}, "other/web serves"},
		"ours by a former name":     {api, parent, []traffic.Object{web(named("shop", "was", ours...))}, ""},
		"another path":              {api, parent, []traffic.Object{web(paths("/v1"))}, ""},
		"a slash at its end":        {with(func(s *traffic.RouteSpec) { s.HTTPMatches = []gatewayv1.HTTPRouteMatch{prefix("/v1")} }), parent, []traffic.Object{web(paths("/", "/v1/"))}, "the path /v1 "},
		"one header more": {with(func(s *traffic.RouteSpec) {
			s.HTTPMatches = []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "a", Value: "b"}}}}
		}), parent, []traffic.Object{web()}, ""},
		"another host name":                  {api, parent, []traffic.Object{web(hosts("www.example.com"))}, ""},
		"a wildcard, which is less special":  {api, parent, []traffic.Object{web(hosts("*.example.com"))}, ""},
		"one of two host names":              {api, parent, []traffic.Object{web(hosts("www.example.com", "API.example.com"))}, "for api.example.com"},
		"no host name of its own":            {api, parent, []traffic.Object{web(hosts())}, ""},
		"neither has a host name":            {with(func(s *traffic.RouteSpec) { s.Hostnames = nil }), parent, []traffic.Object{web(hosts())}, "for every host name"},
		"another Gateway":                    {api, parent, []traffic.Object{web(by(gatewayv1.ParentReference{Name: "public"}))}, ""},
		"one that is refused":                {api, parent, []traffic.Object{web(refused)}, ""},
		"a listener that is not ours":        {api, parent, []traffic.Object{web(by(section("https")))}, ""},
		"the listener by its name":           {api, parent, []traffic.Object{web(by(section("web")))}, "other/web serves"},
		"a Gateway that may not be read":     {api, hidden, []traffic.Object{web(by(section("web")))}, "other/web serves"},
		"another listener of such a Gateway": {api, https, []traffic.Object{web(by(section("web")))}, ""},
		"calls":                              {with(func(s *traffic.RouteSpec) { s.Kind = traffic.GRPCRoute }), parent, []traffic.Object{&gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "b"}, Spec: gatewayv1.GRPCRouteSpec{CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{infra}}, Hostnames: api.Hostnames, Rules: []gatewayv1.GRPCRouteRule{{}}}}}, "all calls for api.example.com"},
		"connections of one listener":        {traffic.RouteSpec{Namespace: "shop", Application: "api", Name: "api", Kind: traffic.TCPRoute}, hidden, []traffic.Object{tcp("db", infra)}, "shop/db serves: all connections"},
		"connections of different listeners": {traffic.RouteSpec{Namespace: "shop", Application: "api", Name: "api", Kind: traffic.TCPRoute}, https, []traffic.Object{tcp("db", section("db"))}, ""},
		"our own route, beside nobody":       {api, parent, []traffic.Object{mine}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said []string
			for _, r := range tt.parent.Rivals(tt.route, tt.others) {
				said = append(said, r.String()+map[bool]string{true: " serves: ", false: " does not serve: "}[r.Serves]+r.Shared)
			}
			if got := strings.Join(said, "; "); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || len(said) > 1 {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}
