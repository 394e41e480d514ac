package promotion_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// mirrored is byShares with copies before the first share.
func mirrored() promotion.Want {
	w := byShares
	w.Canary.Mirror = &release.CanaryMirror{Percent: 20, Pause: time.Minute, Gate: release.GateManual, Replicas: 2}
	return w
}

// copied is what a run of it has left that came to such a step, with copies or without.
func copied(at int, paused, mirrors bool) promotion.Seen {
	main := release.Main{Deployment: "v1", Service: "api", Route: byShares.Route}
	before := main
	main.Progress = &release.Progress{From: "v1", To: "v2", Steps: promotion.Plan(mirrored()), At: at, Direction: release.DirectionForward, Before: &before, Paused: paused, Since: time.Unix(1, 0)}
	return promotion.Seen{Main: main, Split: release.Split{"v1": 100}, Mirrors: mirrors, Address: true, Planned: "v1"}
}

// TestMirror: what a promotion with copies does, from wherever it begins.
func TestMirror(t *testing.T) {
	t.Parallel()
	steps := promotion.Plan(mirrored())
	shift := slices.IndexFunc(steps, func(step release.Step) bool { return step.Mirror > 0 })
	if want := (release.Step{Kind: release.StepShift, Mirror: 20, Needs: 2}); shift < 0 || steps[shift] != want {
		t.Fatalf("its steps are %+v", steps)
	}
	want, onV1 := mirrored(), promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api", Route: byShares.Route}, Split: release.Split{"v1": 100}, Address: true, Planned: "v1"}
	former, bare, left := onV1, onV1, onV1
	former.Main.Previous, bare.Bare, left.Mirrors = []string{"v2"}, true, true
	resumed, waits, calledOff := copied(shift+1, true, true), copied(shift+1, true, true), copied(shift+1, false, false)
	resumed.Resumed = true
	waits.Main.Progress = new(copied(shift+2, false, true).Main.Progress.Holding())
	calledOff.Main.Progress.Direction = release.DirectionBack
	hold, most, third, back, none, whole := want, want, want, want, byShares, want
	hold.Canary.OnAbandon = release.AbandonHold
	most.Canary.MaxWeight = 5
	third.To, back.To = "v3", "v1"
	whole.Canary.Steps = nil
	held := copied(shift+2, true, true)
	held.Main.Progress.Steps = promotion.Plan(most)
	const (
		shares = "shift 10%, pause 1m, shift 50%, pause manual, shift 100%, commit, collect"
		all    = "ready, mirror 20%, pause 1m, manual, " + shares
	)
	for name, tt := range map[string]struct {
		want promotion.Want
		seen promotion.Seen
		does string
	}{
		"from the beginning":                    {want, onV1, all},
		"all at once after it":                  {whole, onV1, "ready, mirror 20%, pause 1m, manual, shift 100%, commit, collect"},
		"the first release":                     {want, promotion.Seen{Split: release.Split{}}, "ready, shift 100%, commit, collect"},
		"nothing to protect":                    {want, bare, "ready, shift 100%, commit, collect"},
		"back to a former main":                 {want, former, "ready, shift 100%, commit, collect"},
		"copies that nobody knows of":           {want, left, "restore, " + all},
		"killed while it mirrored":              {want, copied(shift, false, true), "restore, " + all},
		"killed before it did":                  {want, copied(shift, false, false), "restore, " + all},
		"killed in its pause":                   {want, copied(shift+1, false, true), "restore, " + all},
		"killed in its pause, and goes on":      {hold, copied(shift+1, false, true), all},
		"killed while it mirrored, and goes on": {hold, copied(shift, false, true), "restore, " + all},
		"paused":                                {want, copied(shift+1, true, true), all},
		"paused, and somebody has ended it":     {want, copied(shift+1, true, false), all},
		"resumed":                               {want, resumed, "ready, mirror 20%, " + shares},
		"waits for others after its pause":      {want, waits, "ready, mirror 20%, " + shares},
		"held at its most":                      {most, onV1, "ready, mirror 20%, pause 1m, manual, pause max_weight, " + shares},
		"held, and raised":                      {want, held, "ready, mirror 20%, " + shares},
		"paused, and no more copies are wanted": {none, copied(shift+1, true, true), "restore, ready, " + shares},
		"copies are wanted when it has a share": {want, openAt(50, true, release.StepPause, 1), "ready, shift 50%, pause manual, shift 100%, commit, collect"},
		"a third version":                       {third, copied(shift+1, true, true), "restore, " + all},
		"back to the stable side":               {back, copied(shift+1, true, true), "shift 100%, collect"},
		"called off":                            {want, calledOff, "restore, " + all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := done(promotion.Begin(tt.want, tt.seen)); got != tt.does {
				t.Errorf("it does %s\nwant    %s", got, tt.does)
			}
		})
	}
	for name, tt := range map[string]struct {
		seen promotion.Seen
		kept bool
	}{"in its pause": {copied(shift+1, true, true), true}, "from its pause": {resumed, false}, "killed in it": {copied(shift+1, false, true), true}, "killed before it": {copied(shift, false, true), false}} {
		if s := promotion.Begin(hold, tt.seen); s.Progress.Since.IsZero() == tt.kept {
			t.Errorf("%s: its time counts from %s", name, s.Progress.Since)
		}
	}
	known := promotion.Known{From: "v1", Service: "api", Settled: true, Route: byShares.Route}
	if got := promotion.Foresee(want, known, release.Keep{Count: 1}).Steps; len(got) < 2 || got[1].String() != "mirror 20%" {
		t.Errorf("it is foreseen to do %v", got)
	}
}
