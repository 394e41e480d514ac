package promotion_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// running is a main_deployment's Create or Update that is under way.
type running struct {
	token    string
	keep     release.Keep
	start    promotion.Start
	progress release.Progress
	stage    promotion.Stage
	saved    bool // its progress is written down
	meddled  bool // somebody moved or deleted the address: only the next refresh sees where traffic is
}

func (p *running) to() string   { return p.progress.To }
func (p *running) from() string { return p.progress.From }

// promote moves the address to a deployment that is in a state. It may end in
// every way at every step, or go on while other things happen.
func (w *world) promote() {
	w.refresh()
	s := pick(w, "state", w.states)
	if w.main != nil && w.main.Progress != nil {
		same := rapid.Bool().Draw(w.T, "the same again")
		if i := slices.IndexFunc(w.states, func(one *state) bool { return (one.name == w.main.Progress.To) == same }); i >= 0 {
			s = w.states[i]
		}
	}
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(w.T, "minutes")) * time.Minute)
	p := w.begin(s.name)
	if !w.startable(p) {
		return
	}
	w.promotion, w.arriving = p, "" // the Lease has expired, and what was on its way has not come
	switch {
	case p.start.Course == promotion.Returns:
		w.count("a way back is ended")
		w.giveBack(promotion.Failed)
	case p.start.Course == promotion.Resumes && rapid.Bool().Draw(w.T, "its bake fails"):
		w.advance(2) // its progress, and that the traffic is there
		w.failPromotion(promotion.Breached)
	case p.start.Unproven != "" || rapid.Bool().Draw(w.T, "at once"):
		w.advance(6)
	default:
		w.advance(pick(w, "steps at first", []int{0, 2, 2, 3, 4, 4, 4}))
	}
}

// begin looks at the address, and decides how a promotion begins.
func (w *world) begin(to string) *running {
	p := &running{token: w.fresh("main"), keep: release.Keep{
		Count: rapid.IntRange(0, 2).Draw(w.T, "keep"),
		TTL:   pick(w, "ttl", []time.Duration{0, time.Hour}),
		State: pick(w, "keep state", release.DesiredStates()),
	}}
	if w.pointer != nil {
		p.token = w.pointer.token
	}
	want := promotion.Want{To: to, Service: application, RetryToken: pick(w, "retry token", []string{"", "", "again"})}
	if want.Reversible = rapid.IntRange(0, 3).Draw(w.T, "bakes") > 0; want.Reversible {
		want.Bake = time.Minute
	}
	seen := promotion.Seen{Split: w.split(), Address: w.selector != ""}
	if w.main != nil {
		seen.Main, seen.Planned = *w.main, w.main.Deployment
	}
	p.start = promotion.Begin(want, seen)
	p.progress, p.stage = p.start.Progress, p.start.Stage
	// Somebody deleted the address: the state's deployment_id is the last that was seen.
	p.meddled = w.selector == "" && w.main != nil
	if fresh := p.start.Course == promotion.Moves && p.start.Unproven == "" && (seen.Main.Progress == nil || seen.Main.Progress.Before == nil); fresh {
		w.was = &seen.Main
	}
	switch {
	case p.start.Unproven != "":
		w.count("a bake that was cut off is replaced")
	case p.start.Course == promotion.Resumes:
		w.count("a bake begins again")
	}
	return p
}

// startable says that a promotion may begin: nothing speaks against its release.
func (w *world) startable(p *running) bool {
	if promotion.Next(p.start, &p.progress, promotion.Pending) == promotion.Refuse {
		w.count("what did not pass its bake is refused")
		return false
	}
	r := w.record(p.to())
	refused := release.Check(release.ActionMarkMain, release.Standing{Cluster: "prod", Status: r.Status})
	if !p.start.There && p.start.Course != promotion.Returns && (refused != nil || r.Custody == release.CustodyTerminating || !w.pods[p.to()].up) {
		w.count("mark main is refused")
		return false
	}
	return true
}

// split is who gets the traffic of the main address.
func (w *world) split() release.Split {
	if w.selector == "" {
		return release.Split{}
	}
	return release.Split{w.selector: 100}
}

// refresh is a Read of the main deployment: it says what the address selects.
// It waits for an apply in the same state.
func (w *world) refresh() {
	w.free()
	if stable, ok := w.split().Stable(); ok && w.pointer != nil {
		w.pointer.deployment = stable
	}
}

