package promotion_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// create is a Create that is under way.
type create struct {
	name, hash, token, run string
	before                 *release.Record // what was adopted
}

// deploy is a Create. It may end in every way, or go on while other things happen.
func (w *world) deploy() {
	hash := pick(w, "content", contents)
	name, run := release.NameOf(application, hash), w.fresh("run")
	if len(w.creates) > 0 && rapid.Bool().Draw(w.T, "in a run that creates already") {
		run = w.creates[0].run
	}
	record := w.records[name]
	if p, there := w.pods[name]; record == nil && there && p.hash != hash {
		w.Skip("a record was lost, and its name would collide")
	}
	step := release.Claim(release.Found{
		Record: record, ClaimedHere: w.claimed[run+name], HolderDead: record != nil && w.dead[record.Run],
		Carries: w.carries(name), Healthy: w.pods[name].up && !rapid.Bool().Draw(w.T, "ill"),
	}, hash)
	w.count("claim: " + string(step))
	switch step {
	case release.ClaimWait, release.ClaimRefuseTwin, release.ClaimRefuseCollision, release.ClaimRefuseUnhealthy:
		return
	case release.ClaimCreate, release.ClaimAdopt, release.ClaimAdoptAndTell:
	}
	if record != nil && (record.Hash != hash || record.Busy() && !w.dead[record.Run]) {
		w.Fatalf("%s was taken from %+v for %s", name, record, hash)
	}
	c := &create{name: name, hash: hash, token: w.fresh("token"), run: run, before: record}
	w.claimed[run+name] = true
	w.write(name, func(r *release.Record) {
		started := r.Status == release.StatusStarted
		*r = release.Record{Hash: hash, Owner: c.token, Custody: release.CustodyClaimed, Status: release.StatusStarting, Run: run}
		if started {
			r.Status = release.StatusStarted
		}
	})
	w.creates = append(w.creates, c)
	if outcome := w.oftenDone("create", "succeeds", "goes on", "fails", "is interrupted", "is killed"); outcome != "goes on" {
		w.end(c, outcome)
	}
}

// goOn ends a Create that is under way.
func (w *world) goOn() {
	w.end(pick(w, "create", w.creates), w.oftenDone("create", "succeeds", "fails", "is interrupted", "is killed"))
}

func (w *world) end(c *create, outcome string) {
	if outcome == "fails" && w.promotion != nil {
		return // it waits for the Lease
	}
	w.creates = slices.DeleteFunc(w.creates, func(other *create) bool { return other == c })
	if r := w.records[c.name]; r == nil || r.Owner != c.token || r.Run != c.run {
		return // somebody without a token has taken it away: what follows would be refused
	}
	if rapid.Bool().Draw(w.T, "applied") || outcome == "succeeds" {
		w.apply(c.name, c.hash)
	}
	w.count("create " + outcome)
	wasStarted := c.before != nil && c.before.Status == release.StatusStarted
	switch outcome {
	case "succeeds":
		w.write(c.name, func(r *release.Record) {
			r.Custody, r.Status, r.Run = release.CustodyOwned, release.StatusStarted, ""
		})
		w.states = append(w.states, &state{c.name, c.token})
	case "is killed":
		w.dead[c.run] = true
		w.creates = slices.DeleteFunc(w.creates, func(other *create) bool { return other.run == c.run })
	case "is interrupted":
		w.write(c.name, func(r *release.Record) {
			r.Custody, r.Status, r.Run = release.CustodyOwned, release.StatusCancelled, ""
			if wasStarted {
				r.Status = release.StatusStarted
			}
		})
		w.states = append(w.states, &state{c.name, c.token})
		if !wasStarted && !w.carries(c.name) && w.promotion == nil { // there is no time to wait for the Lease
			w.scaleDown(c.name, "an interrupted create")
		}
	case "fails":
		w.abandon(c, wasStarted)
	}
}

// abandon is what a failed Create leaves: no state, and nothing that it found
// running hurt.
func (w *world) abandon(c *create, wasStarted bool) {
	delete(w.claimed, c.run+c.name)
	switch {
	case wasStarted, w.carries(c.name) && c.before != nil:
		undone := *c.before
		undone.Run = ""
		w.records[c.name] = &undone // no transition: it is undone
		return
	case w.carries(c.name):
		w.forget(c.name)
		return
	}
	onFailure := pick(w, "on_failure", []string{"stop", "keep", "terminate"})
	if onFailure == "stop" {
		w.scaleDown(c.name, "a failed create")
	}
	w.write(c.name, func(r *release.Record) {
		r.Custody, r.Status, r.Run = release.CustodyAbandoned, release.StatusStartError, ""
	})
	if onFailure == "terminate" {
		w.remove(c.name, "a failed create", cutNowhere)
	}
}

