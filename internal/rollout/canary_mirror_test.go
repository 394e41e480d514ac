package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestMirror: before its first share, a release gets copies of requests.
func TestMirror(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"comes before the first share": mirrorsFirst,
		"waits, and goes on":           mirrorWaits,
		"fails with copies":            failsWithCopies,
		"is called off":                mirrorIsCalledOff,
		"somebody goes back":           backFromCopies,
		"another version":              anotherInsteadOfCopies,
		"killed, and goes on":          killedWithCopies,
		"is taken away by hand":        mirrorByHand,
		"pods for copies":              podsForCopies,
		"too few pods for copies":      tooFewForCopies,
		"the release is destroyed":     destroyedWithCopies,
		"the address is taken away":    endsWithCopies,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// mirroring is a canary that copies so many percent of the requests until somebody lets it
// go on, and then gives shares.
func mirroring(percent int, shares ...int) release.Canary {
	c := steps(shares...)
	c.Mirror = &release.CanaryMirror{Percent: percent, Gate: release.GateManual}
	return c
}

// copying is one that lasts until the test ends it.
func copying() release.Canary {
	c := steps(10)
	c.Mirror = &release.CanaryMirror{Percent: 20, Pause: longBake}
	return c
}

// served is what a route's rules do, as text: filters, and whom they lead to.
func (l *life) served(rules []gatewayv1.HTTPRouteRule) string {
	var does []string
	for _, rule := range rules {
		for _, f := range rule.Filters {
			switch {
			case f.RequestMirror != nil && f.RequestMirror.Percent != nil:
				does = append(does, fmt.Sprintf("%d%% copied to %s:%d", *f.RequestMirror.Percent, l.version(string(f.RequestMirror.BackendRef.Name)), *f.RequestMirror.BackendRef.Port))
			default:
				does = append(does, string(f.Type))
			}
		}
		var shares []string
		for _, ref := range rule.BackendRefs {
			shares = append(shares, fmt.Sprintf("%s %d", l.version(string(ref.Name)), *ref.Weight))
		}
		slices.Sort(shares) // the API's order is that of the names
		does = append(does, shares...)
	}
	return strings.Join(does, ", ")
}

// written is what the route was made to do, one after another.
func (l *life) written() (all []string) {
	l.t.Helper()
	for _, r := range l.proxy.Writes() {
		if !strings.Contains(r.Path, "/httproutes/") || r.Status/100 != 2 || !strings.Contains(string(r.Body), `"backendRefs"`) {
			continue
		}
		var route gatewayv1.HTTPRoute
		must(l.t, json.Unmarshal(r.Body, &route))
		if does := l.served(route.Spec.Rules); len(all) == 0 || all[len(all)-1] != does {
			all = append(all, does)
		}
	}
	return all
}

// wantServed fails the test unless the route does just that.
func (l *life) wantServed(want string) {
	l.t.Helper()
	if routes := l.routes(l.t); len(routes) != 1 || l.served(routes[0].Spec.Rules) != want {
		l.t.Errorf("the route does %q, want %q", l.served(routes[0].Spec.Rules), want)
	}
}

// mirrorsFirst: with copies, the stable side answers everything, also the Service; with the
// first share they are gone. The user's own filters stay.
func mirrorsFirst(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	route := p.route()
	route.HTTPFilters = []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Remove: []string{"x-debug"}}}}
	canary := steps(10, 50)
	canary.Mirror = &release.CanaryMirror{Percent: 20, Pause: 50 * time.Millisecond}
	l.proxy.Reset()
	var lines []string
	done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: route, Canary: canary, To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		Progress: func(line string) { lines = append(lines, line) },
	})
	if must(t, err); done.Status != release.MainFinalized || !done.Moved {
		t.Errorf("it ends as %s", done.Status)
	}
	own := "RequestHeaderModifier, "
	if got, want := l.written(), []string{own + "20% copied to v2:8080, v1 100", own + "v1 90, v2 10", own + "v1 50, v2 50", own + "v2 100"}; !slices.Equal(got, want) {
		t.Errorf("the route was made to do %q\nwant %q", got, want)
	}
	if says := fmt.Sprintf("prod: sending copies of 20 %% of the requests to %s, while %s answers all of them", l.name("v2"), l.name("v1")); !slices.Contains(lines, says) {
		t.Errorf("it says %q, want %q", lines, says)
	}
	l.wantServed(own + "v2 100")
	l.wantMain("v2", "v1")
}

