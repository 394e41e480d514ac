package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// groupWorst are the statuses that a group has as soon as one member has them,
// the first found counting: what went wrong, then what is going back, then what
// has gone back.
var groupWorst = []MainStatus{
	MainFailed, MainApprovalDenied, MainRollingBack, MainCancelling, MainRolledBack, MainCancelled,
}

// GroupStatus is the status of a group of main deployments. It follows from
// those of its members alone, in whatever order they come:
//
//   - finalized only when every member is;
//   - cancelled only when every member has begun to move: before that, it is
//     still cancelling;
//   - a member that failed, was cancelled or went back by itself shows.
//
// What has no members has nothing left to do.
func GroupStatus(members ...MainStatus) MainStatus {
	has := func(status MainStatus) bool { return slices.Contains(members, status) }
	for _, status := range groupWorst {
		switch {
		case !has(status):
		case status == MainCancelled && !all(members, MainStatus.Begun):
			return MainCancelling
		default:
			return status
		}
	}
	waits := has(MainWaiting) || has(MainAwaitingApproval)
	switch {
	case all(members, func(s MainStatus) bool { return s == MainFinalized }):
		return MainFinalized
	case all(members, func(s MainStatus) bool { return s == MainFinalized || s == MainFinalizing }):
		return MainFinalizing
	case all(members, func(s MainStatus) bool { return s == MainPaused || s == MainFinalized }):
		return MainPaused // who stands, does
	case !waits, has(MainRunning), has(MainFinalizing), has(MainPaused):
		return MainRunning // some have moved, and others have not
	case has(MainAwaitingApproval):
		return MainAwaitingApproval
	default:
		return MainWaiting
	}
}

// Begun says that a promotion is running, or past that: its traffic may have
// moved at some time.
func (s MainStatus) Begun() bool {
	switch s {
	case MainRunning, MainPaused, MainFinalizing, MainFinalized, MainCancelling, MainCancelled, MainRollingBack, MainRolledBack:
		return true
	case MainAwaitingApproval, MainApprovalDenied, MainWaiting, MainFailed:
	}
	return false
}

// CheckGroup says whether an action may be done to a group as a whole: nil, or
// a *GroupActionError that names who stands against it. A group is cancelled
// only when every member has begun to move; it is rolled back at any time but
// while it is finalizing.
func CheckGroup(action Action, group string, members map[string]MainStatus) error {
	status := GroupStatus(slices.Collect(maps.Values(members))...)
	e := &GroupActionError{Action: action, Group: group, Status: status}
	against := func(is func(MainStatus) bool) {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if is(members[name]) {
				e.Members = append(e.Members, fmt.Sprintf("%s is %s", name, members[name]))
			}
		}
	}
	switch action {
	case ActionCancel:
		e.Reason = "a group can be cancelled only when every member is " + string(MainRunning) + " or past it"
		against(func(s MainStatus) bool { return !s.Begun() })
		if len(e.Members) == 0 {
			return nil
		}
	case ActionRollBack:
		e.Reason = "what is left of it is to let go of the old side: mark the former deployments main instead"
		if status != MainFinalizing {
			return nil
		}
		against(func(s MainStatus) bool { return s == MainFinalizing })
	case ActionMarkMain, ActionTerminate:
		return nil // in every status: see mains
	case ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionRestart, ActionForget:
		e.Reason = "that is an action of deployments"
	}
	return e
}

// GroupActionError says why an action is refused for a group.
type GroupActionError struct {
	Action  Action
	Group   string
	Status  MainStatus
	Reason  string
	Members []string // who stands against it, and why
}

func (e *GroupActionError) Error() string {
	msg := fmt.Sprintf("cannot %s the group %q, which is %s: %s", e.Action, e.Group, e.Status, e.Reason)
	if len(e.Members) > 0 {
		msg += ": " + strings.Join(e.Members, ", ")
	}
	return msg
}

func all[T any](items []T, is func(T) bool) bool {
	return !slices.ContainsFunc(items, func(item T) bool { return !is(item) })
}