// promoteOn goes on with a promotion, fails it or kills it.
func (w *world) promoteOn() {
	if w.promotion == nil {
		w.Skip("no promotion")
	}
	switch w.oftenDone("promotion", "goes on", "fails", "is killed") {
	case "goes on":
		w.advance(6)
	case "fails":
		w.failPromotion(pick(w, "how", []promotion.Outcome{promotion.Breached, promotion.Breached, promotion.Asked, promotion.Failed, promotion.Interrupted, promotion.Unwatched, promotion.Lost}))
	case "is killed":
		w.killPromotion()
		if rapid.Bool().Draw(w.T, "and again at once") {
			w.promote()
		}
	}
}

// advance does up to so many writes, as the executor does: the progress first, then
// what it says.
func (w *world) advance(writes int) {
	for range writes {
		p := w.promotion
		if p == nil {
			return
		}
		for promotion.Next(p.start, &p.progress, promotion.Pending) == promotion.Skip {
			p.progress.At++
		}
		switch step := p.progress.Step(); {
		case step.Kind == release.StepReady, step.Kind == release.StepAnalyse:
			p.progress.At++
		case step.Kind == release.StepShift && !p.saved:
			w.save(p, p.main(w))
		case step.Kind == release.StepShift && w.selector != p.to():
			if !w.pods[p.to()].up {
				w.Fatalf("traffic is about to move to %s, which has no pods any more", p.to())
			}
			w.selector, p.stage = p.to(), max(p.stage, promotion.Shifted)
		case step.Kind == release.StepShift:
			p.progress.At++
			if p.progress.Before != nil {
				p.stage = promotion.Recorded
			}
			w.save(p, promotion.Moved(p.start, *w.main, w.now, w.now))
		case step.Kind == release.StepCommit:
			p.progress.At++
			p.progress.Before = nil
			w.save(p, *w.main)
		case step.Kind == release.StepCollect:
			w.finish(p)
			return
		}
	}
}

// main is the pointer to go on with.
func (p *running) main(w *world) release.Main {
	if w.main == nil || p.start.Unproven != "" {
		return p.start.Main
	}
	return *w.main
}

// save writes down how far a promotion has come.
func (w *world) save(p *running, main release.Main) {
	progress := p.progress
	main.Progress, main.Owner = &progress, p.token
	main = main.Keeping(p.keep)
	w.main, p.saved, p.stage = &main, true, max(p.stage, promotion.Begun)
}

// finish ends a promotion, or is killed at it.
func (w *world) finish(p *running) {
	if w.main.Progress.Open() {
		w.Fatalf("what nobody needs goes while %+v may still go back", w.main.Progress)
	}
	if !w.collect(*w.main, true) {
		w.promotion = nil // killed: the progress stays
		return
	}
	next := *w.main
	next.Progress = nil
	w.main = &next
	if before := p.start.Before.Deployment; p.start.Unproven != "" && before != "" && before != p.to() {
		w.count("what was main before is kept")
		if len(next.Previous) == 0 || next.Previous[0] != before {
			w.Fatalf("%s was main before a bake that was cut off, and is not the first of %v", before, next.Previous)
		}
	}
	w.endPromotion(p.to())
	w.count("promoted")
}

// endPromotion writes the state, which must then tell the truth.
func (w *world) endPromotion(deployment string) {
	p := w.promotion
	w.promotion = nil
	w.pointer = &pointer{token: p.token, deployment: deployment}
	if stable, ok := w.split().Stable(); !p.meddled && (!ok || stable != deployment) {
		w.Fatalf("the state says %s, and the traffic goes to %q", deployment, w.selector)
	}
}

// failPromotion is an error at the present step.
func (w *world) failPromotion(outcome promotion.Outcome) {
	p := w.promotion
	for promotion.Next(p.start, &p.progress, promotion.Pending) == promotion.Skip {
		p.progress.At++
	}
	if watched := []promotion.Outcome{promotion.Breached, promotion.Asked, promotion.Unwatched}; slices.Contains(watched, outcome) && p.progress.Step().Kind != release.StepAnalyse {
		outcome = promotion.Failed // only what is watched can end like that
	}
	w.count("a promotion failed")
	next := promotion.Next(p.start, &p.progress, outcome)
	if next == promotion.Return {
		w.giveBack(outcome)
		return
	}
	if next != promotion.Halt && next != promotion.Yield {
		w.Fatalf("after %s at %+v: %s", outcome, p.progress, next)
	}
	if p.stage < promotion.Shifted || outcome == promotion.Lost || p.progress.Step().Kind == release.StepReady {
		w.promotion = nil // nothing was written, or it is somebody else's by now
		return
	}
	w.endPromotion(p.to()) // a success with a warning
}