// mirrorWaits: it is paused as at any other gate, with nobody's traffic moved.
func mirrorWaits(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	for range 2 { // as often as nobody has said anything
		done, err := p.sharing(t.Context(), "v2", mirroring(20, 10), nil)
		if must(t, err); done.Status != release.MainPaused || done.Moved || !strings.HasPrefix(done.Reason, l.name("v2")+" gets copies of 20 % of the requests until somebody lets it go on") {
			t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
		}
		l.wantServed("20% copied to v2:8080, v1 100")
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		p = l.process(t)
	}
	l.pointerWaits(p, true)
	if spec := p.look().RouteSpec(l.namespace, "api"); len(spec.HTTPFilters) > 0 {
		t.Errorf("an import finds the filters %+v", spec.HTTPFilters)
	}
	said, _, err := p.lets(p.name("v2"))
	if must(t, err); len(said) != 1 || !strings.Contains(said[0], "gets copies of 20 % of the requests, and goes on from its pause: the next apply gives it 10 % of the traffic") {
		t.Errorf("it says %q", said)
	}
	l.pointerWaits(p, false)
	l.proxy.Reset()
	done, err := p.sharing(t.Context(), "v2", mirroring(20, 10), nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	if got := l.written(); !slices.Equal(got, []string{"20% copied to v2:8080, v1 100", "v1 90, v2 10", "v2 100"}) {
		t.Errorf("when it goes on, the route was made to do %q", got)
	}
	l.wantMain("v2", "v1")
}

// failsWithCopies: what does not do its work gets no more copies, nor a share, and is not
// tried again unasked.
func failsWithCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	done, err := p.sharing(t.Context(), "v2", copying(), func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.failReady()
		}
	})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || breach.Copies != 20 || done.Status != release.MainRolledBack || !strings.Contains(err.Error(), "had had copies of 20 % of the requests on cluster") {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantServed("v1 100")
	l.wantMain("v1")
	_, err = p.sharing(t.Context(), "v2", copying(), nil)
	var refused *release.TakenBackError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "had copies of 20 % of the requests already and did not do its work with it") {
		t.Errorf("the next run says %v", err)
	}
}

// mirrorIsCalledOff: a Ctrl-C ends the copies in one write.
func mirrorIsCalledOff(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	done, err := p.sharing(ctx, "v2", copying(), func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.proxy.Reset()
			interrupt()
		}
	})
	if err == nil || done.Status != release.MainRollingBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if got := l.written(); !slices.Equal(got, []string{"v1 100"}) {
		t.Errorf("the route was made to do %q", got)
	}
	_, err = l.process(t).sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantServed("v1 100")
	l.wantMain("v1")
}

// backFromCopies: who goes back without a configuration ends the copies, too.
func backFromCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.paused(p, mirroring(20, 10))
	p = l.process(t)
	must(t, p.goesBack(t.Context()))
	l.wantServed("v1 100")
	_, err := p.sharing(t.Context(), "v2", mirroring(20, 10), nil)
	if err == nil || !strings.Contains(err.Error(), "had copies of 20 % of the requests already, and") {
		t.Errorf("the next run says %v", err)
	}
}

// anotherInsteadOfCopies: the copies of one end, before another one gets any.
func anotherInsteadOfCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	must(t, p.deploy(t.Context(), "v3"))
	l.paused(p, mirroring(20, 10))
	p = l.process(t)
	l.proxy.Reset()
	canary := mirroring(30, 10)
	canary.Mirror.Gate, canary.Mirror.Pause = "", canary.Steps[0].Pause
	_, err := p.sharing(t.Context(), "v3", canary, nil)
	must(t, err)
	if got := l.written(); !slices.Equal(got, []string{"v1 100", "30% copied to v3:8080, v1 100", "v1 90, v3 10", "v3 100"}) {
		t.Errorf("the route was made to do %q", got)
	}
	l.wantMain("v3", "v1")
}

