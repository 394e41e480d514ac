package promotion

import (
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Action is what a promotion is for, in a word.
type Action string

// Actions.
const (
	ActionCreate  Action = "create"  // the address is made, and leads to its first release
	ActionPromote Action = "promote" // the traffic moves to a release that was not main lately
	ActionReturn  Action = "return"  // the traffic moves back to a former main
	ActionFinish  Action = "finish"  // what a former promotion has left open is brought to its end
	ActionChange  Action = "change"  // the traffic stays; the address or its settings change
	ActionStop    Action = "stop"    // the application's pods go; the address stays
	ActionStart   Action = "start"   // the application gets its pods back
)

// Actions lists every Action.
func Actions() []Action {
	return []Action{ActionCreate, ActionPromote, ActionReturn, ActionFinish, ActionChange, ActionStop, ActionStart}
}

// Known is what a former state knows of an application.
type Known struct {
	From    string         // who had all of the traffic; empty: nobody, or several
	Service string         // the address's name; empty: it is not there yet
	Settled bool           // no promotion was open
	Stopped bool           // the application was
	Stays   []release.Stay // what was there beside main
	Route   *release.Route // nil: the address had none
	Shares  release.Split  // who had which share of the traffic, where a promotion is open; nil: From has all
	ByHand  release.Split  // who has which share of it, where none is: somebody has changed the weights; nil: nobody
	Paused  bool           // that one was
	Over    bool           // and its pause is over: it goes on
	Theirs  string         // who had the rest of it, where that is no release; empty: a release, or nobody
	Left    string         // the release that somebody has taken the traffic from; empty: none
}

// Outlook is what a promotion will do, as far as that follows from what is wanted and
// from a former state. The cluster may know better by then.
type Outlook struct {
	Action   Action
	From, To string
	Renames  string         // the address's former name, which goes; empty: none
	Warm     bool           // the pods of To run already
	Steps    []release.Step // those that have something to do
	Keeps    []string       // what stays for going back, newest first
	Scales   bool           // To has only the pods that its share takes
	Removes  []string       // what nobody needs any more afterwards
	Adopts   *release.Route // the rule of somebody else's route that it takes over; nil: none
	Theirs   bool           // what that leads to now has the rest of the traffic meanwhile
	Regains  bool           // From has not all of the traffic, by somebody's hand, and gets it again
}

// unseen stands for what an adopted rule leads to that nobody has looked at.
const unseen = "what it leads to now"

// Foresee says what a promotion will do: by the steps that it will have, and by what
// it will collect.
func Foresee(w Want, k Known, keep release.Keep) Outlook {
	o := Outlook{From: k.From, To: w.To, Action: actionOf(w, k)}
	o.Warm = !k.Stopped && w.To == k.From || slices.ContainsFunc(k.Stays, func(s release.Stay) bool { return s.Name == w.To && s.State == release.StayStarted })
	seen := Seen{Main: release.Main{Deployment: k.From, Service: k.Service}, Address: k.Service != "", Planned: k.From}
	if k.Stopped {
		seen.Main.State = release.DesiredStopped
	}
	if k.Left != "" {
		seen.Main.Breach = &release.Breach{To: k.Left}
	}
	if k.From != "" {
		seen.Split = release.Split{k.From: 100}
	}
	if k.ByHand != nil {
		seen.Split, o.Regains = k.ByHand, w.To == k.From
	}
	if seen.Main.Route = k.Route; w.Route != nil {
		for _, stay := range k.Stays {
			if stay.State != release.StayFailed && stay.Name != k.From {
				seen.Main.Previous = append(seen.Main.Previous, stay.Name)
			}
		}
	}
	if w.Route != nil && w.Route.Adopted != nil && !w.Route.Is(k.Route) {
		o.Adopts = w.Route
	}
	if seen.Theirs = k.Theirs; o.Adopts != nil && k.Service == "" {
		seen.Theirs = unseen
	}
	k.goOn(w, &seen)
	start := Begin(w, seen)
	o.Theirs = start.Progress.Theirs != "" && start.Shares
	o.Renames, o.Scales = start.Progress.Renames, start.Progress.Scales && start.Shares && !o.Warm
	progress := start.Progress
	for ; progress.Step().Kind != ""; progress.At++ {
		if step := progress.Step(); applies(start, &progress, step) {
			o.Steps = append(o.Steps, step)
		}
	}
	main, records := release.Succeeding(k.From, k.Stays, w.To, keep)
	for _, name := range main.Kept(time.Time{}) {
		if records[name] != nil {
			o.Keeps = append(o.Keeps, name)
		}
	}
	o.Removes = release.Collect(main, records, time.Time{}).Remove
	return o
}

// goOn foresees how a promotion goes on of which a share has moved.
func (k Known) goOn(w Want, seen *Seen) {
	if len(k.Shares) < 2 || w.Route == nil {
		return
	}
	seen.Split = k.Shares
	if w.To == k.From || k.Shares[w.To] == 0 {
		return
	}
	seen.Main.Previous = slices.DeleteFunc(seen.Main.Previous, func(name string) bool { return name == w.To })
	seen.Main.Progress = &release.Progress{From: k.From, Theirs: k.Theirs, To: w.To, Paused: k.Paused, Direction: release.DirectionForward, Before: seen.Main.AsBefore(), Steps: Plan(w)}
	seen.Resumed = k.Over
	seen.Main.Progress.At = 1 + slices.IndexFunc(seen.Main.Progress.Steps, func(step release.Step) bool { return step.Kind == release.StepShift && step.Weight >= k.Shares[w.To] })
}

func actionOf(w Want, k Known) Action {
	back := slices.ContainsFunc(k.Stays, func(s release.Stay) bool { return s.Name == w.To && s.Name != k.Left && s.State != release.StayFailed })
	switch {
	case k.Service == "":
		return ActionCreate
	case k.Stopped && !w.Stopped:
		return ActionStart
	case w.Stopped && !k.Stopped:
		return ActionStop
	case k.From == w.To && len(k.Shares) > 1:
		return ActionReturn
	case k.From == w.To && k.Settled:
		return ActionChange
	case k.From == w.To:
		return ActionFinish
	case back:
		return ActionReturn
	default:
		return ActionPromote
	}
}
