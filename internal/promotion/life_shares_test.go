package promotion_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestPromotionsByShares does random things to an application whose traffic is shared by
// a route: promotions of three releases by all kinds of steps, which pause, fail, breach,
// are called off, skip what is left, and are killed around every write; and people's hands
// on the weights.
//
//  1. At most two releases have traffic, also as far as a data plane that was not waited
//     for may lag behind.
//  2. What is tried never gets less, but for a way back, which takes one step.
//  3. A former main gets all of it at once, unless its checks have failed since.
//  4. Whatever was left open, a promotion that nothing goes wrong with comes to an end.
//  5. Copies of requests go only to what is tried, while the other one has all of the
//     traffic, and nobody gets any after the end or a way back.
func TestPromotionsByShares(t *testing.T) {
	const enough = 1000
	tally, runs := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		r := &routed{T: t, tally: tally, split: release.Split{"v1": 100}, serving: map[string]bool{"v1": true}}
		r.main = release.Main{Deployment: "v1", Service: "api", Route: byShares.Route}
		t.Repeat(map[string]func(*rapid.T){
			"promote": func(t *rapid.T) { r.T = t; r.promote(false) },
			"meddle": func(t *rapid.T) {
				r.T = t
				if len(r.split) == 2 && rapid.IntRange(0, 3).Draw(t, "seldom") == 0 {
					r.meddle()
				}
			},
			"": func(t *rapid.T) { r.T = t; r.check() },
		})
		r.T = t
		r.end()
	})
	if t.Failed() || runs < enough {
		return
	}
	happened(t, tally, "promoted", "paused", "killed", "failed", "breached", "called off", "asked back", "refused", "restored first", "a way back is ended", "goes on with a share", "goes on in full", "asked to skip",
		"another one takes its place", "reverted", "back to a former main", "killed on the way back", "meddled",
		"copied", "goes on with copies", "called off with copies", "copies are ended first")
}

// routed is one application whose route shares the traffic.
type routed struct {
	*rapid.T

	main    release.Main
	split   release.Split   // as the route says
	copied  string          // who gets copies of requests, as it says, too; empty: nobody
	serving map[string]bool // who may have traffic, as long as nobody has seen the data plane follow
	meddled bool
	tally   map[string]int

	start promotion.Start // of the run that is under way
	at    release.Progress
	dies  bool // it may be killed
}

func (r *routed) count(what string) { r.tally[what]++ }

// want is what a configuration may ask for.
func (r *routed) want(to string) promotion.Want {
	w := byShares
	w.To, w.Canary = to, release.Canary{}
	for weight := 0; ; {
		weight += rapid.IntRange(1, 60).Draw(r.T, "by")
		if weight > 100 {
			break
		}
		w.Canary.Steps = append(w.Canary.Steps, release.CanaryStep{
			Weight: weight, Pause: time.Duration(rapid.IntRange(0, 1).Draw(r.T, "pause")) * time.Minute,
			Gate: rapid.SampledFrom([]release.Gate{"", "", release.GateManual}).Draw(r.T, "gate"),
		})
	}
	if rapid.Bool().Draw(r.T, "mirrors") {
		w.Canary.Mirror = &release.CanaryMirror{
			Percent: rapid.IntRange(1, 100).Draw(r.T, "copies"), Pause: time.Minute,
			Gate: rapid.SampledFrom([]release.Gate{"", release.GateManual}).Draw(r.T, "gate of copies"),
		}
	}
	w.Canary.OnAbandon = rapid.SampledFrom(release.AbandonPolicies()).Draw(r.T, "on abandon")
	w.Canary.MaxWeight = rapid.SampledFrom([]int{0, 0, 5, 30}).Draw(r.T, "most")
	w.RetryToken = rapid.SampledFrom([]string{"", "", "again"}).Draw(r.T, "retry token")
	return w
}

// killed says that the run dies here.
func (r *routed) killed() bool {
	if !r.dies || rapid.IntRange(0, 11).Draw(r.T, "lives") > 0 {
		return false
	}
	r.count("killed")
	return true
}

