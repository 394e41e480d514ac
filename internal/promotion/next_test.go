package promotion_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// at is a promotion from v1 to v2 that has come to a kind of step.
func at(t *testing.T, want promotion.Want, seen promotion.Seen, kind release.StepKind) (promotion.Start, *release.Progress) {
	t.Helper()
	s := promotion.Begin(want, seen)
	p := s.Progress
	for p.Step().Kind != kind {
		if p.At++; p.At > len(p.Steps) {
			t.Fatalf("no %s in %+v", kind, p.Steps)
		}
	}
	return s, &p
}

var (
	baking = promotion.Want{To: "v2", Service: "api", Bake: time.Minute, Reversible: true}
	onV1   = promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api"}, Split: release.Split{"v1": 100}, Address: true}
)

// cutOff is what a run has left that moved the traffic from v1 to v2, and died while it
// watched v2.
func cutOff(direction release.Direction) promotion.Seen {
	s := promotion.Begin(baking, onV1)
	main := promotion.Moved(s, s.Main, time.Now(), time.Now())
	open := s.Progress
	open.At, open.Direction = open.Until(release.StepShift), direction
	main.Progress = &open
	return promotion.Seen{Main: main, Split: release.Split{"v2": 100}, Address: true, Planned: "v2"}
}

func TestNext(t *testing.T) {
	for name, tt := range map[string]struct {
		seen    promotion.Seen
		kind    release.StepKind
		outcome promotion.Outcome
		want    promotion.Decision
	}{
		"a step that is due is done":                           {onV1, release.StepShift, promotion.Pending, promotion.Do},
		"what is there need not be ready":                      {cutOff(release.DirectionForward), release.StepReady, promotion.Pending, promotion.Skip},
		"an address that keeps its name is not renamed":        {onV1, release.StepRename, promotion.Pending, promotion.Skip},
		"a release that is not ready does not begin":           {onV1, release.StepReady, promotion.Failed, promotion.Halt},
		"on another cluster it has the traffic: it goes back":  {cutOff(release.DirectionForward), release.StepReady, promotion.Failed, promotion.Return},
		"but not because somebody has called it off":           {cutOff(release.DirectionForward), release.StepReady, promotion.Interrupted, promotion.Halt},
		"a shift that fails goes back":                         {onV1, release.StepShift, promotion.Failed, promotion.Return},
		"and one that is called off":                           {onV1, release.StepShift, promotion.Interrupted, promotion.Return},
		"a release that fails its bake goes back":              {onV1, release.StepAnalyse, promotion.Breached, promotion.Return},
		"nobody could watch: nothing speaks against it":        {onV1, release.StepAnalyse, promotion.Unwatched, promotion.Halt},
		"a bake that is called off begins again":               {onV1, release.StepAnalyse, promotion.Interrupted, promotion.Halt},
		"nothing goes back from the commit on":                 {onV1, release.StepCommit, promotion.Failed, promotion.Halt},
		"nor when what is not needed cannot be removed":        {onV1, release.StepCollect, promotion.Failed, promotion.Halt},
		"who has lost does nothing more":                       {onV1, release.StepShift, promotion.Lost, promotion.Yield},
		"nor on a way back":                                    {cutOff(release.DirectionBack), release.StepReady, promotion.Lost, promotion.Yield},
		"a way back that was cut off is ended before anything": {cutOff(release.DirectionBack), release.StepReady, promotion.Pending, promotion.Return},
	} {
		s, p := at(t, baking, tt.seen, tt.kind)
		if got := promotion.Next(s, p, tt.outcome); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	s, p := at(t, baking, onV1, release.StepCollect)
	if p.At++; promotion.Next(s, p, promotion.Pending) != promotion.Finish {
		t.Error("after the last step, there is one more")
	}
}

// TestWhatDidNotPassIsRefused until somebody says to try it again, or goes back to it by
// hand.
func TestWhatDidNotPassIsRefused(t *testing.T) {
	seen := onV1
	seen.Main.Breach = &release.Breach{From: "v1", To: "v2", RetryToken: "1"}
	again, byHand := baking, baking
	again.RetryToken, byHand.Retraces = "2", true
	for decision, wants := range map[promotion.Decision][]promotion.Want{promotion.Refuse: {baking}, promotion.Do: {again, byHand}} {
		for _, want := range wants {
			s := promotion.Begin(want, seen)
			if got := firstOf(&s); got != decision {
				t.Errorf("%+v: %s, want %s", want, got, decision)
			}
		}
	}
}

// firstOf is the first decision that does not pass over a step.
func firstOf(s *promotion.Start) promotion.Decision {
	decision := promotion.Next(*s, &s.Progress, promotion.Pending)
	for ; decision == promotion.Skip; decision = promotion.Next(*s, &s.Progress, promotion.Pending) {
		s.Progress.At++
	}
	return decision
}

// TestStrongest: where clusters stand or fall together, one that goes back takes all
// with it, and one that is lost ends it.
func TestStrongest(t *testing.T) {
	if got := promotion.Strongest(promotion.Do, promotion.Return, promotion.Halt); got != promotion.Return {
		t.Error(got)
	}
	if got := promotion.Strongest(promotion.Return, promotion.Yield); got != promotion.Yield {
		t.Error(got)
	}
	if got := promotion.Strongest(); got != promotion.Finish {
		t.Error(got)
	}
}

func TestBegin(t *testing.T) {
	gone := onV1
	gone.Split = release.Split{}
	first := promotion.Seen{Split: release.Split{}}
	done := promotion.Seen{Main: release.Main{Deployment: "v2", Service: "api"}, Split: release.Split{"v2": 100}, Address: true, Planned: "v2"}
	unwritten := promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api"}, Split: release.Split{"v2": 100}, Address: true, Planned: "v1"}
	byHand := promotion.Seen{Main: release.Main{Deployment: "v1", Service: "api"}, Split: release.Split{"v3": 100}, Address: true, Planned: "v1"}
	typo := byHand
	typo.Stray = true
	for name, tt := range map[string]struct {
		seen   promotion.Seen
		course promotion.Course
		stage  promotion.Stage
		from   string
		spared int
	}{
		"the first":                        {first, promotion.Moves, promotion.Untouched, "", 0},
		"another one":                      {onV1, promotion.Moves, promotion.Untouched, "v1", 0},
		"it is there":                      {done, promotion.Stands, promotion.Untouched, "v2", 0},
		"somebody has deleted the address": {gone, promotion.Moves, promotion.Untouched, "v1", 0},
		"cut off after the switch":         {unwritten, promotion.Moves, promotion.Untouched, "v1", 0},
		"cut off in its bake":              {cutOff(release.DirectionForward), promotion.Resumes, promotion.Recorded, "v1", 0},
		"cut off on the way back":          {cutOff(release.DirectionBack), promotion.Returns, promotion.Recorded, "v1", 0},
		"somebody has moved it":            {byHand, promotion.Moves, promotion.Untouched, "v3", 1},
		"to what is no release":            {typo, promotion.Moves, promotion.Untouched, "v1", 0},
	} {
		s := promotion.Begin(baking, tt.seen)
		if s.Course != tt.course || s.Stage != tt.stage || s.Progress.From != tt.from || len(s.Spared) != tt.spared {
			t.Errorf("%s: %s at stage %d from %q, spares %v; want %+v", name, s.Course, s.Stage, s.Progress.From, s.Spared, tt)
		}
		if moves := tt.course.Moves(); moves != (s.Progress.Before != nil) {
			t.Errorf("%s: it moves traffic, %t, and before it was %+v", name, moves, s.Progress.Before)
		}
	}
	// Only the end is missing: nothing goes back any more.
	over := cutOff(release.DirectionForward)
	over.Main.Progress.Before = nil
	if s := promotion.Begin(baking, over); s.Course != promotion.Finishes || s.Progress.Before != nil {
		t.Errorf("%+v", s)
	}
}

// TestPlanHasWhatTheRequestAsksFor: a step that nobody asks for is not in the list.
func TestPlanHasWhatTheRequestAsksFor(t *testing.T) {
	kinds := func(want promotion.Want) (all []release.StepKind) {
		for _, step := range promotion.Plan(want) {
			all = append(all, step.Kind)
		}
		return all
	}
	stopping := baking
	stopping.Stopped = true
	shared := map[release.StepKind]bool{release.StepRestore: true, release.StepPause: true}
	byShares := baking
	byShares.Route, byShares.Canary = new(release.Route), release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: time.Minute}}}
	for _, kind := range release.StepKinds() {
		if shared[kind] {
			if slices.Contains(kinds(baking), kind) || !slices.Contains(kinds(byShares), kind) {
				t.Errorf("%s: in %v and in %v", kind, kinds(baking), kinds(byShares))
			}
			continue
		}
		in, inStopping := slices.Contains(kinds(baking), kind), slices.Contains(kinds(stopping), kind)
		if in != (kind != release.StepStop) || inStopping != (kind != release.StepStart) {
			t.Errorf("%s: in %v %t, in %v %t", kind, kinds(baking), in, kinds(stopping), inStopping)
		}
	}
	for _, kind := range kinds(promotion.Want{To: "v2"}) {
		if kind == release.StepAnalyse || kind == release.StepCommit {
			t.Errorf("a plan without a bake has %s", kind)
		}
	}
}

