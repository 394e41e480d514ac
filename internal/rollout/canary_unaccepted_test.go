package rollout_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// impatient is an engine that does not wait long for a data plane: all of it is waited for.
func impatient() *rollout.Engine {
	timing := faultyTiming()
	timing.Settle = 10 * time.Second
	return rollout.New(timing)
}

// leading are the releases to which a route leads.
func leading(route map[string]any) (names []string) {
	rules := route["spec"].(map[string]any)["rules"].([]any)
	for _, ref := range rules[0].(map[string]any)["backendRefs"].([]any) {
		names = append(names, ref.(map[string]any)["name"].(string))
	}
	return names
}

// oneParentDoesNot accept the share, and the other one does: it is not in effect. The error
// says who has not, and all of the traffic goes back on both.
func oneParentDoesNot(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	p.engine = impatient()
	route := p.route()
	route.Parents = append(route.Parents, gatewayv1.ParentReference{Name: "internal"})
	promote := func(version string) (rollout.Promoted, error) {
		return p.engine.Promote(t.Context(), rollout.PromoteRequest{
			Service: p.service(), Route: route, Canary: steps(10), To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		})
	}
	_, err := promote("v1")
	must(t, err)
	internal := "Gateway " + l.namespace + "/internal"
	for _, tt := range []struct {
		name, tells string
		says        func(route map[string]any) []map[string]any // of a route that is shared
	}{
		{"it refuses the share", internal + " (example.com/data-plane) says Accepted=False, NotAllowedByListeners: not here", func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", false, "NotAllowedByListeners", "not here")}
		}},
		{"it finds no backend", internal + " (example.com/data-plane) says ResolvedRefs=False, BackendNotFound: no such Service", func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", true, "Accepted", ""), testcluster.Condition(route, "ResolvedRefs", false, "BackendNotFound", "no such Service")}
		}},
		{"it says nothing of the share", internal + " says nothing about it", func(map[string]any) []map[string]any { return nil }},
	} {
		plane.SayOf(t, "internal", func(route map[string]any) []map[string]any {
			if len(leading(route)) > 1 {
				return tt.says(route)
			}
			return testcluster.Accepting(route)
		})
		done, err := promote("v2")
		if err == nil || done.Status != release.MainRolledBack || done.Moved {
			t.Fatalf("%s: it ends as %s: %v", tt.name, done.Status, err)
		}
		if text := err.Error(); !strings.Contains(text, "could not be made to lead to "+l.name("v1")+" 90%, "+l.name("v2")+" 10%: ") || !strings.Contains(text, tt.tells) || strings.Contains(text, "/public") {
			t.Errorf("%s: it says %s", tt.name, text)
		}
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		l.wantMain("v1")
	}
	plane.SayOf(t, "internal", testcluster.Accepting)
	_, err = promote("v2")
	must(t, err)
	l.wantMain("v2", "v1")
}

// allIsNeverInEffect: until the data plane has done what gives the new release everything,
// the former one is main and has its pods, also where only the promotion keeps it.
func allIsNeverInEffect(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	p.engine = impatient()
	if err := p.terminate(t.Context(), "v1"); err == nil {
		t.Fatal("what is main is removed")
	}
	pods := l.pods("v1")
	promote := func() (rollout.Promoted, error) {
		return p.engine.Promote(t.Context(), rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), Canary: steps(50), To: p.name("v2"), Owner: p.main, Drain: faultyDrain, Clusters: p.on,
		})
	}
	for _, tt := range []struct {
		name  string
		never bool // does it listen again
		ends  release.MainStatus
	}{
		{"it goes back", false, release.MainRolledBack},
		{"nor is the way back", true, release.MainFailed},
	} {
		var stuck atomic.Bool
		plane.Say(t, func(route map[string]any) []map[string]any {
			whole := slices.Equal(leading(route), []string{l.name("v2")})
			if whole {
				stuck.Store(true)
			}
			if whole || tt.never && stuck.Load() {
				return deaf(route)
			}
			return testcluster.Accepting(route)
		})
		done, err := promote()
		if err == nil || done.Status != tt.ends || done.Moved {
			t.Fatalf("%s: it ends as %s: %v", tt.name, done.Status, err)
		}
		text := err.Error()
		if !strings.Contains(text, "could not be made to lead to "+l.name("v2")+": ") || !strings.Contains(text, "Pending: it has not come to it") {
			t.Errorf("%s: it says %s", tt.name, text)
		}
		if tt.never && !strings.Contains(text, "going back failed too; the next apply continues from here") {
			t.Errorf("of the way back, it says %s", text)
		}
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		if main := p.look().Main; main == nil || main.Deployment != l.name("v1") {
			t.Errorf("%s: main is %+v", tt.name, main)
		}
		if now := l.pods("v1"); !slices.Equal(now, pods) {
			t.Errorf("%s: its pods were %v, and are %v", tt.name, pods, now)
		}
	}
	plane.Say(t, testcluster.Accepting)
	_, err := promote()
	must(t, err)
	l.wantMain("v2", "v1")
	l.isGone("v1")
}
