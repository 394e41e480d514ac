package traffic

import (
	"maps"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func routeSpec(kind RouteKind) RouteSpec {
	return RouteSpec{
		Namespace: "shop", Application: "web", Name: "web", Kind: kind, Port: "http",
		Parents: []gatewayv1.ParentReference{{Name: "public", Namespace: new(gatewayv1.Namespace("infra"))}},
	}
}

// TestRouteSplitIsWhatIsWritten: what is asked for is what is read again, with every
// kind and every split of two releases.
func TestRouteSplitIsWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, kind := range RouteKinds() {
		for percent := 1; percent <= 100; percent++ {
			want := release.Split{"web-1": percent}
			if percent < 100 {
				want["web-2"] = 100 - percent
			}
			route := routeSpec(kind).Object(want, map[string]int32{"web-1": 8080, "web-2": 9090})
			if got := RouteSplit(route); !maps.Equal(got, want) {
				t.Errorf("%s: %v is read as %v", kind, want, got)
			}
			if err := release.Foreign("default", string(kind), route, "web"); err != nil {
				t.Error(err)
			}
			for _, ref := range weightsOf(route)[0] {
				if want := map[gatewayv1.ObjectName]int32{"web-1": 8080, "web-2": 9090}[ref.Name]; *ref.Port != want {
					t.Errorf("%s: port %d of %s", kind, *ref.Port, ref.Name)
				}
			}
		}
	}
}

func TestRouteSplitOfSomebodysWeights(t *testing.T) {
	t.Parallel()
	ref := func(name string, weight *int32) gatewayv1.HTTPBackendRef {
		return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name)}, Weight: weight}}
	}
	elsewhere := ref("web-2", new(int32(1)))
	elsewhere.Namespace = new(gatewayv1.Namespace("other"))
	rule := func(refs ...gatewayv1.HTTPBackendRef) gatewayv1.HTTPRouteRule {
		return gatewayv1.HTTPRouteRule{BackendRefs: refs}
	}
	for name, c := range map[string]struct {
		rules []gatewayv1.HTTPRouteRule
		want  release.Split
	}{
		"no rule":              {nil, release.Split{}},
		"nobody":               {[]gatewayv1.HTTPRouteRule{rule()}, release.Split{}},
		"no weights":           {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", nil), ref("web-2", nil))}, release.Split{"web-1": 50, "web-2": 50}},
		"other sums":           {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(1))), ref("web-2", new(int32(2))))}, release.Split{"web-1": 33, "web-2": 67}},
		"next to nothing":      {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(1))), ref("web-2", new(int32(999999))))}, release.Split{"web-1": 1, "web-2": 99}},
		"nothing":              {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(0))), ref("web-2", new(int32(7))))}, release.Split{"web-2": 100}},
		"nothing for everyone": {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(0))))}, release.Split{}},
		"one twice":            {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(1))), ref("web-1", new(int32(1))), ref("web-2", new(int32(2))))}, release.Split{"web-1": 50, "web-2": 50}},
		"elsewhere":            {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", new(int32(1))), elsewhere)}, release.Split{}},
		"another rule":         {[]gatewayv1.HTTPRouteRule{rule(ref("web-1", nil)), rule(ref("web-1", nil))}, release.Split{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: gatewayv1.HTTPRouteSpec{Rules: c.rules}}
			if got := RouteSplit(route); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestPercents: they make a hundred, nobody who gets something has none, and none is
// more than one off its share, but for those.
func TestPercents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights, sum := map[string]int64{}, int64(0)
		for i := range rapid.IntRange(1, 5).Draw(t, "backends") {
			w := int64(rapid.IntRange(0, 1_000_000).Draw(t, "weight"))
			if i == 0 {
				w++ // somebody gets something
			}
			weights[string(rune('a'+i))] = w
			sum += w
		}
		split, total := percents(weights, sum), 0
		for name, weight := range weights {
			got, share := split[name], int(100*weight/sum)
			total += got
			if weight > 0 && got == 0 || weight == 0 && got != 0 || share >= 5 && (got < share-4 || got > share+1) {
				t.Fatalf("%v: %s has %d", weights, name, got)
			}
		}
		if total != 100 {
			t.Fatalf("%v: %v makes %d", weights, split, total)
		}
	})
}

