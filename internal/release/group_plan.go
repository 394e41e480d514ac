package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// FailureScope is how much of a group goes back when a member of it fails.
type FailureScope string

// Failure scopes.
const (
	ScopeGroup  FailureScope = "group"
	ScopeWave   FailureScope = "wave"
	ScopeMember FailureScope = "member"
)

// FailureScopes lists every FailureScope.
func FailureScopes() []FailureScope { return []FailureScope{ScopeGroup, ScopeWave, ScopeMember} }

// WaveSpec is one wave as a user writes it.
type WaveSpec struct {
	Members     []string
	Bake        time.Duration
	MaxParallel int // members that move at once; 0: all that may
}

// GroupWave is one wave of a GroupPlan.
type GroupWave struct {
	Batches [][]string // members that move at once, one batch after the other
	Bake    time.Duration
}

// GroupPlan is the order in which the members of a group move.
type GroupPlan struct {
	Waves []GroupWave
	After map[string][]string // member: those it comes after
}

// OrderFault is why a group's members cannot be put into an order.
type OrderFault struct {
	Wave   int    // which wave's members say so, from 0; -1: none does
	Member string // whose `after` says so; empty: nobody's
	Name   string // the one that is named there; empty: the whole is wrong
	Reason string
}

// PlanGroup puts a group's members into order: after tells for each of them
// whom it comes after. Without waves, all are in one. The order of what may move
// at once is that of the names, so that it is the same in every run.
func PlanGroup(after map[string][]string, waves []WaveSpec) (GroupPlan, []OrderFault) {
	names := slices.Sorted(maps.Keys(after))
	if len(waves) == 0 {
		waves = []WaveSpec{{Members: names}}
	}
	at, faults := wavesOf(names, waves)
	for _, name := range names {
		faults = append(faults, checkAfter(name, after, at)...)
	}
	faults = append(faults, cycles(names, after)...)
	if len(faults) > 0 {
		return GroupPlan{}, faults
	}
	plan := GroupPlan{After: after}
	placed := map[string]bool{}
	for _, wave := range waves {
		plan.Waves = append(plan.Waves, GroupWave{Batches: batches(wave, after, placed), Bake: wave.Bake})
	}
	return plan, nil
}

// wavesOf is the wave of each member.
func wavesOf(names []string, waves []WaveSpec) (at map[string]int, faults []OrderFault) {
	at = map[string]int{}
	for i, wave := range waves {
		for _, name := range wave.Members {
			fault := OrderFault{Wave: i, Name: name}
			if earlier, twice := at[name]; twice {
				fault.Reason = fmt.Sprintf("%q is in wave %d already: a member moves once", name, earlier+1)
				faults = append(faults, fault)
				continue
			}
			if !slices.Contains(names, name) {
				fault.Reason = fmt.Sprintf("the group has no member %q: its members are %s", name, strings.Join(names, ", "))
				faults = append(faults, fault)
			}
			at[name] = i
		}
	}
	var missing []string
	for _, name := range names {
		if _, ok := at[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		faults = append(faults, OrderFault{Wave: -1, Reason: "every member needs a wave where there are any, and these have none: " + strings.Join(missing, ", ")})
	}
	return at, faults
}

// checkAfter checks whom one member says that it comes after.
func checkAfter(name string, after map[string][]string, at map[string]int) (faults []OrderFault) {
	for _, other := range after[name] {
		_, known := after[other]
		switch {
		case !known:
			faults = append(faults, OrderFault{Wave: -1, Member: name, Name: other, Reason: fmt.Sprintf(
				"the group has no member %q: its members are %s", other, strings.Join(slices.Sorted(maps.Keys(after)), ", "))})
		case at[other] > at[name]:
			faults = append(faults, OrderFault{Wave: -1, Member: name, Name: other, Reason: fmt.Sprintf(
				"%q moves in wave %d, and cannot come after %q, which moves in wave %d", name, at[name]+1, other, at[other]+1)})
		}
	}
	return faults
}

// cycles finds those members that would wait for themselves. Each is told once,
// at the first of its names.
func cycles(names []string, after map[string][]string) (faults []OrderFault) {
	done := map[string]bool{}
	var trail []string
	var visit func(name string)
	visit = func(name string) {
		if i := slices.Index(trail, name); i >= 0 {
			faults = append(faults, cycle(trail[i:]))
			return
		}
		if done[name] {
			return
		}
		trail = append(trail, name)
		for _, other := range slices.Sorted(slices.Values(after[name])) {
			visit(other)
		}
		trail = trail[:len(trail)-1]
		done[name] = true
	}
	for _, name := range names {
		visit(name)
	}
	return faults
}

// cycle is the fault of members that wait for each other.
func cycle(members []string) OrderFault {
	first := slices.Index(members, slices.Min(members))
	round := slices.Concat(members[first:], members[:first])
	next := round[(1)%len(round)]
	return OrderFault{Wave: -1, Member: round[0], Name: next, Reason: "members wait for each other, so that none of them could move: " +
		strings.Join(append(round, round[0]), " -> ")}
}

// batches cuts one wave into those that move at once. placed are the members of
// earlier waves, and then also of this one.
func batches(wave WaveSpec, after map[string][]string, placed map[string]bool) (cut [][]string) {
	left := slices.Sorted(slices.Values(wave.Members))
	for len(left) > 0 {
		var batch []string
		for _, name := range left {
			full := wave.MaxParallel > 0 && len(batch) == wave.MaxParallel
			if !full && all(after[name], func(other string) bool { return placed[other] }) {
				batch = append(batch, name)
			}
		}
		for _, name := range batch {
			placed[name] = true
		}
		left = slices.DeleteFunc(left, func(name string) bool { return placed[name] })
		cut = append(cut, batch)
	}
	return cut
}

// Members of one wave, in their order.
func (w GroupWave) Members() []string { return slices.Concat(w.Batches...) }

// Retreat is what becomes of a group in which members have failed.
type Retreat struct {
	Back [][]string // who goes back, in this order; those of one entry at once
	Skip []string   // who does not begin any more
}

// Retreat decides what becomes of a group when members have failed in a wave.
// moved are those that may have moved, in the order of their batches: the failed
// ones are among them.
func (p GroupPlan) Retreat(scope FailureScope, wave int, moved [][]string, failed []string) Retreat {
	var r Retreat
	goes := func(string) bool { return true }
	switch scope {
	case ScopeGroup:
	case ScopeWave:
		goes = func(name string) bool { return slices.Contains(p.Waves[wave].Members(), name) }
	case ScopeMember:
		goes = func(name string) bool { return slices.Contains(failed, name) }
	}
	for _, batch := range slices.Backward(moved) {
		if back := slices.DeleteFunc(slices.Clone(batch), func(name string) bool { return !goes(name) }); len(back) > 0 {
			r.Back = append(r.Back, back)
		}
	}
	began, lost := slices.Concat(moved...), slices.Clone(failed)
	for i, w := range p.Waves {
		for _, name := range w.Members() { // whoever a member comes after is before it
			needsLost := slices.ContainsFunc(p.After[name], func(other string) bool { return slices.Contains(lost, other) })
			if !slices.Contains(began, name) && (scope != ScopeMember && i >= wave || needsLost) {
				lost = append(lost, name)
				r.Skip = append(r.Skip, name)
			}
		}
	}
	return r
}
