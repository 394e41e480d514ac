package rollout_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// TestCanaryForCohort: the rule by which a cohort gets what is being tried comes and goes
// with the weights, and there is never a second one.
func TestCanaryForCohort(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster, bool){
		"a third version":               cohortOfThird,
		"goes back":                     cohortGoesBack,
		"killed after its rule is made": cohortKilled,
		"ends behind a route":           endsBehindARoute,
		"waits at a gate":               waitsQuietly,
	} {
		for kind, adopts := range map[string]bool{"own": false, "adopted": true} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				test(t, c, adopts)
			})
		}
	}
}

// withCohort is a life behind a route of its own, or behind a rule of somebody else's.
func withCohort(t *testing.T, c *testcluster.Cluster, adopts bool) (*life, *process) {
	t.Helper()
	if adopts {
		return onAdoptedRule(t, c)
	}
	return onRoute(t, c)
}

// letting promotes by shares, with a cohort.
func (p *process) letting(ctx context.Context, version string, canary release.Canary, seen func(string)) (rollout.Promoted, error) {
	route := p.route()
	route.Cohort = []traffic.Header{{Name: "x-canary", Value: "1"}}
	return p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), Route: route, Canary: canary, To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, Progress: seen,
	})
}

// writesRoute says that a request changes the route that is shared.
func writesRoute(r *testcluster.Request) bool {
	return r.Method == http.MethodPatch && strings.Contains(r.Path, "/httproutes/")
}

// does is what the rules of ours do, of the one route that there is: that of the cohort, and
// then the one with the weights, if all is well.
func (l *life) does() string {
	l.t.Helper()
	routes := l.routes(l.t)
	if len(routes) != 1 {
		l.t.Fatalf("there are %d routes", len(routes))
	}
	rules := routes[0].Spec.Rules
	if l.adoptRule { // without the owner's other one
		rules = slices.DeleteFunc(rules, func(r gatewayv1.HTTPRouteRule) bool { return *r.Name == "web" })
	}
	return l.served(rules)
}

// watchRoute tells what the route does now, and after every write to it until it is asked.
func (l *life) watchRoute() (all func() []string) {
	var mu sync.Mutex
	seen := []string{l.does()}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if !writesRoute(r) {
			return testcluster.Fault{}
		}
		return testcluster.Fault{}.BeforeReply(func() {
			mu.Lock()
			defer mu.Unlock()
			if does := l.does(); seen[len(seen)-1] != does {
				seen = append(seen, does)
			}
		})
	})
	return func() []string {
		l.proxy.SetFault(nil)
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

const cohortAtOne = "v2 100, v1 99, v2 1" // its rule, and the weights

// heldAt is a life in which v2 waits with a share, the most that it gets, and v3 is there.
func heldAt(t *testing.T, c *testcluster.Cluster, adopts bool, percent int) (*life, *process) {
	t.Helper()
	l, p := withCohort(t, c, adopts)
	must(t, p.deploy(t.Context(), "v3"))
	held := steps(percent)
	held.MaxWeight = percent
	_, err := p.letting(t.Context(), "v2", held, nil)
	must(t, err)
	return l, p
}

// cohortOfThird: with the weights that are taken back first, the cohort goes back, too.
func cohortOfThird(t *testing.T, c *testcluster.Cluster, adopts bool) {
	l, p := heldAt(t, c, adopts, 1)
	seen := l.watchRoute()
	_, err := p.letting(t.Context(), "v3", steps(20), nil)
	must(t, err)
	if got, want := seen(), []string{cohortAtOne, "v1 100", "v3 100, v1 80, v3 20", "v3 100"}; !slices.Equal(got, want) {
		t.Errorf("the route did %q, want %q", got, want)
	}
	l.wantMain("v3", "v1")
}

// cohortGoesBack in one write, where the release fails with its cohort.
func cohortGoesBack(t *testing.T, c *testcluster.Cluster, adopts bool) {
	l, p := withCohort(t, c, adopts)
	seen := l.watchRoute()
	_, err := p.letting(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 1, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.failReady()
		}
	})
	if err == nil {
		t.Fatal("it succeeds")
	}
	if got, want := seen(), []string{"v1 100", cohortAtOne, "v1 100"}; !slices.Equal(got, want) {
		t.Errorf("the route did %q, want %q", got, want)
	}
	l.wantMain("v1")
}

// cohortKilled: the run that wrote its rule does not know of that. The next one takes it for
// its own, wherever the owner of an adopted route has put it.
func cohortKilled(t *testing.T, c *testcluster.Cluster, adopts bool) {
	l, p := withCohort(t, c, adopts)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 1, Gate: release.GateManual}}, OnAbandon: release.AbandonHold}
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l.proxy.SetFault(l.proxy.DiesAfter(1, writesRoute, kill).Fault)
	if _, err := p.letting(ctx, "v2", canary, nil); err == nil {
		t.Fatal("it was not killed")
	}
	l.proxy.SetFault(nil)
	if does := l.does(); does != cohortAtOne {
		t.Fatalf("when it is killed, the route does %q", does)
	}
	tried := cohortAtOne
	if adopts { // its own rule to the end, and ours behind the other: the API prefers it by its header
		l.moveRule(0, 2)
		l.moveRule(0, 1)
		tried = "v1 99, v2 1, v2 100"
	}
	p = l.process(t)
	done, err := p.letting(t.Context(), "v2", canary, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	if does := l.does(); does != tried {
		t.Errorf("then the route does %q", does)
	}
	l.resume(p)
	l.pointerWaits(p, false)
	seen := l.watchRoute()
	_, err = p.letting(t.Context(), "v2", canary, nil)
	must(t, err)
	if got := seen(); !slices.Equal(got, []string{tried, "v2 100"}) {
		t.Errorf("in the end the route did %q", got)
	}
	l.wantMain("v2", "v1")
}

// moveRule lets the owner of the route put one of its rules somewhere else.
func (l *life) moveRule(from, to int) {
	l.t.Helper()
	patch := fmt.Appendf(nil, `[{"op": "move", "from": "/spec/rules/%d", "path": "/spec/rules/%d"}]`, from, to)
	must(l.t, l.cluster.Client().Discovery().RESTClient().Patch(types.JSONPatchType).
		AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes", "shop").
		Param("fieldManager", "kubectl-edit").Body(patch).Do(l.t.Context()).Error())
}