// killedWithCopies: a killed run leaves copies, which the next one ends first, or keeps.
func killedWithCopies(t *testing.T, c *testcluster.Cluster) {
	for policy, want := range map[release.AbandonPolicy][]string{
		release.AbandonStable: {"v1 100", "20% copied to v2:8080, v1 100", "v1 90, v2 10", "v2 100"},
		release.AbandonHold:   {"20% copied to v2:8080, v1 100", "v1 90, v2 10", "v2 100"},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			l, p := onRoute(t, c)
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			_, _ = p.sharing(ctx, "v2", copying(), func(line string) {
				if strings.HasPrefix(line, "watching") {
					l.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.ConnectionReset() })
					kill()
				}
			})
			l.proxy.SetFault(nil)
			p = l.process(t)
			l.wantServed("20% copied to v2:8080, v1 100")
			l.proxy.Reset()
			canary := copying()
			canary.OnAbandon, canary.Mirror.Pause = policy, canary.Steps[0].Pause
			_, err := p.sharing(t.Context(), "v2", canary, nil)
			must(t, err)
			if got := l.written(); !slices.Equal(got, want) {
				t.Errorf("the route was made to do %q\nwant %q", got, want)
			}
			l.wantMain("v2", "v1")
		})
	}
}

// mirrorByHand: whoever ends the copies by hand is found out while they are watched; in a
// pause that nobody watches, the next run sends them again.
func mirrorByHand(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	byHand := func() {
		client := l.cluster.Client().Discovery().RESTClient()
		path := fmt.Sprintf("/apis/gateway.networking.k8s.io/v1/namespaces/%s/httproutes/api", l.namespace)
		must(t, client.Patch(types.JSONPatchType).AbsPath(path).Param("fieldManager", "kubectl-edit").Body([]byte(`[{"op": "remove", "path": "/spec/rules/0/filters"}]`)).Do(t.Context()).Error())
	}
	l.paused(p, mirroring(20, 10))
	byHand()
	p = l.process(t)
	done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: mirroring(20, 10), To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
	})
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	l.wantServed("20% copied to v2:8080, v1 100")
	l.resume(p)
	l.pointerWaits(p, false)
	must(t, p.goesBack(t.Context()))
	_, err = p.sharing(t.Context(), "v3", copying(), nil)
	if err == nil {
		t.Error("what is not there is tried")
	}
	must(t, p.deploy(t.Context(), "v3"))
	_, err = p.sharing(t.Context(), "v3", copying(), func(line string) {
		if strings.HasPrefix(line, "watching") {
			byHand()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "/api gave no copies") {
		t.Errorf("where it is watched, it says %v", err)
	}
	l.wantServed("v1 100")
}

// podsForCopies: with scale_with_weight, a release has what the copies take, ready before
// they come, and no less when it gets a smaller share.
func podsForCopies(t *testing.T, c *testcluster.Cluster) {
	canary := mirroring(60, 20)
	canary.Scales = true
	l, p := onScaledRoute(t, c, 5, canary)
	l.wantPods(p, "v2", 3, 5)
	l.paused(p, canary)
	l.wantPods(p, "v2", 3, 5)
	p = l.process(t)
	l.resume(p)
	l.pointerWaits(p, false)
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	l.wantPods(p, "v2", 5, 5)
	l.wantMain("v2", "v1")
}

func tooFewForCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := mirroring(20, 10)
	canary.Mirror.Replicas = 2
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	if err == nil || !strings.Contains(err.Error(), "1 of its pods is ready, and copies of 20 % of the requests take 2") || !strings.Contains(err.Error(), "canary.mirror.replicas") || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.wantServed("v1 100")
	l.wantMain("v1")
}

// destroyedWithCopies: what gets copies keeps its pods until they end.
func destroyedWithCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.paused(p, mirroring(20, 10))
	p = l.process(t)
	if err := p.terminate(t.Context(), "v2"); err == nil || !strings.Contains(err.Error(), "still carries traffic") {
		t.Errorf("while it gets copies, v2 ends: %v", err)
	}
	if d := l.workload("v2"); *d.Spec.Replicas == 0 {
		t.Error("its pods are gone")
	}
	_, err := p.sharing(t.Context(), "v1", mirroring(20, 10), nil)
	must(t, err)
	l.wantServed("v1 100")
	if _, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(t.Context(), l.name("v2"), metav1.GetOptions{}); err == nil {
		t.Error("when the copies have ended, v2 is still there")
	}
}

func endsWithCopies(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.paused(p, mirroring(20, 10))
	must(t, p.unmain(t.Context()))
	l.wantNo("the route", &gatewayv1.HTTPRoute{})
}
