package traffic_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Names of releases, by which their mirrors are told from others.
const stable, tried = "api-0000000a", "api-0000000b"

// copying is a gateway's router whose candidate is the release that is tried.
func (a *address) copying(of traffic.RouteKind) *traffic.Gateway {
	filter := &gatewayv1.HTTPHeaderFilter{Remove: []string{"x-debug"}}
	return traffic.NewGateway(a.client, a.client.View(a.namespace), traffic.RouteSpec{
		Namespace: a.namespace, Application: "api", Name: "api", Kind: of, Port: "http", Settle: settle, Candidate: tried,
		Parents:     []gatewayv1.ParentReference{{Name: "public"}, {Name: "private"}},
		HTTPFilters: []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: filter}},
		GRPCFilters: []gatewayv1.GRPCRouteFilter{{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: filter}},
	}, false)
}

// rule is what the route's only rule says, as JSON.
func (a *address) rule() string {
	a.t.Helper()
	spec, _ := a.object()["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	if len(rules) != 1 {
		a.t.Fatalf("it has the rules %v", rules)
	}
	text, err := json.Marshal(rules[0])
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// mirrors says what a Look finds, and compares it with the rule.
func (a *address) mirrors(router traffic.Router, want bool, parts ...string) {
	a.t.Helper()
	seen, err := router.Look(a.t.Context())
	if err != nil || seen.Mirrors != want {
		a.t.Errorf("a look finds copies: %t (%v)", seen.Mirrors, err)
	}
	rule := a.rule()
	if strings.Contains(rule, "requestMirror") != want || !strings.Contains(rule, `"remove":["x-debug"]`) {
		a.t.Errorf("the rule is %s", rule)
	}
	for _, part := range parts {
		if !strings.Contains(rule, part) {
			a.t.Errorf("%s is not in %s", part, rule)
		}
	}
}

// TestMirrors: copies come beside all of the traffic, go with the first share and with a way
// back, and leave filters that are not theirs alone.
func TestMirrors(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for _, of := range []traffic.RouteKind{traffic.HTTPRoute, traffic.GRPCRoute} {
		t.Run(string(of), func(t *testing.T) {
			t.Parallel()
			a := newAddress(t, c, kinds()[string(of)])
			a.has(stable, 1, 8080)
			a.has(tried, 1, 9090)
			all := release.Split{stable: 100}
			router := a.copying(of)
			a.shift(router, all)
			a.mirrors(router, false)
			router.Mirror(20)
			a.shift(router, all)
			a.mirrors(router, true, `"name":"`+tried+`","port":9090},"percent":20`)
			if spec := traffic.RouteSpecOf("api", a.live(router)); len(spec.HTTPFilters)+len(spec.GRPCFilters) != 1 {
				t.Errorf("what a user would have written has the filters %+v, %+v", spec.HTTPFilters, spec.GRPCFilters)
			}
			if ports := traffic.RoutePorts(a.live(router)); ports[tried] != 9090 || ports[stable] != 8080 {
				t.Errorf("its ports are %v", ports)
			}
			if why, err := router.Astray(t.Context(), all); why != "" || err != nil {
				t.Errorf("it is astray: %s (%v)", why, err)
			}
			a.shift(router, release.Split{stable: 90, tried: 10}) // whatever was said of copies
			a.mirrors(router, false)
			again := a.copying(of)
			again.Mirror(100)
			a.shift(again, all)
			a.mirrors(again, true, `"requestMirror":{"backendRef":{"group":"","kind":"Service","name":"`+tried+`","port":9090}}`)
			other := a.copying(of)
			if seen, err := other.Look(t.Context()); err != nil || seen.Leads(traffic.Observed{Split: all, Route: seen.Route}) {
				t.Errorf("it is taken for one without copies (%v)", err)
			}
			again.Returns()
			a.shift(again, all)
			a.mirrors(again, false)
		})
	}
}

// live is the route, typed.
func (a *address) live(router traffic.Router) traffic.Object {
	a.t.Helper()
	seen, err := router.Look(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return seen.Route
}

// TestMirrorOfOldDefinitions: where a cluster does not know the percentage, nothing is
// written in its place. Copies of everything need none.
func TestMirrorOfOldDefinitions(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t)
	c.Routes(t, "httproutes")
	path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io"
	client := c.Client().Discovery().RESTClient()
	testcluster.Eventually(t, testcluster.Hang, "the definition to be changed", func() error { // its status is written meanwhile
		text, err := client.Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(t.Context())
		if err != nil {
			return err
		}
		var definition map[string]any
		if err := json.Unmarshal(text, &definition); err != nil {
			return err
		}
		without(definition, "requestMirror", "percent")
		if text, err = json.Marshal(definition); err != nil {
			return err
		}
		return client.Put().AbsPath(path).SetHeader("Content-Type", "application/json").Body(text).Do(t.Context()).Error()
	})
	a := newAddress(t, c, kinds()["HTTPRoute"])
	a.has(stable, 1, 8080)
	a.has(tried, 1, 9090)
	router, all := a.copying(traffic.HTTPRoute), release.Split{stable: 100}
	a.shift(router, all)
	router.Mirror(20)
	var err error
	testcluster.Eventually(t, testcluster.Hang, "an answer", func() error {
		if _, _, err = router.Shift(t.Context(), all); err == nil {
			return errors.New("there is none")
		}
		return nil
	})
	if !strings.Contains(err.Error(), "requestMirror.percent") {
		t.Errorf("it says %v", err)
	}
	a.mirrors(a.copying(traffic.HTTPRoute), false)
	router.Mirror(100)
	a.shift(router, all)
	a.mirrors(router, true)
}

// without takes a property out of a schema, wherever another one of that name has it.
func without(node any, of, property string) {
	switch n := node.(type) {
	case map[string]any:
		if mirror, is := n[of].(map[string]any); is {
			if properties, is := mirror["properties"].(map[string]any); is {
				delete(properties, property)
				delete(properties, "fraction")
				delete(mirror, "x-kubernetes-validations")
			}
		}
		for _, child := range n {
			without(child, of, property)
		}
	case []any:
		for _, child := range n {
			without(child, of, property)
		}
	}
}

// TestFeaturesOfMirrors: what the class lacks for copies.
func TestFeaturesOfMirrors(t *testing.T) {
	t.Parallel()
	const mirror, percentage = "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"
	for name, tt := range map[string]struct {
		kind     traffic.RouteKind
		percent  int
		features []string
		want     []string
	}{
		"none wanted":         {traffic.HTTPRoute, 0, []string{"HTTPRoute"}, nil},
		"both":                {traffic.HTTPRoute, 20, []string{mirror, percentage}, nil},
		"all":                 {traffic.HTTPRoute, 100, []string{mirror}, nil},
		"no percentage":       {traffic.HTTPRoute, 20, []string{mirror}, []string{"mirror: The GatewayClass traefik does not support " + percentage + ", which the route asks for."}},
		"a class without":     {traffic.HTTPRoute, 100, []string{"HTTPRoute"}, []string{"mirror: The GatewayClass traefik does not support " + mirror + ", which the route asks for."}},
		"a silent class":      {traffic.HTTPRoute, 100, nil, []string{"mirror? The GatewayClass traefik does not say what it supports. Whether it has " + mirror + " is seen when traffic arrives."}},
		"there is no name of": {traffic.GRPCRoute, 20, []string{"GRPCRoute"}, nil},
	} {
		class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "traefik"}}
		for _, feature := range tt.features {
			class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: gatewayv1.FeatureName(feature)})
		}
		var said []string
		for _, f := range (traffic.Parent{Gateway: public(), Class: class}).Faults(traffic.RouteSpec{Namespace: "shop", Kind: tt.kind, Mirror: tt.percent}) {
			said = append(said, f.Field+map[bool]string{true: "? ", false: ": "}[f.Doubt]+f.Reason)
		}
		if !slices.Equal(said, tt.want) {
			t.Errorf("%s: it says %q, want %q", name, said, tt.want)
		}
	}
}