// giveBack makes everything what it was, or is killed at it.
func (w *world) giveBack(outcome promotion.Outcome) {
	p := w.promotion
	if p.stage == promotion.Untouched {
		w.promotion = nil
		return
	}
	if p.start.Course == promotion.Resumes {
		w.count("a bake that began again fails")
	}
	if p.stage == promotion.Recorded && p.start.Course != promotion.Returns {
		p.progress.Direction = release.DirectionBack
		next := *w.main
		if next.Breach = p.start.Before.Breach; outcome == promotion.Breached {
			next.Breach = &release.Breach{From: p.from(), To: p.to()}
		}
		w.save(p, next)
		if rapid.IntRange(0, 3).Draw(w.T, "killed on the way back") == 0 {
			w.count("killed on the way back")
			w.promotion = nil
			return
		}
	}
	if p.stage >= promotion.Shifted && (!p.start.There || p.start.Course.Moves() && p.from() != p.to()) {
		if p.from() != "" && !w.pods[p.from()].up {
			w.Fatalf("traffic is about to go back to %s, which has no pods any more", p.from())
		}
		w.selector = p.from()
	}
	if p.from() == "" && p.start.Before.Deployment == "" { // there was no address, and a create that failed leaves no state
		w.main, w.promotion = nil, nil
		return
	}
	next := promotion.Restored(p.start, *w.main, w.now)
	if was := w.was; was != nil && was.Deployment == p.from() && !p.meddled && (next.Deployment != was.Deployment || !slices.Equal(next.Previous, was.Previous)) {
		w.Fatalf("going back made %s after %v of %s after %v", next.Deployment, next.Previous, was.Deployment, was.Previous)
	}
	next.Owner = p.token
	w.main = &next
	switch {
	case w.pointer == nil || w.selector == "":
		w.promotion = nil
	case p.stage >= promotion.Shifted: // a refresh has seen the traffic where it is
		w.endPromotion(w.selector)
	default:
		w.endPromotion(w.pointer.deployment)
	}
}

// keepsTheWayBack is what must hold as long as a promotion may go back.
func (w *world) keepsTheWayBack() {
	if w.main == nil || w.main.Progress == nil {
		return
	}
	if from := w.main.Progress.From; from != "" && w.main.Progress.Open() && !w.pods[from].up {
		w.Fatalf("%+v may go back, and %s has no pods", w.main.Progress, from)
	}
}

// comesToAnEnd promotes until nothing is open: nothing goes wrong any more. It promotes
// what was being promoted, and something else where that is refused.
func (w *world) comesToAnEnd() {
	w.promotion = nil // killed
	var up []string
	if w.main != nil && w.main.Progress != nil {
		up = append(up, w.main.Progress.To)
	}
	up = append(up, w.up()...)
	for len(up) > 0 {
		p := w.begin(up[0])
		w.promotion = p
		switch next := promotion.Next(p.start, &p.progress, promotion.Pending); {
		case next == promotion.Refuse, !p.start.There && p.start.Course != promotion.Returns && !w.pods[up[0]].up:
			w.promotion, up = nil, up[1:]
			continue
		case next == promotion.Return:
			w.giveBack(promotion.Failed)
			continue
		}
		for range 8 {
			w.advance(1)
		}
		if w.main != nil && w.main.Progress == nil && w.selector == p.to() && w.main.Deployment == p.to() || w.promotion == nil {
			return // or was killed at the very last, as collecting may be
		}
		w.Fatalf("no end: %+v, %+v, and traffic at %q", w.main, w.main.Progress, w.selector)
	}
}

// killPromotion leaves everything as it is. The write that moves traffic may
// still arrive.
func (w *world) killPromotion() {
	w.count("a promotion was killed")
	p := w.promotion
	if p.saved && p.progress.Step().Kind == release.StepShift && w.selector == p.from() && !p.start.There {
		w.arriving, w.arrivesIn = p.to(), rapid.IntRange(2, 4).Draw(w.T, "arrives in")
	}
	w.promotion = nil
}

