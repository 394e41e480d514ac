package release_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// promotion is a main_deployment's Create or Update that is under way.
type promotion struct {
	from, to, token string
	there           bool         // traffic was where it is wanted already
	bakes           bool         // it may go back until it collects
	resumed         bool         // it goes on with one that could go back and was killed
	before          release.Main // what going back makes of it
	replaces        bool         // one to something else that could still go back
	keep            release.Keep
	seen            release.Main // as it was found
	next            int          // of its steps
	meddled         bool         // somebody moved or deleted the address: only the next refresh sees where traffic is
}

// promote moves the address to a deployment that is in a state. It may end in
// every way at every step, or go on while other things happen.
func (w *world) promote() {
	w.refresh()
	s := pick(w, "state", w.states)
	if w.main != nil && w.main.Checkpoint != nil {
		same := rapid.Bool().Draw(w.T, "the same again")
		if i := slices.IndexFunc(w.states, func(one *state) bool { return (one.name == w.main.Checkpoint.To) == same }); i >= 0 {
			s = w.states[i]
		}
	}
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(w.T, "minutes")) * time.Minute)
	p := &promotion{to: s.name, token: w.fresh("main"), keep: release.Keep{
		Count: rapid.IntRange(0, 2).Draw(w.T, "keep"),
		TTL:   pick(w, "ttl", []time.Duration{0, time.Hour}),
		State: pick(w, "keep state", release.DesiredStates()),
	}}
	if w.main != nil {
		p.seen, p.before = *w.main, *w.main
	}
	p.bakes = rapid.IntRange(0, 3).Draw(w.T, "bakes") > 0
	if w.pointer != nil {
		p.token = w.pointer.token
	}
	p.from, p.there = w.split().Stable()
	p.there = p.there && p.from == p.to
	if w.selector == "" && w.main != nil {
		// Somebody deleted the address: the state's deployment_id is the last that was seen.
		p.from, p.meddled = w.main.Deployment, true
	}
	p.goOn(w)
	r := w.record(p.to)
	refused := release.Check(release.ActionMarkMain, release.Standing{Cluster: "prod", Status: r.Status})
	if !p.there && (refused != nil || r.Custody == release.CustodyTerminating || !w.pods[p.to].up) {
		w.count("mark main is refused")
		return
	}
	w.promotion, w.arriving = p, "" // the Lease has expired, and what was on its way has not come
	if p.resumed && rapid.Bool().Draw(w.T, "its bake fails") {
		w.advance(3)
		w.failPromotion()
		return
	}
	if p.replaces || rapid.Bool().Draw(w.T, "at once") {
		w.advance(4)
	} else {
		w.advance(pick(w, "steps at first", []int{0, 1, 1, 2, 3, 3}))
	}
}

// goOn takes up a promotion that was killed while it could still go back, or takes
// its place.
func (p *promotion) goOn(w *world) {
	if was, tried := p.seen.Replacing(p.to); tried != "" {
		p.before, p.replaces = *p.seen.Checkpoint.Before, true
		p.seen = was
		w.count("a bake that was cut off is replaced")
		return
	}
	if cp := p.seen.Checkpoint; p.bakes && p.there && cp != nil && cp.To == p.to && cp.Before != nil && cp.From != "" {
		p.from, p.before, p.resumed = cp.From, *cp.Before, true
		w.count("a bake begins again")
	}
}

// checkpoint is what a promotion has written down at a step.
func (p *promotion) checkpoint(step release.MainStatus) *release.Checkpoint {
	cp := &release.Checkpoint{From: p.from, To: p.to, Step: step}
	if p.bakes {
		cp.Before = p.before.AsBefore()
	}
	return cp
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
		w.advance(4)
	case "fails":
		w.failPromotion()
	case "is killed":
		w.killPromotion()
		if rapid.Bool().Draw(w.T, "and again at once") {
			w.promote()
		}
	}
}

