package rollout_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// deaf is a data plane that does not do what is asked for.
func deaf(route map[string]any) []map[string]any {
	return []map[string]any{testcluster.Condition(route, "Accepted", false, "Pending", "it has not come to it")}
}

// calledOff interrupts a promotion to v2 while a data plane has stopped to listen: when it
// is to give v2 a share that it does not get, or while v2 is watched with one.
func (l *life) calledOff(p *process, plane *testcluster.DataPlane, share int, shifting bool) {
	l.t.Helper()
	ctx, interrupt := context.WithCancel(l.t.Context())
	defer interrupt()
	ends := sync.OnceFunc(func() {
		l.proxy.Reset()
		interrupt()
	})
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: share, Pause: longBake}}}
	done, err := p.sharing(ctx, "v2", canary, func(line string) {
		switch {
		case shifting && strings.Contains(line, "moving"):
			plane.Say(l.t, func(route map[string]any) []map[string]any {
				if route["metadata"].(map[string]any)["generation"].(float64) > 1 {
					ends()
				}
				return deaf(route)
			})
		case !shifting && strings.HasPrefix(line, "watching"):
			plane.Say(l.t, deaf)
			ends()
		}
	})
	if err == nil || done.Status != release.MainRollingBack || done.Moved || !strings.Contains(err.Error(), "told to go back to "+l.name("v1")) || strings.Contains(err.Error(), context.Canceled.Error()) {
		l.t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if split := done.Clusters[0].Split; split[l.name("v1")] != 100 {
		l.t.Errorf("it tells the split %v", split)
	}
	var told []int
	for _, r := range l.proxy.Writes() {
		if strings.Contains(r.Path, "/httproutes/") && r.Status/100 == 2 {
			told = append(told, shareIn(l.t, r.Body, l.name("v2")))
		}
	}
	if len(told) != 1 || told[0] != 0 {
		l.t.Errorf("once it is interrupted, it gives v2 the shares %v", told)
	}
	if status := p.look().Main.Progress.Status(); status != release.MainRollingBack {
		l.t.Errorf("a Read says %s", status)
	}
}

// isCalledOff: a Ctrl-C waits for nothing, and the next run does.
func isCalledOff(t *testing.T, c *testcluster.Cluster) {
	for name, of := range map[string]struct {
		share    int
		shifting bool
	}{"in a shift": {10, true}, "in a pause": {10, false}, "when all has moved": {100, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, p, plane := onRouteBehind(t, c)
			l.calledOff(p, plane, of.share, of.shifting)
			p = l.process(t)
			if err := p.terminate(t.Context(), "v2"); err == nil || !strings.Contains(err.Error(), "still carries traffic") {
				t.Errorf("before the traffic was seen to be back, v2 ends: %v", err)
			}
			must(t, p.deploy(t.Context(), "v2"))
			l.proxy.Reset()
			verified := false
			_, err := p.sharing(t.Context(), "v2", steps(10, 50), func(line string) {
				if strings.Contains(line, "moving all of the traffic back") {
					verified = true
					plane.Say(t, testcluster.Accepting)
				}
			})
			must(t, err)
			if !verified {
				t.Error("the next run has not seen to it that the traffic is back")
			}
			if got := l.writtenShares("v2"); len(got) == 0 || got[len(got)-1] != 100 {
				t.Errorf("then v2 had the shares %v", got)
			}
			l.wantMain("v2", "v1")
		})
	}
}

// isCalledOffAndLeft: the way back is seen to, whatever the next run asks for.
func isCalledOffAndLeft(t *testing.T, c *testcluster.Cluster) {
	for name, next := range map[string]string{"reverted": "v1", "another version": "v3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, p, plane := onRouteBehind(t, c)
			must(t, p.deploy(t.Context(), "v3"))
			l.calledOff(p, plane, 10, false)
			p = l.process(t)
			verified := false
			done, err := p.sharing(t.Context(), next, steps(20), func(line string) {
				if strings.Contains(line, "moving all of the traffic") {
					verified = true
					plane.Say(t, testcluster.Accepting)
				}
			})
			if must(t, err); !verified || done.Status != release.MainFinalized {
				t.Errorf("it ends as %s; it has seen to the way back: %t", done.Status, verified)
			}
			if next == "v1" {
				l.wantMain("v1")
			} else {
				l.wantMain("v3", "v1")
			}
		})
	}
}

// isCalledOffUnheard: a Ctrl-C that no API server hears of any more leaves what a kill
// leaves.
func isCalledOffUnheard(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	timing := faultyTiming()
	timing.Cleanup = 100 * time.Millisecond
	p.engine = rollout.New(timing)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	done, err := p.sharing(ctx, "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.ConnectionReset() })
			interrupt()
		}
	})
	if err == nil || done.Status != release.MainFailed || strings.Contains(err.Error(), "told to go back") {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	l.proxy.SetFault(nil)
	p = l.process(t)
	_, err = p.sharing(t.Context(), "v1", steps(10), nil)
	must(t, err)
	l.wantMain("v1")
}