// collect is the end of a promotion, or of the address. It says whether it was
// done, rather than killed on the way.
func (w *world) collect(main release.Main, promoted bool) bool {
	main.Progress = nil
	c := release.Collect(main, w.records, w.now)
	kept := map[string]bool{}
	for i, name := range main.Previous {
		kept[name] = promoted && (i < main.KeepCount || slices.Contains(main.Spared, name)) && (main.KeepTTL == 0 || w.now.Sub(main.Left[name]) < main.KeepTTL)
	}
	for _, name := range c.Retain {
		w.write(name, func(r *release.Record) { r.Custody = release.CustodyRetained })
		w.count("retained by a promotion")
	}
	for _, name := range slices.Concat(c.Stop, c.Start) {
		r, stop := w.records[name], slices.Contains(c.Stop, name)
		switch {
		case r.Custody != release.CustodyRetained || !kept[name]:
			w.Fatalf("%s is to be stopped or started, and is %+v", name, r)
		case r.Busy() && !w.dead[r.Run], stop && w.carries(name):
			continue // the engine looks at both, live
		}
		if !w.keepAs(name, stop, w.oftenDone("cut", cutNowhere, cutRecord, cutPods)) {
			return false
		}
	}
	for _, name := range c.Remove {
		r := w.records[name]
		waits := r.Custody == release.CustodyRetained || r.Custody == release.CustodyCondemned
		switch {
		case main.Deployment == name:
			w.Fatalf("a promotion collects main itself, %s", name)
		case r.Custody == release.CustodyOwned:
			w.Fatalf("%s is collected, and in the state of %+v", name, w.holder(name))
		case kept[name] && waits && r.Status == release.StatusStarted:
			w.Fatalf("%s is collected, and kept for going back", name)
		case r.Busy() && !w.dead[r.Run], w.carries(name):
			continue // the engine looks at both, live
		}
		if !w.remove(name, "a promotion", w.oftenDone("cut", cutNowhere, cutRecord, cutPods)) {
			return false
		}
		w.count("collected")
	}
	return true
}

// keepAs stops or starts what is retained. It says whether it was done, rather
// than killed on the way.
func (w *world) keepAs(name string, stop bool, cut string) bool {
	begun, done := release.StatusStarting, release.StatusStarted
	if stop {
		begun, done = release.StatusStopping, release.StatusStopped
	}
	run := w.fresh("run")
	w.dead[run] = cut != cutNowhere
	w.write(name, func(r *release.Record) { r.Custody, r.Status, r.Run = release.CustodyRetained, begun, run })
	if cut == cutRecord {
		return false
	}
	if stop {
		w.scaleDown(name, "keep_previous")
	} else {
		w.apply(name, w.records[name].Hash)
	}
	if cut == cutPods {
		return false
	}
	w.write(name, func(r *release.Record) { r.Status, r.Run = done, "" })
	w.count("retained, " + string(done))
	return true
}

// unmain is the Delete of the main deployment.
func (w *world) unmain() {
	w.free()
	if rapid.IntRange(0, 3).Draw(w.T, "seldom") > 0 {
		w.Skip("else there would be no main most of the time")
	}
	if w.main == nil || w.pointer != nil && w.pointer.token != w.main.Owner {
		w.Skip("no main, or not ours")
	}
	w.count("main is deleted")
	w.selector, w.arriving = "", ""
	if rapid.IntRange(0, 3).Draw(w.T, "killed") == 0 {
		return
	}
	w.main = &release.Main{Owner: w.main.Owner}
	if w.collect(*w.main, false) {
		w.main, w.pointer = nil, nil
	}
}

// meddle is what people do: move the address, make a Service of their own,
// delete either, delete a record.
func (w *world) meddle() {
	what := pick(w, "meddling", []string{"move the address", "delete the address", "their own Service", "no Service of their own", "delete a record"})
	w.count(what)
	switch what {
	case "move the address":
		if w.selector != "" {
			w.touchAddress(pick(w, "to", w.up()))
		}
	case "delete the address":
		w.touchAddress("")
	case "their own Service":
		w.byHand = pick(w, "to", w.up())
	case "no Service of their own":
		w.byHand = ""
	case "delete a record":
		w.forget(release.NameOf(application, pick(w, "of", contents)))
	}
}

func (w *world) touchAddress(selector string) {
	w.selector, w.arriving = selector, "" // what was on its way meets a conflict
	if w.promotion != nil {
		w.promotion.meddled = true
	}
}

// lose is what becomes of states: a token is lost, a state is deleted.
func (w *world) lose() {
	switch pick(w, "loss", []string{"a token", "a deployment's state", "main's state"}) {
	case "a token":
		pick(w, "state", w.states).token = ""
	case "a deployment's state":
		w.drop(pick(w, "state", w.states))
	case "main's state":
		if w.promotion == nil {
			w.pointer = nil
		}
	}
}