// delete is the Delete of a deployment that is in a state, with whatever token
// that state has.
func (w *world) delete() {
	w.free()
	s := pick(w, "state", w.states)
	record, carries := w.records[s.name], w.carries(s.name)
	if record == nil && len(w.pods) > 0 && w.pods[s.name].hash != "" {
		record = &release.Record{Hash: w.pods[s.name].hash, Owner: s.token, Custody: release.CustodyOwned} // as its labels say
	}
	if rapid.IntRange(0, 7).Draw(w.T, "cannot tell") == 0 {
		carries = true
	}
	var kept []string
	if w.main != nil {
		kept = w.main.Kept(w.now)
	}
	records, living := maps.Clone(w.records), maps.Clone(w.pods)
	disposal := release.Dispose(record, s.token, carries, kept, s.name)
	w.count("dispose: " + string(disposal))
	custody := release.CustodyRetained
	switch disposal {
	case release.DisposeRemove:
		if w.remove(s.name, "its Delete", w.oftenDone("cut", cutNowhere, cutRecord, cutPods)) {
			w.drop(s)
		}
		w.mayDelete(s, records, living)
		return
	case release.DisposeGone, release.DisposeStale:
		w.drop(s)
		return
	case release.DisposeCondemn:
		custody = release.CustodyCondemned
	case release.DisposeRetain:
		if w.main.Keep().State == release.DesiredStopped && record.Status != release.StatusStopped && w.records[s.name] != nil {
			if w.keepAs(s.name, true, w.oftenDone("cut", cutNowhere, cutRecord, cutPods)) {
				w.drop(s)
			}
			w.mayDelete(s, records, living)
			return
		}
	}
	if w.records[s.name] != nil {
		w.write(s.name, func(r *release.Record) { r.Custody = custody })
	}
	w.drop(s)
	w.mayDelete(s, records, living)
}

// mayDelete makes sure that a Delete which did something had the token of
// whoever holds the release, and touched nothing else.
func (w *world) mayDelete(s *state, records map[string]*release.Record, living map[string]pods) {
	if r := records[s.name]; r != nil && s.token != "" && s.token != r.Owner {
		w.Fatalf("the token %s deleted what %s holds", s.token, r.Owner)
	}
	for name := range records {
		if name != s.name && w.records[name] != records[name] {
			w.Fatalf("the Delete of %s changed %s", s.name, name)
		}
	}
	for name := range living {
		if name != s.name && w.pods[name] != living[name] {
			w.Fatalf("the Delete of %s changed the pods of %s", s.name, name)
		}
	}
}

// free skips a step that must wait for the Lease.
func (w *world) free() {
	if w.promotion != nil {
		w.Skip("the Lease is held")
	}
}

// verb is a stop, start or restart: an Update of a deployment that is in a state.
func (w *world) verb() {
	w.free()
	s := pick(w, "state", w.states)
	r := w.records[s.name]
	if r == nil || s.token != "" && s.token != r.Owner || r.Busy() && !w.dead[r.Run] {
		w.Skip("it is gone, stale or busy")
	}
	action := pick(w, "action", []release.Action{release.ActionStop, release.ActionStart, release.ActionRestart})
	carries := ""
	if w.carries(s.name) {
		carries = "it has the traffic"
	}
	if err := release.Check(action, release.Standing{Cluster: "prod", Status: r.Status, Carries: carries}); err != nil {
		w.count(string(action) + " is refused")
		return
	}
	w.count(string(action))
	goes := map[release.Action][2]release.Status{
		release.ActionStop:    {release.StatusStopping, release.StatusStopped},
		release.ActionStart:   {release.StatusStarting, release.StatusStarted},
		release.ActionRestart: {release.StatusRestarting, release.StatusStarted},
	}
	begun, done := goes[action][0], goes[action][1]
	if r.Status == done && action != release.ActionRestart {
		return // nothing to do
	}
	run, cut := w.fresh("run"), w.oftenDone("cut", cutNowhere, cutRecord, cutPods)
	w.dead[run] = cut != cutNowhere
	w.write(s.name, func(r *release.Record) { r.Custody, r.Status, r.Run = release.CustodyOwned, begun, run })
	if cut == cutRecord {
		return
	}
	if action == release.ActionStop {
		w.scaleDown(s.name, "a stop")
	} else {
		w.apply(s.name, r.Hash)
	}
	if cut == cutNowhere {
		w.write(s.name, func(r *release.Record) { r.Status, r.Run = done, "" })
	}
}
