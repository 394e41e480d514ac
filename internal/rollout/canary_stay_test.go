package rollout_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestCanaryOfBareStable: who has no pod that is ready gets no traffic.
func TestCanaryOfBareStable(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"a route that is new": newRouteOfBare,
		"a share is cut off":  killedBesideBare,
		"a share is left":     sharedBesideBare,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// newRouteOfBare: it does not lead to the former version first.
func newRouteOfBare(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"), p.promote(t.Context(), "v1", 1))
	l.allReady("v1", corev1.ConditionFalse)
	_, err := p.sharing(t.Context(), "v2", steps(10), nil)
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
}

// killedBesideBare: the next run gives everything to what serves.
func killedBesideBare(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.killedInPause(t, p)
	l.allReady("v1", corev1.ConditionFalse)
	p = l.process(t)
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), nil)
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
}

// sharedBesideBare: a Ctrl-C leaves the traffic where some of it is served.
func sharedBesideBare(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	done, err := p.sharing(ctx, "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 50, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.allReady("v1", corev1.ConditionFalse)
			interrupt()
		}
	})
	l.wantStays(p, done.Status, err)
	_, err = l.process(t).sharing(t.Context(), "v2", steps(10), nil)
	must(t, err)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
}

// wantStays fails the test unless the traffic is as it was shared.
func (l *life) wantStays(p *process, status release.MainStatus, err error) {
	l.t.Helper()
	var nowhere *release.NoWayBackError
	if !errors.As(err, &nowhere) || !strings.Contains(err.Error(), "pods of "+l.name("v1")+" are ready") {
		l.t.Errorf("it ends as %s: %v", status, err)
	}
	if split, want := p.look().Split, (release.Split{l.name("v1"): 50, l.name("v2"): 50}); !maps.Equal(split, want) {
		l.t.Errorf("the split is %v", split)
	}
}

// pauseByTheServersClock: how long a pause has lasted is told by the API server, whatever this
// machine's clock says, and whoever began it.
func pauseByTheServersClock(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	l.killedInPause(t, p)
	canary := steps(10, 50)
	canary.OnAbandon, canary.Steps[1].Pause = release.AbandonHold, longBake
	short, cancel := context.WithTimeout(t.Context(), longBake/4)
	defer cancel()
	done, err := l.process(t).at(longBake/2).sharing(short, "v2", canary, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("in the middle of the pause, it ends as %s", done.Status)
	}
	done, err = l.process(t).at(longBake+time.Second).sharing(short, "v2", canary, nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Errorf("after the pause, it ends as %s, %s", done.Status, done.Reason)
	}
	l.wantMain("v2", "v1")
}
