package release

import (
	"maps"
	"slices"
)

// StayState is what a release that is not main has.
type StayState string

// States of releases that are not main.
const (
	StayStarted StayState = "started" // pods
	StayStopped StayState = "stopped" // no pods
	StayFailed  StayState = "failed"  // what a create that failed has left
)

// StayStates lists every StayState.
func StayStates() []StayState { return []StayState{StayStarted, StayStopped, StayFailed} }

// Stay is a release of an application that is there beside its main.
type Stay struct {
	Name  string
	State StayState
	Owned bool // a Terraform state has it
}

// Stays are the releases that are there beside main: its former ones, newest first,
// then what nobody's state has. A release that is being made, or removed, is none of
// them: whoever does that says what becomes of it.
func Stays(main Main, records map[string]*Record) []Stay {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(records)), func(name string) bool { return slices.Contains(main.Previous, name) })
	stays := []Stay{}
	for i, name := range slices.Concat(main.Previous, others) {
		r := records[name]
		if r == nil || name == main.Deployment || r.Custody == CustodyClaimed || r.Custody == CustodyTerminating {
			continue
		}
		if r.Custody == CustodyOwned && i >= len(main.Previous) {
			continue // it was never main
		}
		stays = append(stays, Stay{Name: name, State: r.stayState(), Owned: r.Custody == CustodyOwned})
	}
	return stays
}

func (r *Record) stayState() StayState {
	switch {
	case r.Custody == CustodyAbandoned:
		return StayFailed
	case r.Status.Up():
		return StayStarted
	default:
		return StayStopped
	}
}

// JoinStays are those of several clusters, each once. What runs on one of them is
// started.
func JoinStays(all ...[]Stay) []Stay {
	joined := []Stay{}
	for _, s := range slices.Concat(all...) {
		i := slices.IndexFunc(joined, func(one Stay) bool { return one.Name == s.Name })
		switch {
		case i < 0:
			joined = append(joined, s)
		case s.State == StayStarted:
			joined[i].State = StayStarted
		}
	}
	return joined
}

// record is what a Stay tells of a release's record.
func (s Stay) record() *Record {
	r := &Record{Custody: CustodyRetained, Status: StatusStarted}
	switch s.State {
	case StayFailed:
		r.Custody, r.Status = CustodyAbandoned, StatusStartError
	case StayStopped:
		r.Status = StatusStopped
	case StayStarted:
	}
	if s.Owned {
		r.Custody = CustodyOwned
	}
	return r
}

// Succeeding is main, and the releases beside it, after a promotion to another one, as
// far as a memory of the releases tells: without the times at which they were main.
func Succeeding(from string, stays []Stay, to string, keep Keep) (Main, map[string]*Record) {
	keep.TTL = 0
	was, records := Main{Deployment: from}, map[string]*Record{}
	if from != "" {
		records[from] = &Record{Custody: CustodyOwned, Status: StatusStarted}
	}
	for _, s := range stays {
		if records[s.Name] = s.record(); s.State != StayFailed {
			was.Previous = append(was.Previous, s.Name)
		}
	}
	return was.Keeping(keep).Promoted(to), records
}
