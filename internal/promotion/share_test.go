package promotion_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var byShares = promotion.Want{
	To: "v2", Service: "api", Reversible: true, Route: &release.Route{Kind: "HTTPRoute", Name: "api"},
	Canary: release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: time.Minute}, {Weight: 50, Gate: release.GateManual}}},
}

// done are the steps that a promotion does from where it begins.
func done(s promotion.Start) string {
	var steps []string
	p := s.Progress
	for ; p.Step().Kind != ""; p.At++ {
		if promotion.Next(s, &p, promotion.Pending) == promotion.Do {
			steps = append(steps, p.Step().String())
		}
	}
	return strings.Join(steps, ", ")
}

// open is what a run has left that has given v2 a share, at such a step of byShares.
func openAt(share int, paused bool, kind release.StepKind, nth int) promotion.Seen {
	steps := promotion.Plan(byShares)
	at := -1
	for i, step := range steps {
		if step.Kind != kind {
			continue
		}
		if at, nth = i, nth-1; nth < 0 {
			break
		}
	}
	main := release.Main{Deployment: "v1", Service: "api", Route: byShares.Route}
	before := main
	main.Progress = &release.Progress{From: "v1", To: "v2", Steps: steps, At: at, Direction: release.DirectionForward, Before: &before, Paused: paused, Since: time.Unix(1, 0)}
	seen := promotion.Seen{Main: main, Split: release.Split{"v1": 100 - share, "v2": share}, Address: true, Planned: "v1"}
	if share == 100 {
		seen.Split = release.Split{"v2": 100}
	}
	return seen
}