// advance does up to so many steps.
func (w *world) advance(steps int) {
	p := w.promotion
	for range steps {
		switch p.next++; p.next {
		case 1: // checkpoint
			if w.main == nil {
				w.main = &release.Main{}
			}
			next := *w.main
			if p.replaces {
				next = p.seen
			}
			next.Checkpoint = p.checkpoint(release.MainRunning)
			next.Owner = p.token
			next = next.Keeping(p.keep)
			w.main = &next
		case 2: // switch
			if !w.pods[p.to].up {
				w.Fatalf("traffic is about to move to %s, which has no pods any more", p.to)
			}
			w.selector = p.to
		case 3: // commit
			w.commit(p)
		case 4:
			over := *w.main
			over.Checkpoint = &release.Checkpoint{From: p.from, To: p.to, Step: release.MainFinalizing}
			w.main = &over
			if !w.collect(*w.main, true) {
				w.promotion = nil // killed: the checkpoint stays
				return
			}
			next := *w.main
			next.Checkpoint = nil
			w.main = &next
			if before := p.before.Deployment; p.replaces && before != "" && before != p.to {
				w.count("what was main before is kept")
				if len(next.Previous) == 0 || next.Previous[0] != before {
					w.Fatalf("%s was main before a bake that was cut off, and is not the first of %v", before, next.Previous)
				}
			}
			w.endPromotion(p.to)
			w.count("promoted")
			return
		}
	}
}

func (w *world) commit(p *promotion) {
	next := *w.main
	if p.from != "" && p.from != p.to && (next.Deployment == "" || p.seen.Checkpoint == nil) {
		next = next.Promoted(p.from) // somebody moved the address, or the ConfigMap was lost
	}
	next = next.Promoted(p.to).Noted(w.now)
	next.Checkpoint = p.checkpoint(release.MainFinalizing)
	w.main = &next
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

// failPromotion is an error at the present step: back to where traffic was, or,
// once it has moved, success with a warning.
func (w *world) failPromotion() {
	p := w.promotion
	w.count("a promotion failed")
	if p.next >= 3 && !p.resumed && rapid.Bool().Draw(w.T, "moved") {
		w.endPromotion(p.to)
		return
	}
	if p.next == 0 { // nothing was written
		w.promotion = nil
		return
	}
	if p.next >= 2 && !p.there || p.resumed {
		if p.resumed {
			w.count("a bake that began again fails")
		}
		if p.from != "" && !w.pods[p.from].up {
			w.Fatalf("traffic is about to go back to %s, which has no pods any more", p.from)
		}
		w.selector = p.from
	}
	if p.from == "" { // there was no address, and a create that failed leaves no state
		w.main, w.promotion = nil, nil
		return
	}
	next := p.before
	next.Owner = p.token
	if next.Deployment != p.from {
		next = next.Promoted(p.from).Noted(w.now)
	}
	next.Checkpoint = nil
	w.main = &next
	if w.pointer == nil || w.selector == "" {
		w.promotion = nil
		return
	}
	if p.resumed { // a refresh has seen the traffic where the killed one had moved it
		w.endPromotion(p.from)
		return
	}
	w.endPromotion(w.pointer.deployment)
}

// killPromotion leaves everything as it is. The write that moves traffic may
// still arrive.
func (w *world) killPromotion() {
	w.count("a promotion was killed")
	p := w.promotion
	if p.next == 1 && w.selector == p.from && !p.there {
		w.arriving, w.arrivesIn = p.to, rapid.IntRange(2, 4).Draw(w.T, "arrives in")
	}
	w.promotion = nil
}

// collect is the end of a promotion, or of the address. It says whether it was
// done, rather than killed on the way.
func (w *world) collect(main release.Main, promoted bool) bool {
	main.Checkpoint = nil
	c := release.Collect(main, w.records, w.now)
	kept := map[string]bool{}
	for i, name := range main.Previous {
		kept[name] = promoted && i < main.KeepCount && (main.KeepTTL == 0 || w.now.Sub(main.Left[name]) < main.KeepTTL)
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
			w.touchAddress(pick(w, "to", w.running()))
		}
	case "delete the address":
		w.touchAddress("")
	case "their own Service":
		w.byHand = pick(w, "to", w.running())
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
