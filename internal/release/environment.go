package release

import "slices"

// EnvironmentStatus is how many applications are, seen as one.
type EnvironmentStatus string

// Every status of an environment.
const (
	EnvironmentFailed   EnvironmentStatus = "failed"
	EnvironmentUnknown  EnvironmentStatus = "unknown"
	EnvironmentDegraded EnvironmentStatus = "degraded"
	EnvironmentWaiting  EnvironmentStatus = "waiting"
	EnvironmentWorking  EnvironmentStatus = "working"
	EnvironmentReady    EnvironmentStatus = "ready"
	EnvironmentStopped  EnvironmentStatus = "stopped"
	EnvironmentEmpty    EnvironmentStatus = "empty"
)

// EnvironmentStatuses lists every EnvironmentStatus, the worst first: of several,
// the first one is that of the whole. What runs outranks what is stopped on
// purpose, so that one stopped application does not hide nine that run.
func EnvironmentStatuses() []EnvironmentStatus {
	return []EnvironmentStatus{
		EnvironmentFailed, EnvironmentUnknown, EnvironmentDegraded, EnvironmentWaiting,
		EnvironmentWorking, EnvironmentReady, EnvironmentStopped, EnvironmentEmpty,
	}
}

// EnvironmentMeaning says what each one means.
var EnvironmentMeaning = map[EnvironmentStatus]string{
	EnvironmentFailed:   "something did not succeed, or an address leads nowhere: somebody has to look",
	EnvironmentUnknown:  "a cluster cannot be reached, so that it cannot be told",
	EnvironmentDegraded: "it runs, but with fewer ready pods than it should, or not the same on every cluster",
	EnvironmentWaiting:  "something was cancelled or taken back: somebody has to decide",
	EnvironmentWorking:  "something is starting, stopping, moving or ending",
	EnvironmentReady:    "all is as it was asked to be",
	EnvironmentStopped:  "everything there is was stopped on purpose",
	EnvironmentEmpty:    "there is nothing",
}

// Worst is the status of a whole by those of its parts, in any order; of none it
// is EnvironmentEmpty.
func Worst(parts ...EnvironmentStatus) EnvironmentStatus {
	for _, status := range EnvironmentStatuses() {
		if slices.Contains(parts, status) {
			return status
		}
	}
	return EnvironmentEmpty
}

// Environment is what the status of one release means for the whole.
func (s Status) Environment() EnvironmentStatus {
	switch s {
	case StatusApprovalDenied, StatusBuildError, StatusStartError, StatusStopError, StatusTerminateError:
		return EnvironmentFailed
	case StatusDegraded:
		return EnvironmentDegraded
	case StatusAwaitingApproval, StatusPaused, StatusCancelled:
		return EnvironmentWaiting
	case StatusQueued, StatusBuilding, StatusStarting, StatusRestarting, StatusStopping, StatusTerminating:
		return EnvironmentWorking
	case StatusStarted:
		return EnvironmentReady
	case StatusStopped:
		return EnvironmentStopped
	case StatusTerminated:
		return EnvironmentEmpty
	}
	return EnvironmentUnknown // a newer provider's
}

// Environment is what the status of an application's main deployment means for
// the whole.
func (s MainStatus) Environment() EnvironmentStatus {
	switch s {
	case MainApprovalDenied, MainFailed:
		return EnvironmentFailed
	case MainAwaitingApproval, MainPaused, MainCancelled, MainRolledBack:
		return EnvironmentWaiting
	case MainWaiting, MainRunning, MainFinalizing, MainCancelling, MainRollingBack:
		return EnvironmentWorking
	case MainFinalized:
		return EnvironmentReady
	}
	return EnvironmentUnknown
}

// ApplicationMember is one release of an application on one cluster.
type ApplicationMember struct {
	Status  Status
	Custody Custody
	Main    bool // the application's address leads here
}

// Counts says whether the release has a say in how its application is: it has the
// traffic, or somebody wants it to be there, or to go. What is kept for going
// back, or was given up, has none: it is in nobody's way.
func (m ApplicationMember) Counts() bool {
	switch m.Custody {
	case CustodyOwned, CustodyClaimed, CustodyCondemned, CustodyTerminating:
		return true
	case CustodyRetained, CustodyAbandoned:
	}
	return m.Main
}

// ApplicationState is what is seen of an application on all its clusters.
type ApplicationState struct {
	Main     []MainStatus // one for each cluster with an address
	Nowhere  bool         // an address leads to no release
	Apart    bool         // clusters lead to different releases
	Releases []ApplicationMember
}

// Status is how the application is: its worst part decides.
func (a ApplicationState) Status() EnvironmentStatus {
	var parts []EnvironmentStatus
	stopped := slices.ContainsFunc(a.Releases, func(m ApplicationMember) bool { return m.Main && m.Status == StatusStopped })
	for _, status := range a.Main {
		if stopped && status == MainFinalized {
			parts = append(parts, EnvironmentStopped) // its address leads to it, as it shall
			continue
		}
		parts = append(parts, status.Environment())
	}
	for _, member := range a.Releases {
		if member.Counts() {
			parts = append(parts, member.Status.Environment())
		}
	}
	if a.Nowhere {
		parts = append(parts, EnvironmentFailed)
	}
	if a.Apart {
		parts = append(parts, EnvironmentDegraded)
	}
	return Worst(parts...)
}