// TestShares: what a promotion by shares does, from wherever it begins.
func TestShares(t *testing.T) {
	t.Parallel()
	onV1 := promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api", Route: byShares.Route}, Split: release.Split{"v1": 100}, Address: true, Planned: "v1"}
	bare, former := onV1, onV1
	bare.Bare = true
	former.Main.Previous = []string{"v2"}
	left := former
	left.Main.Breach = &release.Breach{From: "v1", To: "v2", By: "alice"}
	noRoute, otherRoute := onV1, onV1
	noRoute.Main.Route, otherRoute.Main.Route = nil, &release.Route{Kind: "HTTPRoute", Name: "former"}
	rule := func(backends string) *release.Route {
		return &release.Route{Kind: "HTTPRoute", Name: "shop", Adopted: &release.AdoptedRule{Name: "api", Backends: []byte(backends)}}
	}
	byRule, onRule := byShares, onV1
	byRule.Route, onRule.Main.Route = rule(""), rule("[]")
	resumed := openAt(50, true, release.StepPause, 1)
	resumed.Resumed = true
	hold, held, raised, other := byShares, byShares, byShares, byShares
	hold.Canary.OnAbandon = release.AbandonHold
	held.Canary.MaxWeight, raised.Canary.MaxWeight = 10, 50
	other.Canary.Steps = []release.CanaryStep{{Weight: 20}, {Weight: 60, Pause: time.Minute}}
	allMoved := openAt(100, true, release.StepPause, 1)
	allMoved.Main.Deployment, allMoved.Main.Previous = "v2", []string{"v1"}
	third, back := byShares, byShares
	third.To, back.To = "v3", "v1"
	byHand := openAt(10, true, release.StepPause, 0)
	byHand.Split = release.Split{"v1": 60, "v2": 40}
	calledOff := openAt(0, false, release.StepPause, 0)
	calledOff.Main.Progress.Direction = release.DirectionBack
	whenMoved := openAt(0, false, release.StepPause, 1)
	whenMoved.Main.Deployment, whenMoved.Main.Previous, whenMoved.Main.Progress.Direction = "v2", []string{"v1"}, release.DirectionBack
	breached := calledOff
	breached.Main.Breach = &release.Breach{From: "v1", To: "v2"}
	again := byShares
	again.RetryToken = "again"
	lowered := byShares
	lowered.Canary.MaxWeight = 20
	fewer := other
	fewer.Canary.MaxWeight = 20
	tried := openAt(0, false, release.StepRestore, 0)
	// waits is what a run has left that waits for the other members of its group.
	waits := func(seen promotion.Seen) promotion.Seen {
		seen.Main.Progress = new(seen.Main.Progress.Holding())
		seen.Main.Progress.At = slices.IndexFunc(seen.Main.Progress.Steps, func(step release.Step) bool { return step.Gate == release.GateGroup })
		return seen
	}
	baking := byShares
	baking.Bake = time.Minute
	beforeAll, baked := openAt(0, false, release.StepShift, 0), openAt(100, false, release.StepCommit, 0)
	baked.Main.Deployment, baked.Main.Previous = "v2", []string{"v1"}
	baked.Main.Progress.Steps, baked.Main.Progress.At = promotion.Plan(baking), slices.Index(promotion.Plan(baking), release.Step{Kind: release.StepCommit})
	asked := waits(openAt(50, false, release.StepPause, 1))
	asked.Resumed = true
	theirs := promotion.Seen{Split: release.Split{}, Theirs: "old"}
	theirsShared := openAt(10, false, release.StepPause, 0)
	theirsShared.Main.Deployment, theirsShared.Main.Progress.From, theirsShared.Main.Progress.Theirs, theirsShared.Theirs = "", "", "old", "old"
	theirsShared.Main.Progress.Before.Deployment, theirsShared.Split = "", release.Split{"old": 90, "v2": 10}
	theirsCalledOff := theirsShared
	theirsCalledOff.Split, theirsCalledOff.Main.Progress = release.Split{}, new(*theirsShared.Main.Progress)
	theirsCalledOff.Main.Progress.Direction = release.DirectionBack
	theirsGone := theirsShared
	theirsGone.Theirs = ""
	const all = "ready, shift 10%, pause 1m, shift 50%, pause manual, shift 100%, commit, collect"
	for name, tt := range map[string]struct {
		want promotion.Want
		seen promotion.Seen
		does string
	}{
		"from somebody else":                       {byShares, theirs, all},
		"from somebody else, killed":               {byShares, theirsShared, "restore, " + all},
		"from somebody else, killed, and goes on":  {hold, theirsShared, all},
		"from somebody else, called off":           {byShares, theirsCalledOff, "restore, " + all},
		"from somebody else, who is gone":          {byShares, theirsGone, "ready, shift 100%, commit, collect"},
		"from the beginning":                       {byShares, onV1, all},
		"the first release":                        {byShares, promotion.Seen{Split: release.Split{}}, "ready, shift 100%, commit, collect"},
		"nothing to protect":                       {byShares, bare, "ready, shift 100%, commit, collect"},
		"back to a former main":                    {byShares, former, "ready, shift 100%, commit, collect"},
		"to a former main that somebody has left":  {again, left, all},
		"killed in a pause":                        {byShares, openAt(10, false, release.StepPause, 0), "restore, " + all},
		"killed in a pause, and goes on":           {hold, openAt(10, false, release.StepPause, 0), all},
		"killed while it moved, and goes on":       {hold, openAt(50, false, release.StepShift, 1), "ready, shift 50%, pause manual, shift 100%, commit, collect"},
		"paused":                                   {byShares, openAt(50, true, release.StepPause, 1), "ready, shift 50%, pause manual, shift 100%, commit, collect"},
		"paused, and somebody has changed weights": {byShares, byHand, all},
		"resumed":                                {byShares, resumed, "ready, shift 50%, shift 100%, commit, collect"},
		"held":                                   {held, onV1, "ready, shift 10%, pause 1m, pause max_weight, shift 50%, pause manual, shift 100%, commit, collect"},
		"held, and raised":                       {raised, openAt(10, true, release.StepPause, 0), "ready, shift 10%, pause 1m, shift 50%, pause manual, pause max_weight, shift 100%, commit, collect"},
		"other steps":                            {other, openAt(50, true, release.StepPause, 1), "ready, shift 60%, pause 1m, shift 100%, commit, collect"},
		"a third version":                        {third, openAt(50, true, release.StepPause, 1), "restore, " + all},
		"back to the stable side":                {back, openAt(50, true, release.StepPause, 1), "ready, shift 100%, commit, collect"},
		"back when all had moved":                {back, allMoved, "ready, shift 100%, commit, collect"},
		"called off":                             {byShares, calledOff, "restore, " + all},
		"called off, where a killed one goes on": {hold, calledOff, "restore, " + all},
		"called off when all had moved":          {byShares, whenMoved, "restore, " + all},
		"called off, and a third version":        {third, calledOff, "restore, " + all},
		"called off, and reverted":               {back, calledOff, "ready, shift 100%, commit, collect"},
		"taken back, killed, and tried again":    {again, breached, "restore, " + all},
		"killed while it restored":               {byShares, tried, "restore, " + all},
		"held below what it has":                 {lowered, openAt(50, true, release.StepPause, 1), "ready, shift 50%, pause manual, pause max_weight, shift 100%, commit, collect"},
		"held below, with other steps":           {fewer, openAt(50, true, release.StepPause, 1), "ready, shift 50%, pause max_weight, shift 60%, pause 1m, shift 100%, commit, collect"},
		"waits with nothing":                     {byShares, waits(beforeAll), all},
		"waits ahead of a pause":                 {byShares, waits(openAt(50, false, release.StepPause, 1)), "ready, shift 50%, pause manual, shift 100%, commit, collect"},
		"waits ahead of a pause, and is asked":   {byShares, asked, "ready, shift 50%, pause manual, shift 100%, commit, collect"},
		"waits after a pause":                    {byShares, waits(openAt(50, false, release.StepShift, 2)), "ready, shift 50%, shift 100%, commit, collect"},
		"waits with all, and was watched":        {baking, waits(baked), "shift 100%, commit, collect"},
		"a Service gets a route":                 {byShares, noRoute, "restore, " + all},
		"an adopted rule":                        {byRule, onRule, all},
		"another route":                          {byShares, otherRoute, "restore, ready, shift 10%, pause 1m, shift 50%, pause manual, shift 100%, commit, rename, collect"},
		"killed when all had moved":              {byShares, openAt(100, false, release.StepCommit, 0), "shift 100%, commit, collect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := done(promotion.Begin(tt.want, tt.seen)); got != tt.does {
				t.Errorf("it does %s\nwant    %s", got, tt.does)
			}
		})
	}
}