// promote is a run, and says whether all of it was done. One that is to end is disturbed
// by nothing.
func (r *routed) promote(ends bool) bool {
	to := rapid.SampledFrom([]string{"v1", "v2", "v2", "v3"}).Draw(r.T, "to")
	if open := r.main.Progress; open != nil && (ends || rapid.Bool().Draw(r.T, "the same again")) {
		to = open.To
	}
	w := r.want(to)
	if open := r.main.Progress; r.main.Skippable() == "" && open.To == to && rapid.IntRange(0, 4).Draw(r.T, "in full") == 0 {
		w.Skips, w.Canary = true, release.Canary{}
		if has := open.Given(); has != nil {
			w.Canary.Steps = []release.CanaryStep{*has}
		}
	}
	if ends {
		w.RetryToken, w.Canary.MaxWeight = "at last", 0
	}
	r.begin(w, ends || rapid.Bool().Draw(r.T, "resumed"))
	r.dies = !ends
	for {
		if r.dies && r.start.Shares && !r.start.Skips && r.at.Left() && rapid.IntRange(0, 15).Draw(r.T, "goes on step by step") == 0 {
			r.start.Skips = true
			r.count("asked to skip")
		}
		switch promotion.Next(r.start, &r.at, promotion.Pending) { //nolint:exhaustive // of the others, step says what they do
		case promotion.Skip:
			r.at.At++
		case promotion.Refuse:
			r.count("refused")
			return false
		case promotion.Return:
			r.count("a way back is ended")
			r.back(promotion.Failed)
			return false
		case promotion.Finish:
			r.count("promoted")
			r.main.Progress = nil
			return true
		default:
			if !r.do() {
				return false
			}
		}
	}
}

func (r *routed) begin(w promotion.Want, resumed bool) {
	if now, all := r.split.Stable(); all && now != r.main.Deployment { // all had moved, and it was killed before it had written that down
		r.serving = map[string]bool{now: true} // the data plane has had its time: else three such kills in a row would let it lag behind all three
	}
	open, former := r.main.Progress, slices.Contains(r.main.Previous, w.To)
	seen := promotion.Seen{Main: r.main, Split: maps.Clone(r.split), Address: true, Planned: r.main.Deployment, Resumed: resumed && open != nil && open.Paused, Mirrors: r.copied != ""}
	r.start = promotion.Begin(w, seen)
	r.at = r.start.Progress
	switch {
	case open != nil && w.To == open.From:
		r.count("reverted")
	case former && open == nil:
		r.count("back to a former main")
	case open != nil && w.To != open.To:
		r.count("another one takes its place")
	case r.start.Resumes > 0 && r.copied == w.To:
		r.count("goes on with copies")
	case r.start.Resumes > 0 && r.split[w.To] > 0:
		r.count("goes on with a share")
	}
	if w.Skips && r.split[w.To] > 0 && r.split[w.To] < 100 {
		r.count("goes on in full")
	}
	if r.start.Restores && r.copied != "" {
		r.count("copies are ended first")
	}
	breached := r.main.Breach != nil && r.main.Breach.To == w.To // since it was main: it is no longer known to be good
	if former && open == nil && !breached && r.start.Shares {
		r.Fatalf("%s was main before, and is tried by shares", w.To)
	}
}

// save writes down how far the run has come, or is killed right after it.
func (r *routed) save(main release.Main) bool {
	progress := r.at
	main.Progress = &progress
	r.main = main
	return !r.killed()
}

// write makes the route share the traffic, and send copies where copied is somebody. It
// says whether the data plane was seen to follow.
func (r *routed) write(want release.Split, copied string, waits bool) bool {
	gets := slices.Collect(maps.Keys(want))
	if copied != "" {
		gets = append(gets, copied)
	}
	for _, name := range gets {
		r.serving[name] = true
	}
	r.Logf("%s of %s from %s: the route at %v, with copies to %q", r.at.Step(), r.at.To, r.at.From, want, copied)
	r.split, r.copied = want, copied
	r.check()
	if !waits || r.killed() {
		return false
	}
	r.serving = map[string]bool{}
	for _, name := range gets {
		r.serving[name] = true
	}
	return true
}

func (r *routed) check() {
	if len(r.serving) > 2 {
		r.Fatalf("%v may have traffic or copies, with the route at %v, in %+v of %+v", slices.Sorted(maps.Keys(r.serving)), r.split, r.at, r.main)
	}
	if r.copied == "" {
		return
	}
	open := r.main.Progress
	if now, all := r.split.Stable(); !all || now == r.copied || open == nil {
		r.Fatalf("%s gets copies, with the route at %v, and %+v is open", r.copied, r.split, open)
	}
}

