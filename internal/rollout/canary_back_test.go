package rollout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// wantRefused fails the test unless v2 is refused, because somebody has gone back from it.
func (l *life) wantRefused(err error) {
	l.t.Helper()
	var refused *release.TakenBackError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "had 10 % of the traffic already, and ") || !strings.Contains(err.Error(), " asked to go back; traffic went back to "+l.name("v1")) {
		l.t.Errorf("v2 is not refused: %v", err)
	}
	l.wantMain("v1")
}

// somebodyGoesBack while a run watches v2 with a share: v2 is not tried again.
func somebodyGoesBack(t *testing.T, c *testcluster.Cluster) {
	l, first := onRoute(t, c)
	second := l.process(t)
	for _, p := range []*process{first, second} {
		p.engine = rollout.New(rollout.DefaultTiming()) // both live
	}
	watching, promoted := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := first.sharing(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
			if strings.HasPrefix(line, "watching") {
				close(watching)
			}
		})
		promoted <- err
	}()
	select {
	case <-watching:
	case err := <-promoted:
		t.Fatal("no pause: ", err)
	}
	must(t, second.goesBack(t.Context()))
	var asked *release.AskedBackError
	if err := <-promoted; !errors.As(err, &asked) {
		t.Errorf("the run ends with: %v", err)
	}
	p := l.process(t)
	l.wantRefused(p.tries("v2", "", steps(10)))
	must(t, p.tries("v2", "once more", steps(10)))
	l.wantMain("v2", "v1")
}

// backFromPause, in which nobody holds a Lease: v2 is not tried again before another one
// has become main, also where the configuration has a token.
func backFromPause(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	must(t, p.deploy(t.Context(), "v3"))
	token := "first"
	_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: p.route(), Canary: release.Canary{Steps: []release.CanaryStep{{Weight: 10, Gate: release.GateManual}}}, To: p.name("v2"), Owner: p.main,
		Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, RetryToken: token, Asked: &release.Asked{RetryToken: &token},
	})
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v1"): 90, l.name("v2"): 10})
	must(t, l.process(t).goesBack(t.Context()))
	entries := l.wantHistory("deploy v1", "deploy v2", "promote - v1", "deploy v3", "rollback v2 v1", "stop v2")
	if last := entries[len(entries)-2]; last.By == "" || last.Reason != last.By+" asked to go back" {
		t.Errorf("of the way back, the history has %+v", last)
	}
	l.wantEvent("api", release.EventRolledBack, "rollback from "+l.name("v2")+" to "+l.name("v1"), " asked to go back")
	p = l.process(t)
	l.wantRefused(p.tries("v2", token, steps(10)))
	_, err = p.sharing(t.Context(), "v1", steps(10), nil) // which it is already
	must(t, err)
	l.wantRefused(p.tries("v2", token, steps(10)))
	_, err = p.sharing(t.Context(), "v3", steps(10), nil)
	must(t, err)
	must(t, p.tries("v2", token, steps(10)))
	l.wantMain("v2", "v3", "v1")
}