// TestATimedPauseKeepsItsTime: what has been waited counts, as long as the share stays.
func TestATimedPauseKeepsItsTime(t *testing.T) {
	t.Parallel()
	if s := promotion.Begin(byShares, openAt(10, true, release.StepPause, 0)); s.Progress.Since != time.Unix(1, 0) {
		t.Errorf("it began at %s", s.Progress.Since)
	}
	if s := promotion.Begin(byShares, openAt(10, false, release.StepPause, 0)); !s.Progress.Since.IsZero() {
		t.Errorf("one that begins anew began at %s", s.Progress.Since)
	}
	killed := byShares
	killed.Canary.OnAbandon = release.AbandonHold
	if s := promotion.Begin(killed, openAt(10, false, release.StepPause, 0)); s.Progress.Since != time.Unix(1, 0) {
		t.Errorf("one that goes on after it was killed in a pause began at %s", s.Progress.Since)
	}
	if s := promotion.Begin(killed, openAt(50, false, release.StepShift, 1)); !s.Progress.Since.IsZero() {
		t.Errorf("the pause after what it was killed in began at %s", s.Progress.Since)
	}
}

// TestAnyFailureOfAShareGoesBack at once.
func TestAnyFailureOfAShareGoesBack(t *testing.T) {
	t.Parallel()
	s, p := at(t, byShares, promotion.Seen{Main: release.Main{Deployment: "v1"}, Split: release.Split{"v1": 100}, Address: true}, release.StepPause)
	for _, outcome := range []promotion.Outcome{promotion.Failed, promotion.Interrupted, promotion.Breached, promotion.Asked, promotion.Unwatched} {
		if got := promotion.Next(s, p, outcome); got != promotion.Return {
			t.Errorf("%s: %s", outcome, got)
		}
	}
}

