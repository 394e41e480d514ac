package release

import "strings"

// DesiredState is whether a release shall have pods.
type DesiredState string

// Desired states.
const (
	DesiredStarted DesiredState = "started" // running
	DesiredStopped DesiredState = "stopped" // scaled to zero, everything else kept
)

// DesiredStates lists every DesiredState; validators, docs and tests use it.
func DesiredStates() []DesiredState { return []DesiredState{DesiredStarted, DesiredStopped} }

// Goal is the status of a release that is as desired.
func (d DesiredState) Goal() Status {
	if d == DesiredStopped {
		return StatusStopped
	}
	return StatusStarted
}

// Desired is the state that a release with this status was last asked for.
func (s Status) Desired() DesiredState {
	switch s {
	case StatusStopping, StatusStopped, StatusStopError:
		return DesiredStopped
	case StatusAwaitingApproval, StatusApprovalDenied, StatusQueued, StatusBuilding, StatusBuildError, StatusStarting, StatusStarted, StatusDegraded,
		StatusStartError, StatusRestarting, StatusPaused, StatusCancelled, StatusTerminating, StatusTerminated, StatusTerminateError:
		return DesiredStarted
	}
	return DesiredStarted
}

// Up says that the release has healthy pods, as far as its record knows: what
// is about to be done to it must not take them away.
func (s Status) Up() bool {
	return s == StatusStarted || s == StatusDegraded || s == StatusRestarting || s == StatusPaused
}

// Finished says that nothing is left to do before the release can be gone back
// to. A stopped one starts its pods first.
func (s Status) Finished() bool { return s.Up() || s == StatusStopped }

// ReasonWithMain is why a release has no pods that shall have some: nothing is left to
// be done for it.
const ReasonWithMain = withMain + ", by `desired_state` of its main deployment or at a terminal"

// withMain is how it begins, also as older providers have written it.
const withMain = "its application is stopped"

// StoppedWithMain says that a status has that reason.
func StoppedWithMain(reason string) bool { return strings.HasPrefix(reason, withMain) }

// Halt is why a release has no pods that shall have some, but for its application. Every
// apply leaves it so; a promotion of it starts it again. Its zero value: there is no such
// reason.
type Halt struct {
	// TakenBack is why the traffic was taken back from it: its OnFailure has stopped it.
	TakenBack string `json:"stoppedTakenBack,omitempty"`
	// StoppedBy is who has stopped it without a configuration.
	StoppedBy *Hold `json:"stoppedBy,omitempty"`
}

// How the reasons of a Halt begin.
const (
	reasonTakenBack = "the traffic was taken back from it, and `on_failure` stops it until it is promoted again"
	reasonStoppedBy = "no configuration has stopped it, and it stays so until it is started or promoted"
)

// ReasonOf is why a release has no pods; empty where it has them, or shall have none.
// withMain: its application is stopped. Started again, what is halted stays so.
func (h Halt) ReasonOf(withMain bool) string {
	switch {
	case h.TakenBack != "":
		return reasonTakenBack + ": " + h.TakenBack
	case h.StoppedBy != nil:
		return reasonStoppedBy + ": " + h.StoppedBy.StopText()
	case withMain:
		return ReasonWithMain
	}
	return ""
}

// StaysStopped says that a status has such a reason.
func StaysStopped(reason string) bool {
	return StoppedWithMain(reason) || StaysTakenBack(reason) || strings.HasPrefix(reason, reasonStoppedBy)
}

// StaysTakenBack says that a status has the reason that only a promotion ends.
func StaysTakenBack(reason string) bool { return strings.HasPrefix(reason, reasonTakenBack) }

// RunningReplicas is how many pods the workload is asked for.
func (s Spec) RunningReplicas() int32 {
	if s.DesiredState == DesiredStopped {
		return 0
	}
	return s.Replicas
}

// Annotations that outlive a stop, a restart and the loss of a state.
const (
	// AnnotationReplicas is, on a workload, the number of pods that it has while
	// it is started, or, under an autoscaler, that it was to start with.
	AnnotationReplicas = Prefix + "replicas"
	// AnnotationShareReplicas is, on a workload that has only the pods that its share of
	// the traffic takes, how many these are.
	AnnotationShareReplicas = Prefix + "share-replicas"
	// AnnotationMinReplicas is, on an autoscaler whose least number of pods is raised while
	// a promotion shares the traffic, the one that was typed; AnnotationHeldReplicas is what
	// it is raised to.
	AnnotationMinReplicas  = Prefix + "min-replicas"
	AnnotationHeldReplicas = Prefix + "held-min-replicas"
	// AnnotationScaledReplicas is, on a workload that was stopped under an
	// autoscaler, the number of pods that this had decided on.
	AnnotationScaledReplicas = Prefix + "scaled-replicas"
	// AnnotationRestartTriggers is, on a workload, what `restart_triggers` was
	// when it was last applied.
	AnnotationRestartTriggers = Prefix + "restart-triggers"
	// AnnotationRestartedAt is, on a pod template, when its pods were last asked
	// to be replaced. It is no part of the content: every apply carries the live
	// value over, and only a restart sets another one.
	AnnotationRestartedAt = Prefix + "restarted-at"
)