func TestUnaccepted(t *testing.T) {
	t.Parallel()
	const now = 7
	condition := func(kind gatewayv1.RouteConditionType, status metav1.ConditionStatus, generation int64, reason string) metav1.Condition {
		return metav1.Condition{Type: string(kind), Status: status, ObservedGeneration: generation, Reason: reason, Message: "so it is"}
	}
	accepted, resolved := condition("Accepted", "True", now, "Accepted"), condition("ResolvedRefs", "True", now, "ResolvedRefs")
	public, private := gatewayv1.ParentReference{Name: "public"}, gatewayv1.ParentReference{Name: "private", SectionName: new(gatewayv1.SectionName("https"))}
	spelled := gatewayv1.ParentReference{
		Name: "public", Group: new(gatewayv1.Group("gateway.networking.k8s.io")), Kind: new(gatewayv1.Kind("Gateway")), Namespace: new(gatewayv1.Namespace("shop")),
	}
	mesh := gatewayv1.ParentReference{Name: "web", Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Port: new(gatewayv1.PortNumber(80))}
	by := func(ref gatewayv1.ParentReference, conditions ...metav1.Condition) gatewayv1.RouteParentStatus {
		return gatewayv1.RouteParentStatus{ParentRef: ref, ControllerName: "example.com/c", Conditions: conditions}
	}
	for name, c := range map[string]struct {
		parents []gatewayv1.ParentReference
		said    []gatewayv1.RouteParentStatus
		want    string // a part of it; empty: accepted
	}{
		"accepted":              {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted, resolved)}, ""},
		"spelled out":           {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(spelled, accepted, resolved)}, ""},
		"no word of backends":   {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted)}, ""},
		"a mesh":                {[]gatewayv1.ParentReference{mesh}, []gatewayv1.RouteParentStatus{by(mesh, accepted, resolved)}, ""},
		"a Gateway of its name": {[]gatewayv1.ParentReference{mesh}, []gatewayv1.RouteParentStatus{by(gatewayv1.ParentReference{Name: "web", Port: mesh.Port}, accepted, resolved)}, "Service shop/web, port 80 says nothing about it"},
		"the mesh does not":     {[]gatewayv1.ParentReference{public, mesh}, []gatewayv1.RouteParentStatus{by(public, accepted, resolved), by(mesh, condition("Accepted", "False", now, "NoMatchingParent"))}, "Service shop/web, port 80 (example.com/c) says Accepted=False, NoMatchingParent"},
		"by both":               {[]gatewayv1.ParentReference{public, private}, []gatewayv1.RouteParentStatus{by(private, accepted, resolved), by(public, accepted, resolved)}, ""},
		"no parent":             {nil, nil, "no parent"},
		"nobody looks":          {[]gatewayv1.ParentReference{public}, nil, "Gateway shop/public says nothing about it"},
		"another section":       {[]gatewayv1.ParentReference{private}, []gatewayv1.RouteParentStatus{by(gatewayv1.ParentReference{Name: "private"}, accepted)}, `Gateway shop/private, section "https" says nothing`},
		"one of two":            {[]gatewayv1.ParentReference{public, private}, []gatewayv1.RouteParentStatus{by(public, accepted, resolved)}, `section "https" says nothing`},
		"two controllers":       {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted), by(public, condition("Accepted", "False", now, "NoMatchingParent"))}, "Accepted=False, NoMatchingParent: so it is"},
		"undecided":             {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, resolved)}, "has not decided"},
		"an older generation":   {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, condition("Accepted", "True", now-1, ""))}, "has seen generation 6 of it, not 7"},
		"backends of an older":  {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted, condition("ResolvedRefs", "True", now-1, ""))}, "has seen generation 6"},
		"no generation":         {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, condition("Accepted", "True", 0, ""))}, "does not say which generation"},
		"no backend":            {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted, condition("ResolvedRefs", "False", now, "BackendNotFound"))}, "ResolvedRefs=False, BackendNotFound"},
		"in part":               {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted, condition("PartiallyInvalid", "True", now, "UnsupportedValue"))}, "PartiallyInvalid=True, UnsupportedValue"},
		"whole":                 {[]gatewayv1.ParentReference{public}, []gatewayv1.RouteParentStatus{by(public, accepted, condition("PartiallyInvalid", "False", now, ""))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Generation: now}}
			route.Spec.ParentRefs, route.Status.Parents = c.parents, c.said
			if got := Unaccepted(route); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}
