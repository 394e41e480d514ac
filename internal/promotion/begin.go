package promotion

import (
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Want is what a promotion is for. It is the same on all of its clusters.
type Want struct {
	To         string         // the release that shall be main
	Service    string         // the name of the application's address
	Bake       time.Duration  // how long the release is analysed with the traffic on it; 0: not at all
	Reversible bool           // what has moved may be taken back until the commit
	Stopped    bool           // the application shall have no pods
	Canary     release.Canary // how the traffic moves where it can be shared
	Route      *release.Route // the route that shares it; nil: the address moves all at once
	RetryToken string         // where it has changed, a release that was taken back is tried again

	// Retraces says that it goes back without a configuration: it takes what lives as
	// it is, and goes on with nothing that was cut off.
	Retraces bool

	// Skips says that it goes on with an open promotion, and gives the release all of the
	// traffic, whoever holds it where it is.
	Skips bool

	// Undoes says that it takes back what has been tried first behind an adopted rule.
	Undoes bool
}

// Seen is one look at one cluster.
type Seen struct {
	Main    release.Main  // what is remembered of the address
	Split   release.Split // who gets its traffic
	Address bool          // it is there
	Stray   bool          // who gets the traffic is no release of the application
	Kept    []string      // retained releases, where nothing is remembered; newest first
	Planned string        // who had the traffic when this was planned; as Main says where nobody knows
	Bare    bool          // who has the traffic has no pod that is ready for it: nothing is to be protected
	Theirs  string        // what an adopted rule led to before, and what answers there; empty: nothing does, or it is not known
	Resumed bool          // somebody lets a promotion that is paused go on
	Mirrors bool          // a release gets copies of the requests
}

// Course is what a promotion has to do with the traffic of one cluster.
type Course string

// Courses.
const (
	Stands   Course = "stands"   // the traffic is there, and was before
	Finishes Course = "finishes" // a run that was cut off has moved it for good: only the end is missing
	Moves    Course = "moves"    // the traffic moves
	Resumes  Course = "resumes"  // a run that was cut off has moved it, and it may still go back
	Returns  Course = "returns"  // a run that was cut off was taking it back
)

// Moves says that traffic moves, or has been moved by a promotion that may still go
// back.
func (c Course) Moves() bool { return c == Moves || c == Resumes || c == Returns }

// Stage is how much of a promotion may have been done on one cluster. What was
// attempted counts as done until the answer says no.
type Stage int

// Stages, in their order.
const (
	Untouched Stage = iota
	Begun           // its progress is written down
	Shifted         // the address leads to the release
	Recorded        // the pointer says so, and may be taken back
)

// Start is how a promotion begins on one cluster, or goes on there.
type Start struct {
	Progress release.Progress // its first step is not done
	Course   Course
	Stage    Stage        // of an earlier run that this one goes on with
	There    bool         // all of the traffic is where it is wanted
	Idle     bool         // no pods are needed behind the address
	Wakes    bool         // the application was stopped, and shall not be any more
	Refused  bool         // the release did not pass its bake, and nobody has said to try it again
	Main     release.Main // to work on
	Before   release.Main // what going back makes of it

	Unproven string // was main without having passed its bake: it takes no former main's place
	Shares   bool   // the traffic moves by shares
	Restores bool   // who had it before gets all of it first, again or of a route that is new
	Resumes  int    // the step, by its place, before which no share or pause is done once more
	Passed   int    // the pause, by its place, that is over; 0: none
	Skips    bool   // shares and pauses that are left are not done

	PassedSince time.Time // its beginning, by which it is known that it was this one that somebody ended
	Baked       bool      // a run that was cut off has analysed it, and waits for others
	Back        bool      // the release was main before, and nobody has left it since

	Spared   []string // former mains that stay, although somebody has moved the traffic away from them
	Overrode string   // who had the traffic when this was planned, and does not any more
}

// Plan lists the steps of a promotion. Next passes over those that have nothing to do
// on a cluster.
func Plan(w Want) []release.Step {
	var steps []release.Step
	if !w.Stopped {
		steps = append(steps, release.Step{Kind: release.StepStart})
	}
	if w.Route != nil {
		steps = append(steps, release.Step{Kind: release.StepRestore})
	}
	steps = append(steps, release.Step{Kind: release.StepReady})
	steps = append(steps, w.shares()...)
	if w.Bake > 0 {
		steps = append(steps, release.Step{Kind: release.StepAnalyse, For: w.Bake})
	}
	if w.Reversible {
		steps = append(steps, release.Step{Kind: release.StepCommit})
	}
	steps = append(steps, release.Step{Kind: release.StepRename})
	if w.Stopped {
		steps = append(steps, release.Step{Kind: release.StepStop})
	}
	return append(steps, release.Step{Kind: release.StepCollect})
}

// shares are the steps by which the release gets all of the traffic.
func (w Want) shares() (steps []release.Step) {
	all := release.CanaryStep{Weight: 100}
	canary := w.Canary.Steps
	if n := len(canary); n > 0 && canary[n-1].Weight == 100 {
		canary, all = canary[:n-1], canary[n-1]
	}
	held := false
	hold := func(weight int) {
		if most := w.Canary.MaxWeight; most > 0 && weight > most && !held {
			held = true
			steps = append(steps, release.Step{Kind: release.StepPause, Gate: release.GateMaxWeight})
		}
	}
	pause := func(d time.Duration, gate release.Gate) {
		if d > 0 || gate != "" {
			steps = append(steps, release.Step{Kind: release.StepPause, For: d, Gate: gate})
		}
	}
	if mirror := w.Canary.Mirror; mirror != nil {
		steps = append(steps, release.Step{Kind: release.StepShift, Mirror: mirror.Percent, Needs: mirror.Replicas})
		pause(mirror.Pause, mirror.Gate)
	}
	for _, step := range append(slices.Clone(canary), all) {
		hold(step.Weight)
		steps = append(steps, release.Step{Kind: release.StepShift, Weight: step.Weight, Needs: step.Replicas})
		pause(step.Pause, step.Gate)
	}
	return steps
}

// Begin finds out where a promotion stands on a cluster before its first step.
func Begin(w Want, seen Seen) Start {
	m := seen.Main
	s := Start{Course: Moves, Main: m, Before: m, Spared: slices.Clone(seen.Kept), Progress: release.Progress{
		To: w.To, Steps: Plan(w), Direction: release.DirectionForward, Made: !seen.Address, Scales: w.Canary.Scales && w.Route != nil,
	}}
	if m.Progress != nil {
		s.Progress.Floors = slices.Clone(m.Progress.Floors)
	}
	from, all := seen.Split.Stable()
	s.There = all && from == w.To
	if !all || seen.Stray {
		from = m.Deployment
		if open := m.Progress; open != nil && !seen.Stray && seen.Split[open.From] > 0 {
			from = open.From // with whom it is shared, whatever is written down as main
		}
	}
	if s.There && m.Deployment == w.To {
		s.Course = Stands
		if open := m.Progress; open != nil && open.To == w.To && open.From != w.To && !open.Open() {
			s.Course = Finishes
		}
	}
	if s.Progress.From = from; from == "" {
		s.Progress.Theirs = seen.Theirs
	}
	s.rename(w)
	s.spare(w, seen)
	s.goOn(w, seen)
	s.Back = (w.To == s.Before.Deployment || slices.Contains(s.Before.Previous, w.To)) && (w.Retraces || m.Breach == nil || m.Breach.To != w.To)
	s.share(w, seen)
	if s.Course.Moves() && (w.Reversible || s.Course == Returns) {
		s.Progress.Before = s.Before.AsBefore()
	}
	if open := m.Progress; open != nil && open.To == w.To && open.Direction == release.DirectionForward && s.Shares && s.Course.Moves() && !w.Skips {
		s.Progress.Held = open.Held
	}
	s.Idle = w.Stopped && (m.Stopped() || s.There && !s.Course.Moves())
	s.Wakes = !w.Stopped && m.Stopped()
	s.Refused = !w.Retraces && (s.Course == Returns || !s.There) && m.Breach.Refuses(w.To, w.RetryToken)
	return s
}

// rename notes a former name of the address: also one that a run which was cut off
// did not come to remove.
func (s *Start) rename(w Want) {
	if open := s.Main.Progress; open != nil {
		s.Progress.Renames = open.Renames
	}
	if s.Main.Service != "" && s.Main.Service != w.Service {
		s.Progress.Renames = s.Main.Service
	}
	if s.Progress.Renames == w.Service {
		s.Progress.Renames = ""
	}
	s.Progress.Leaves, s.Main.Leaves = s.Main.StillLeaves(), nil // which one that goes back writes down again
	if was := s.Main.Route; was != nil {
		s.Progress.Leaves = append(s.Progress.Leaves.Without(was), was)
	}
	if s.Progress.Leaves = s.Progress.Leaves.Without(w.Route); len(s.Progress.Leaves) == 0 {
		s.Progress.Leaves = nil
	}
}

// spare finds out that somebody has moved the traffic of what is to be moved, since
// it was planned or since it was written down: what was main then stays.
func (s *Start) spare(w Want, seen Seen) {
	from, m := s.Progress.From, s.Main
	if w.Retraces || m.Progress != nil || from == "" || from == w.To || m.Deployment == w.To {
		return
	}
	for _, name := range []string{m.Deployment, seen.Planned} {
		if name != "" && name != from && name != w.To && !slices.Contains(s.Spared, name) {
			s.Spared = append(s.Spared, name)
		}
	}
	if seen.Planned != from {
		s.Overrode = seen.Planned
	}
}

// goOn takes up a promotion that was cut off while it could still go back: what it
// has done is part of this one.
func (s *Start) goOn(w Want, seen Seen) {
	open := s.Main.Progress
	ours := open != nil && open.To == w.To
	if ours {
		s.Progress.Made = s.Progress.Made || open.Made
	}
	s.Progress.GivesUp = s.givesUp(w)
	reversible := ours && open.Before != nil && !w.Retraces
	switch breach := s.Main.Breach; {
	case w.Undoes:
		s.undo(open)
	case reversible && s.calledOff(w):
		s.beginAnew(open)
	case reversible && open.Direction == release.DirectionBack && (breach == nil || breach.To != w.To || breach.Refuses(w.To, w.RetryToken)):
		s.Course, s.Stage, s.Before = Returns, Recorded, *open.Before
		s.Progress.From, s.Progress.Theirs, s.Progress.Direction = open.From, open.Theirs, release.DirectionBack
		s.Progress.GivesUp, s.Progress.Returned = open.GivesUp, open.Returned
	case s.replaces(w):
	case reversible && w.Reversible:
		s.resume(open, seen)
	case reversible:
		s.Before = *open.Before // what was being tried is no former main
	case !w.Reversible:
	case s.Course == Moves && s.There && s.Main.Deployment != "":
		s.Progress.From = s.Main.Deployment // what is written down, where somebody has moved the address
	}
}

// undo takes an open promotion back that has a share of an adopted rule, or all of it.
func (s *Start) undo(open *release.Progress) {
	if open.Undoable(s.Progress.To) {
		s.Course, s.Stage, s.Before = Returns, Recorded, *open.Before
		s.Progress.From, s.Progress.Theirs, s.Progress.Direction = "", open.Theirs, release.DirectionBack
		s.Progress.GivesUp, s.Progress.Returned = open.GivesUp, open.Returned
	}
}

// givesUp is the release that somebody gives up, who goes back without a configuration: it
// was on its way to be main. A way back that was cut off has written down which one it is.
func (s *Start) givesUp(w Want) string {
	open := s.Main.Progress
	switch {
	case open == nil || open.GivesUp == w.To:
		return ""
	case open.To == w.To:
		return open.GivesUp
	case !w.Retraces || !open.Open():
		return ""
	}
	before := &s.Main
	if open.Before != nil {
		before = open.Before
	}
	if before.Deployment == open.To || slices.Contains(before.Previous, open.To) {
		return open.GivesUp // it goes back itself
	}
	return open.To
}

// resume goes on with one that has moved the traffic. Where it has not, this is a
// promotion from where the traffic is.
func (s *Start) resume(open *release.Progress, seen Seen) {
	s.Course, s.Before = Moves, *open.Before
	if !s.There {
		return
	}
	s.Course, s.Stage, s.Baked = Resumes, Shifted, open.Baked()
	if s.Main.Deployment != s.Before.Deployment {
		s.Stage = Recorded
	}
	switch {
	case open.From != "":
		s.Progress.From = open.From
	case open.Theirs != "" && seen.Theirs != "":
		s.Progress.From, s.Progress.Theirs = "", seen.Theirs
	}
}

// calledOff says that the traffic was told to go back from a share, by a run that did not
// wait until it had: nothing that the release did is why.
func (s *Start) calledOff(w Want) bool {
	open, breach := s.Main.Progress, s.Main.Breach
	return w.Route != nil && !s.There && open.Side() != "" && open.Direction == release.DirectionBack && (breach == nil || breach.To != w.To)
}

// beginAnew begins from what was main, when it has all of the traffic again.
func (s *Start) beginAnew(open *release.Progress) {
	before := *open.Before
	s.Before, s.Progress.From = before, open.From
	s.Main.Deployment, s.Main.Previous, s.Main.Left, s.Main.PromotedAt = before.Deployment, before.Previous, before.Left, before.PromotedAt
}

// share finds out whether the traffic moves by shares, and with which of them a promotion
// goes on that was paused or cut off. A way back takes one step.
func (s *Start) share(w Want, seen Seen) {
	from, theirs := s.Progress.From, s.Progress.Theirs
	if w.Route == nil || !s.Course.Moves() || s.Course == Returns || from == "" && theirs == "" || from == w.To {
		return
	}
	s.Shares = !seen.Bare && !s.Back
	if open := s.Main.Progress; s.Shares && open != nil && open.To == w.To && open.From == from && open.Before != nil && open.Direction == release.DirectionForward {
		s.resumeShare(w, seen, open)
	}
	fresh := s.Shares && !s.Main.Route.Is(w.Route) // its data plane has not been seen to follow yet
	s.Restores = !s.There && !seen.Bare && s.Resumes == 0 && (fresh || seen.Split[from] != 100 || seen.Mirrors || lags(s.Main.Progress))
	if theirs != "" { // who serves it has followed it before; and all of their pods are theirs to count
		s.Restores = !s.There && s.Resumes == 0 && (len(seen.Split) > 1 || lags(s.Main.Progress))
		s.Progress.Scales = false
	}
}

// lags says that a run was cut off before it had seen that the data plane does what the
// route says.
func lags(open *release.Progress) bool {
	if open == nil {
		return false
	}
	kind := open.Step().Kind
	return open.Direction == release.DirectionBack || kind == release.StepRestore || kind == release.StepShift
}

// resumeShare goes on where one has come to its end in a pause, or where what was cut
// off is to go on. Otherwise the traffic is restored first. Where its steps are other
// ones by now, it goes on with the first that gives no less than the release has.
func (s *Start) resumeShare(w Want, seen Seen, open *release.Progress) {
	share, step := open.Weight(open.At), open.Step()
	if step.Kind == release.StepShift {
		share = max(share, seen.Split[w.To]) // it was cut off there
	}
	copies := w.Canary.Mirror != nil && open.Mirror(open.At) > 0 // a share of 0, and it stays one
	if s.There {
		share = 100
	} else if share == 0 && !copies || !open.Paused && !w.Skips && w.Canary.OnAbandon != release.AbandonHold {
		return
	}
	if w.Canary.MaxWeight > 0 && w.Canary.MaxWeight < share {
		w.Canary.MaxWeight = share // what it has is not taken from it
		s.Progress.Steps = Plan(w)
	}
	steps := s.Progress.Steps
	at := slices.IndexFunc(steps, func(step release.Step) bool { return step.Kind == release.StepShift && step.Weight >= share })
	s.Resumes, s.Stage = at, max(s.Stage, Shifted)
	switch passed := seen.Resumed && !open.Holds() || open.Watched() || step.Gate == release.GateMaxWeight; {
	case steps[at].Weight > share:
		if steps[at-1].Gate == release.GateMaxWeight { // it is not to have more
			s.Resumes = at - 1
			if s.Progress.Weight(s.Resumes) != share {
				s.Progress.Steps = slices.Insert(steps, s.Resumes, release.Step{Kind: release.StepShift, Weight: share})
			}
		}
	case (open.Paused || step.Kind == release.StepPause) && at+1 < len(steps) && steps[at+1].Kind == release.StepPause:
		switch { // of a pause that is over, the next one does not take the time
		case !passed:
			s.Progress.Since = open.Since
		case steps[at+1].Gate != release.GateMaxWeight:
			s.Passed, s.PassedSince = at+1, open.Since
		}
	}
}

// replaces says that this promotion takes the place of one to something else that was
// cut off while it could still go back.
func (s *Start) replaces(w Want) bool {
	if w.Retraces {
		return false // it takes main as it is
	}
	was, tried := s.Main.Replacing(w.To)
	if tried != "" {
		s.Before = *s.Main.Progress.Before
		s.Main, s.Unproven = was, tried
	}
	return tried != ""
}