// TestScales: only what moves by shares has no more pods than they take, and a return makes
// the pointer say of the next release what it said before.
func TestScales(t *testing.T) {
	t.Parallel()
	scales, whole := byShares, byShares
	scales.Canary.Scales, whole.Canary.Scales, whole.Route = true, true, nil
	known := promotion.Known{From: "v1", Service: "api", Settled: true, Route: byShares.Route}
	warm := known
	warm.Stays = []release.Stay{{Name: "v2", State: release.StayStarted}}
	for name, tt := range map[string]struct {
		want promotion.Want
		has  promotion.Known
		does bool
	}{
		"a new release": {scales, known, true}, "not asked for": {byShares, known, false}, "without a route": {whole, known, false}, "a way back": {scales, warm, false},
	} {
		if got := promotion.Foresee(tt.want, tt.has, release.Keep{Count: 1}).Scales; got != tt.does {
			t.Errorf("%s: %t", name, got)
		}
	}
	seen := promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api", Route: byShares.Route, FirstShare: &release.CanaryStep{Weight: 5}}, Split: release.Split{"v1": 100}, Address: true}
	start := promotion.Begin(scales, seen)
	if !start.Progress.Scales {
		t.Error("what is written down does not say so")
	}
	now := start.Main
	now.FirstShare = scales.Canary.FirstShare()
	if back := promotion.Restored(start, now, time.Unix(1, 0)); back.FirstShare == nil || back.FirstShare.Weight != 5 {
		t.Errorf("after a return, the first share is %+v", back.FirstShare)
	}
}

// TestTimeOfAPause: who goes on with a pause goes on with its time; of one that is over,
// the next pause takes none.
func TestTimeOfAPause(t *testing.T) {
	t.Parallel()
	limited, raised := byShares, byShares
	limited.Canary.MaxWeight = 10
	timed, gate := openAt(10, true, release.StepPause, 0), openAt(50, true, release.StepPause, 1)
	resumed := gate
	resumed.Resumed = true
	most := openAt(10, true, release.StepPause, 0)
	most.Main.Progress.Steps = promotion.Plan(limited)
	most.Main.Progress.At = slices.IndexFunc(most.Main.Progress.Steps, func(step release.Step) bool { return step.Gate == release.GateMaxWeight })
	raised.Canary.Steps = []release.CanaryStep{{Weight: 10}, {Weight: 50, Pause: time.Minute}}
	for name, tt := range map[string]struct {
		want promotion.Want
		seen promotion.Seen
		kept bool
	}{
		"in a pause with a time":        {byShares, timed, true},
		"at a gate":                     {byShares, gate, true},
		"from a gate":                   {byShares, resumed, false},
		"from a limit that was raised":  {byShares, most, false},
		"from there, to another pause":  {raised, most, false},
		"from the beginning once again": {byShares, openAt(50, false, release.StepPause, 1), false},
	} {
		if s := promotion.Begin(tt.want, tt.seen); s.Progress.Since.IsZero() == tt.kept {
			t.Errorf("%s: its time counts from %s", name, s.Progress.Since)
		}
	}
}

// TestUndo: what is taken back is the first release behind an adopted rule, while that is
// open, and nothing else moves back.
func TestUndo(t *testing.T) {
	t.Parallel()
	undo := byShares
	undo.Retraces, undo.Undoes = true, true
	open := openAt(10, true, release.StepPause, 0)
	if s := promotion.Begin(undo, open); s.Course == promotion.Returns {
		t.Error("it takes back what has a release before it")
	}
	open.Main.Deployment, open.Main.Progress.From, open.Main.Progress.Theirs, open.Theirs = "", "", "old", "old"
	open.Main.Progress.Before.Deployment, open.Split = "", release.Split{"old": 90, "v2": 10}
	s := promotion.Begin(undo, open)
	if s.Course != promotion.Returns || s.Progress.Direction != release.DirectionBack || s.Progress.Side() != "old" {
		t.Errorf("it begins as %s, to %q", s.Course, s.Progress.Side())
	}
}
