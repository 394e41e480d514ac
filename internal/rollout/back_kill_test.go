package rollout_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// killedBack is a way back without a configuration that is killed: from where, and how.
type killedBack struct {
	begin  func(*testing.T, *testcluster.Cluster) (*life, *process)
	do     func(context.Context, *process) error
	apply  func(*process) error // what still asks for what is left
	there  func(*life, *process)
	writes int
}

// TestWayBackKilledAfterEveryWrite kills a way back that somebody asks for, when a write is
// done that it does not know of. Another apply comes in between, or none, and then somebody
// asks once more: the traffic is back, what was left is refused, and what was on its way to be
// main has ended as it says.
func TestWayBackKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	held := steps(10)
	held.MaxWeight = 10
	again := func(canary release.Canary) func(*process) error {
		return func(p *process) error { return p.tries("v2", "", canary) }
	}
	goesBack := func(ctx context.Context, p *process) error { return p.goesBack(ctx) }
	undoes := func(ctx context.Context, p *process) error { _, err := p.undoes(ctx); return err }
	onV1 := func(previous ...string) func(*life, *process) {
		return func(l *life, p *process) {
			l.wantMain("v1", previous...)
			l.wantSplit(p, release.Split{l.name("v1"): 100})
		}
	}
	for name, of := range map[string]killedBack{
		"from all of the traffic": {writes: 8, do: goesBack, apply: again(release.Canary{}), there: onV1("v2"), begin: func(t *testing.T, c *testcluster.Cluster) (*life, *process) {
			l, p := onRoute(t, c)
			_, err := p.sharing(t.Context(), "v2", release.Canary{}, nil)
			must(t, err)
			l.wantMain("v2", "v1")
			return l, p
		}},
		"from a share": {writes: 16, do: goesBack, apply: again(held), there: func(l *life, p *process) {
			onV1()(l, p)
			l.wantStopped(p, " asked to go back")
		}, begin: func(t *testing.T, c *testcluster.Cluster) (*life, *process) {
			l, p := onRoute(t, c)
			_, err := p.sharing(t.Context(), "v2", held, nil)
			must(t, err)
			l.wantSplit(p, release.Split{l.name("v1"): 90, l.name("v2"): 10})
			return l, p
		}},
		"from the first behind an adopted rule": {writes: 15, do: undoes, apply: func(p *process) error { return p.tries("v1", "", held) }, there: func(l *life, _ *process) {
			l.wantRule(l.theirs(), "old:80=1")
			l.wantNo("the Service", &corev1.Service{})
			if record := l.record("v1"); record.Status != release.StatusStopped || record.Busy() || len(l.pods("v1")) > 0 {
				l.t.Errorf("v1 is %s, %q, with %v", record.Status, record.Reason, l.pods("v1"))
			}
		}, begin: func(t *testing.T, c *testcluster.Cluster) (*life, *process) {
			l, p := behindTheirs(t, c)
			_, err := p.sharing(t.Context(), "v1", held, nil)
			must(t, err)
			return l, p
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			between := []string{"and asked again", "and applied"}
			testcluster.EveryDeathThen(t, of.writes, between, func(t *testing.T, way, k int) bool { return backKilledAt(t, c, of, way == 1, k) })
		})
	}
}

func backKilledAt(t *testing.T, c *testcluster.Cluster, of killedBack, applied bool, k int) (hit bool) {
	t.Helper()
	l, _ := of.begin(t, c)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	p := l.process(t)
	l.proxy.Reset()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	err := of.do(ctx, p)
	l.proxy.SetFault(nil)
	what, dead := death.Last()
	if !dead && err != nil {
		t.Fatal(err)
	}
	if p = l.process(t); applied {
		err := of.apply(p) // refused, or finds everything as it was
		var refused *release.TakenBackError
		var asked *release.AskedBackError
		if err != nil && !errors.As(err, &refused) && !errors.As(err, &asked) && !strings.Contains(err.Error(), "going back") {
			t.Errorf("after %q, an apply says %v", what, err)
		}
	}
	if err := of.do(t.Context(), l.process(t)); err != nil {
		t.Fatalf("after %q, asked again: %v\n%s", what, err, l.log())
	}
	p = l.process(t)
	of.there(l, p)
	var refused *release.TakenBackError
	if err := of.apply(p); !errors.As(err, &refused) || !strings.Contains(err.Error(), " asked to go back") {
		t.Errorf("after %q, what was left is not refused: %v", what, err)
	}
	of.there(l, p)
	t.Logf("killed after %q", what)
	return dead
}

// goesBack is the action that goes back to v1, from wherever main is.
func (p *process) goesBack(ctx context.Context) error {
	_, err := p.engine.GoBack(ctx, rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), To: p.name("v1"), Owner: p.memory().Owner, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		},
		Was: map[string]string{"prod": p.memory().Deployment},
	})
	return err
}

// undoes is the action that takes v1 back, the first behind an adopted rule.
func (p *process) undoes(ctx context.Context) (rollout.Promoted, error) {
	return p.engine.Undo(ctx, rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), To: p.name("v1"), Owner: p.life.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		},
		Was: map[string]string{"prod": ""},
	})
}

// tries promotes a release by shares, with a retry token.
func (p *process) tries(version, token string, canary release.Canary) error {
	done, err := p.engine.Promote(p.t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: canary, To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, RetryToken: token,
		Asked: &release.Asked{RetryToken: &token},
	})
	if err == nil {
		p.main = done.Owner
	}
	return err
}
