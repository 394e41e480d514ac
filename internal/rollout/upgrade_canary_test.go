package rollout_test

import (
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// The files testdata/upgrade/canary-* are like the others, with the HTTPRoute, as the
// provider of commit 3987953 left them: v1 is main behind a route, and v2 has a share.
// The promotion waits for somebody, is held at the most that it may have, copies
// requests, was killed in a pause, or shares a rule of somebody else's route.

// TestUpgradeOfShares: a promotion that a former provider has left with a share goes on
// from there, or goes back.
func TestUpgradeOfShares(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	plain, gated, kept := steps(10, 50), steps(10, 50), steps(10, 50)
	gated.Steps[0].Gate, kept.OnAbandon = release.GateManual, release.AbandonHold
	for _, u := range []struct {
		file   string
		then   string
		waits  bool // until somebody lets it go on, which somebody does
		to     string
		canary release.Canary
		shares []int // of v2, as they are written, the one that it has first; nil: in another way
	}{
		{"canary-paused", "goes on", true, "v2", gated, []int{10, 50, 100}},
		{"canary-paused", "goes back", false, "v1", plain, []int{0}},
		{"canary-held", "goes on", false, "v2", plain, []int{10, 50, 100}},
		{"canary-held", "goes back", false, "v1", plain, []int{0}},
		{"canary-mirror", "goes on", true, "v2", mirroring(20, 10, 50), []int{0, 10, 50, 100}},
		{"canary-mirror", "goes back", false, "v1", plain, []int{0}},
		{"canary-killed", "begins anew", false, "v2", plain, []int{0, 10, 50, 100}},
		{"canary-killed", "goes on", false, "v2", kept, []int{50, 100}},
		{"canary-killed", "goes back", false, "v1", plain, []int{0}},
		{"canary-adopted", "goes on", true, "v2", gated, nil},
		{"canary-adopted", "goes back", false, "v1", plain, nil},
	} {
		t.Run(u.file+" "+u.then, func(t *testing.T) {
			t.Parallel()
			l := recorded(t, c, u.file)
			l.adoptRule = u.file == "canary-adopted"
			c.DataPlane(t, l.namespace, "httproutes")
			main := c.WatchMain(t, l.namespace, "api")
			p := l.process(t)
			if u.waits {
				done, err := p.sharing(t.Context(), u.to, u.canary, nil)
				if must(t, err); done.Status != release.MainPaused || done.Moved {
					t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
				}
				p = l.process(t)
				l.resume(p)
			}
			l.proxy.Reset()
			done, err := p.sharing(t.Context(), u.to, u.canary, nil)
			if must(t, err); done.Status != release.MainFinalized {
				t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
			}
			if got := l.writtenShares("v2"); u.shares != nil && !slices.Equal(got, u.shares) {
				t.Errorf("v2 had the shares %v, want %v", got, u.shares)
			}
			l.wantSplit(p, release.Split{l.name(u.to): 100})
			if now := p.look().Main; now.Progress != nil || now.Deployment != l.name(u.to) {
				t.Errorf("main is %+v", now)
			}
			main.Check(t, faultyDrain)
			if l.adoptRule {
				before := l.theirs()
				must(t, p.unmain(t.Context()))
				l.wantRule(before, "api:80=1")
				l.wantLetGo()
			}
		})
	}
}
