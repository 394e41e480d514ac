package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// killedShares is a promotion by shares from v1 to v2 that is killed.
type killedShares struct {
	scales  bool // v2 has only the pods that its share takes
	fails   bool // v2 does not do its work with half of the traffic
	adopts  bool // the route is somebody else's
	scaled  bool // autoscalers decide
	mirrors bool // v2 gets copies first
	loses   bool // v1 loses half of its pods, which come back when it has half of the traffic
	removed bool // v2 is removed where it fails; else it is stopped
	writes  int
	then    []afterShares // take turns
}

// afterShares is what follows a promotion by shares that was killed.
type afterShares struct {
	next      string // what the next run asks for
	onAbandon release.AbandonPolicy
}

// TestSharesKilledAfterEveryWrite kills a promotion by shares when a write is done that
// it does not know of. Whatever the next run asks for, it ends where an undisturbed one
// would have, with nothing left of the other.
func TestSharesKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	again, on, back := afterShares{next: "v2"}, afterShares{"v2", release.AbandonHold}, afterShares{next: "v1"}
	for name, of := range map[string]killedShares{
		"by a route of its own":  {writes: 12, then: []afterShares{again, on, back}},
		"where it fails":         {fails: true, writes: 17, then: []afterShares{again, back}},
		"fails, and is removed":  {fails: true, removed: true, writes: 18, then: []afterShares{again}},
		"while it scales":        {scales: true, writes: 14, then: []afterShares{again, on, back}},
		"by an adopted rule":     {adopts: true, writes: 12, then: []afterShares{again}},
		"with autoscalers":       {scales: true, scaled: true, writes: 20, then: []afterShares{again, on, back}},
		"autoscalers, and fails": {scales: true, scaled: true, fails: true, writes: 22, then: []afterShares{again}},
		"autoscalers, all pods":  {scaled: true, writes: 18, then: []afterShares{again, on, back}},
		"beside lost pods":       {fails: true, loses: true, writes: 18, then: []afterShares{again, back}},
		"beside pods taken away": {fails: true, loses: true, scaled: true, writes: 23, then: []afterShares{again}},
		"with copies":            {mirrors: true, writes: 15, then: []afterShares{again, on, back}},
	} {
		var ways []string
		for _, then := range of.then {
			ways = append(ways, strings.TrimSpace(fmt.Sprintf("%s %s", then.next, then.onAbandon)))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testcluster.EveryDeathThen(t, of.writes, ways, func(t *testing.T, way, k int) bool { return sharesKilledAt(t, c, of, of.then[way], k) })
		})
	}
}

func sharesKilledAt(t *testing.T, c *testcluster.Cluster, of killedShares, then afterShares, k int) (hit bool) {
	t.Helper()
	most := 50
	if of.loses {
		most = 75 // more than the half of v1's pods that are left carry beside it
	}
	canary := steps(10, most)
	canary.OnAbandon, canary.Scales = then.onAbandon, of.scales
	if of.mirrors {
		canary.Mirror = &release.CanaryMirror{Percent: 20, Pause: canary.Steps[0].Pause}
	}
	prepare := onRoute
	switch {
	case of.adopts:
		prepare = onAdoptedRule
	case of.scaled:
		prepare = func(t *testing.T, c *testcluster.Cluster) (*life, *process) { return autoscaledRoute(t, c, canary) }
	case of.loses:
		prepare = fourEach
	case of.scales:
		prepare = func(t *testing.T, c *testcluster.Cluster) (*life, *process) { return onScaledRoute(t, c, 4, canary) }
	}
	l, p := prepare(t, c)
	if of.removed {
		p.endsWith(release.OnFailureTerminate)
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l.proxy.Reset()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	half := false
	fail := func(line string) {
		half = half || strings.Contains(line, fmt.Sprintf("moving %d %%", most))
		switch {
		case of.loses && waitsFor(line):
			l.allReady("v1", "True")
		case !half || !strings.HasPrefix(line, "watching"):
		case of.loses && of.scaled:
			l.takePods("v1", 4)
			l.crashLoop("v2")
		case of.loses:
			l.losePods()
			l.crashLoop("v2")
		default:
			l.allReady("v2", "False")
		}
	}
	if of.fails {
		canary.Steps[1].Pause = longBake
	} else {
		fail = nil
	}
	_, err := p.sharing(ctx, "v2", canary, fail)
	l.proxy.SetFault(nil)
	what, dead := death.Last()
	p = l.process(t)
	if dead || then.next == "v1" {
		half = false
		_, err = p.sharing(t.Context(), then.next, canary, fail)
	}
	switch {
	case of.fails && then.next == "v2":
		if err == nil {
			t.Fatalf("after %q, it succeeds", what)
		}
		l.wantMain("v1")
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		if of.removed {
			l.wantGone(p)
		} else {
			l.wantStopped(p, "")
		}
	case err != nil:
		t.Fatalf("after %q: %v\n%s", what, err, l.log())
	case then.next == "v1":
		if now := l.pointer().Deployment; now != l.name("v1") { // v2 counts as a former one where it had got that far
			t.Errorf("after %q, main is %s", what, now)
		}
		l.wantSplit(p, release.Split{l.name("v1"): 100})
	default:
		l.wantMain("v2", "v1")
		l.wantSplit(p, release.Split{l.name("v2"): 100})
	}
	switch {
	case of.scaled && of.loses: // the floor of v1 is somebody else's
		l.wantFloor(p, "v2", 2)
	case of.scaled:
		l.wantFloor(p, "v1", 2)
		l.wantFloor(p, "v2", 2)
	case of.mirrors:
		l.wantServed(then.next + " 100")
	case of.scales:
		l.wantPods(p, then.next, 4, 4)
	}
	main.NeverEmpty(t)
	t.Logf("killed after %q", what)
	return dead
}

// TestOneFaultAtEveryRequestOfShares lets the same faults happen to a promotion by shares
// as to every other verb: nobody may notice.
func TestOneFaultAtEveryRequestOfShares(t *testing.T) {
	t.Parallel()
	const writes = 20 // of a promotion by shares, at most
	c := withRoutes(t)
	for _, of := range passing() {
		if of.apart == alone {
			of.apart = writes
		}
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			for k := 1; k <= of.apart; k++ {
				t.Run(fmt.Sprintf("at %d", k), func(t *testing.T) {
					t.Parallel()
					l, p := onRoute(t, c)
					main := l.cluster.WatchMain(t, l.namespace, "api")
					l.proxy.Reset()
					hitting := &faulty{k: k, apart: of.apart, counts: of.counts, faults: of.faults, repeats: map[string]int{}}
					l.proxy.SetFault(hitting.on)
					done, err := p.sharing(t.Context(), "v2", steps(10, 50), nil)
					l.proxy.SetFault(nil)
					if len(hitting.hit) == hitting.told && hitting.n >= k {
						t.Errorf("of %d requests, none was hit", hitting.n)
					}
					if of.apart == writes && hitting.n > writes {
						t.Errorf("it has %d writes: not every one is hit", hitting.n)
					}
					if err != nil || done.Status != release.MainFinalized {
						t.Fatalf("with a fault at %q, it ends as %s: %v", hitting.hit, done.Status, err)
					}
					if got := l.writtenShares("v2"); !slices.Equal(got, []int{10, 50, 100}) {
						t.Errorf("with a fault at %q, v2 had the shares %v", hitting.hit, got)
					}
					l.wantMain("v2", "v1")
					main.NeverEmpty(t)
				})
			}
		})
	}
}