// do is one step. It is false where that is the run's last.
func (r *routed) do() bool {
	step, from, to := r.at.Step(), r.at.From, r.at.To
	if r.start.Skips && r.start.Shares && (step.Kind == release.StepPause || step.Kind == release.StepShift && step.Weight < 100) {
		r.Fatalf("%s is given all, and there is a step before: %v", to, step)
	}
	if kinds := []release.StepKind{release.StepReady, release.StepShift, release.StepPause}; r.dies && slices.Contains(kinds, step.Kind) && rapid.IntRange(0, 9).Draw(r.T, "well") == 0 {
		r.fail(step)
		return false
	}
	main := r.main
	if r.main.Progress == nil || r.main.Progress.To != to || r.main.Progress.Direction != release.DirectionForward {
		main = r.start.Main
	}
	switch step.Kind { //nolint:exhaustive // the others move nothing
	case release.StepRestore:
		r.count("restored first")
		if !r.save(main) || !r.write(release.Split{from: 100}, "", true) {
			return false
		}
	case release.StepShift:
		want, copied := release.Split{to: 100}, ""
		switch {
		case step.Mirror > 0:
			want, copied = release.Split{from: 100}, to
			r.count("copied")
		case step.Weight < 100 && from != to:
			want = release.Split{from: 100 - step.Weight, to: step.Weight}
		}
		if now := r.split[to]; now > step.Weight && !r.meddled {
			r.Fatalf("%s has %d %%, and is to have %d: %+v", to, now, step.Weight, r.at)
		}
		if !r.save(main) || !r.write(want, copied, true) {
			return false
		}
		r.at.At++
		if step.Weight == 100 {
			main, r.meddled = promotion.Moved(r.start, main, time.Unix(1, 0), time.Unix(1, 0)), false
		}
		return r.save(main)
	case release.StepPause:
		if step.Gate != "" {
			r.at.Paused = true
			r.save(main)
			r.count("paused")
			return false
		}
	case release.StepCommit:
		r.at.At++
		r.at.Before = nil
		return r.save(main)
	default:
	}
	r.at.At++
	return true
}

// fail ends a step otherwise than well.
func (r *routed) fail(step release.Step) {
	outcome := rapid.SampledFrom([]promotion.Outcome{promotion.Failed, promotion.Interrupted, promotion.Breached, promotion.Asked}).Draw(r.T, "how")
	if step.Kind != release.StepPause && outcome != promotion.Interrupted {
		outcome = promotion.Failed // only what is watched can end otherwise
	}
	if promotion.Next(r.start, &r.at, outcome) != promotion.Return {
		if step.Kind != release.StepReady {
			r.Fatalf("after %s at %s, it does not go back", outcome, step)
		}
		return // as it was
	}
	r.count(map[promotion.Outcome]string{promotion.Failed: "failed", promotion.Interrupted: "called off", promotion.Breached: "breached", promotion.Asked: "asked back"}[outcome])
	if outcome == promotion.Interrupted && r.copied != "" {
		r.count("called off with copies")
	}
	r.back(outcome)
}

// back gives the traffic back, in one step.
func (r *routed) back(outcome promotion.Outcome) {
	from, main := r.at.From, r.main
	if r.start.Stage == promotion.Untouched && (main.Progress == nil || main.Progress.To != r.at.To) {
		return // nothing was written
	}
	if from == "" || from == r.at.To {
		return // there is nothing to go back to
	}
	if r.at.Direction = release.DirectionBack; r.start.Course != promotion.Returns {
		main.Breach = r.start.Before.Breach
		if outcome == promotion.Breached || outcome == promotion.Asked {
			main.Breach = &release.Breach{From: from, To: r.at.To}
		}
	}
	if !r.save(main) {
		r.count("killed on the way back")
		return
	}
	interrupted := outcome == promotion.Interrupted && r.start.Shares
	if !r.write(release.Split{from: 100}, "", !interrupted) {
		return // the next run sees whether it is there
	}
	r.meddled, r.main = false, promotion.Restored(r.start, r.main, time.Unix(1, 0))
}

// meddle gives those who share the traffic other shares.
func (r *routed) meddle() {
	r.count("meddled")
	r.meddled = true
	names := slices.Sorted(maps.Keys(r.split))
	share := rapid.IntRange(1, 99).Draw(r.T, "share")
	r.split = release.Split{names[0]: share, names[1]: 100 - share}
}

// end lets nothing go wrong any more.
func (r *routed) end() {
	const gates = 100 // that one promotion may have at most
	for range gates {
		if r.promote(true) {
			if now, all := r.split.Stable(); !all || now != r.at.To || r.main.Deployment != now || r.main.Progress != nil || r.copied != "" {
				r.Fatalf("promoted to %s: the route is at %v, and main is %+v", r.at.To, r.split, r.main)
			}
			return
		}
	}
	r.Fatalf("no end: %+v, %+v, and the route at %v", r.main, r.main.Progress, r.split)
}