// TestStoppedApplication: pods are asked for only where there shall be some, and a stop
// asks nothing of pods that go.
func TestStoppedApplication(t *testing.T) {
	asleep := func(seen promotion.Seen) promotion.Seen {
		seen.Main.State = release.DesiredStopped
		return seen
	}
	moved := promotion.Seen{Main: release.Main{Deployment: "v2", Service: "api"}, Split: release.Split{"v2": 100}, Address: true}
	stop, start := promotion.Want{To: "v2", Service: "api", Bake: time.Minute, Stopped: true}, promotion.Want{To: "v2", Service: "api", Bake: time.Minute}
	for name, tt := range map[string]struct {
		want  promotion.Want
		seen  promotion.Seen
		steps []release.StepKind
	}{
		"a stop":                    {stop, moved, []release.StepKind{release.StepShift, release.StepStop, release.StepCollect}},
		"a stop of what is stopped": {stop, asleep(moved), []release.StepKind{release.StepShift, release.StepStop, release.StepCollect}},
		"a bump and a stop":         {stop, onV1, []release.StepKind{release.StepReady, release.StepShift, release.StepAnalyse, release.StepStop, release.StepCollect}},
		"a bump while stopped":      {stop, asleep(onV1), []release.StepKind{release.StepReady, release.StepShift, release.StepStop, release.StepCollect}},
		"a start":                   {start, asleep(moved), []release.StepKind{release.StepStart, release.StepShift, release.StepCollect}},
		"a bump and a start":        {start, asleep(onV1), []release.StepKind{release.StepStart, release.StepReady, release.StepShift, release.StepAnalyse, release.StepCollect}},
	} {
		s := promotion.Begin(tt.want, tt.seen)
		var steps []release.StepKind
		for firstOf(&s) == promotion.Do {
			steps = append(steps, s.Progress.Step().Kind)
			s.Progress.At++
		}
		if !slices.Equal(steps, tt.steps) {
			t.Errorf("%s: %v, want %v", name, steps, tt.steps)
		}
		if idle := tt.want.Stopped && !slices.Contains(steps, release.StepAnalyse); s.Idle != idle {
			t.Errorf("%s: idle %t, want %t", name, s.Idle, idle)
		}
	}
}
