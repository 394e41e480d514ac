package release

import "slices"

// Kind says whether a status stays.
type Kind string

// Kinds.
const (
	KindTransient Kind = "transient" // work is under way, or was cut off: the next apply goes on
	KindSettled   Kind = "settled"   // nothing is under way, and nothing is left to do
	KindError     Kind = "error"     // something went wrong; it stays until it is asked for again
)

// Kinds lists every Kind.
func Kinds() []Kind { return []Kind{KindTransient, KindSettled, KindError} }

// Stage is one row of a lifecycle: all that is to be said of one status.
type Stage[S ~string] struct {
	Status    S
	Meaning   string // one sentence
	Kind      Kind
	First     bool                  // a life may begin here
	Planned   bool                  // no version leads here yet, so that no page shows it
	Next      []S                   // what it may become
	Allowed   []Action              // what may be asked for, besides what is so already
	Elsewhere map[Vocabulary]string // what other platforms call it
}

// Lifecycle is the table that everything about statuses follows from: which
// there are, what may come after what, which action is allowed when, and the
// page Statuses of the documentation.
//
// A claim that comes to nothing, because another cluster refused its own, is
// undone: the status is then again what it was before. That is no transition.
type Lifecycle[S ~string] []Stage[S]

// Statuses lists the statuses in the table's order.
func (l Lifecycle[S]) Statuses() []S {
	all := make([]S, len(l))
	for i, stage := range l {
		all[i] = stage.Status
	}
	return all
}

// Of is the row of a status, and false for one that this version does not know.
func (l Lifecycle[S]) Of(status S) (Stage[S], bool) {
	i := slices.IndexFunc(l, func(stage Stage[S]) bool { return stage.Status == status })
	if i < 0 {
		return Stage[S]{}, false
	}
	return l[i], true
}

// Shown is the table without what is only planned, for those who read it.
func (l Lifecycle[S]) Shown() Lifecycle[S] {
	planned := func(status S) bool {
		stage, _ := l.Of(status)
		return stage.Planned
	}
	var shown Lifecycle[S]
	for _, stage := range l {
		if !stage.Planned {
			stage.Next = slices.DeleteFunc(slices.Clone(stage.Next), planned)
			shown = append(shown, stage)
		}
	}
	return shown
}

// CanBecome says whether one status may follow another. An empty from is what
// does not exist yet. Staying what it is, is no change, and always possible.
func (l Lifecycle[S]) CanBecome(from, to S) bool {
	next, known := l.Of(to)
	if from == "" {
		return known && next.First
	}
	stage, _ := l.Of(from)
	return known && (from == to || slices.Contains(stage.Next, to))
}

// Statuses lists every Status.
func Statuses() []Status { return deployments.Statuses() }

// DeploymentLifecycle is the table of deployments. It must not be modified.
func DeploymentLifecycle() Lifecycle[Status] { return deployments }

// CanBecome says whether a deployment's status may follow another; see
// Lifecycle.CanBecome.
func CanBecome(from, to Status) bool { return deployments.CanBecome(from, to) }

// Kind says whether the status stays; empty for one that is not known.
func (s Status) Kind() Kind {
	stage, _ := deployments.Of(s)
	return stage.Kind
}

// deployments is the life of a deployment on one cluster. A create claims
// whatever nobody alive works on, in every status: what was killed at any
// instant goes on with the next apply. So deploy is allowed everywhere.
var deployments = Lifecycle[Status]{
	{
		Status: StatusAwaitingApproval, Kind: KindTransient, First: true, Planned: true,
		Meaning:   "Nothing has been made: somebody has to approve it first.",
		Next:      []Status{StatusApprovalDenied, StatusQueued, StatusBuilding, StatusStarting, StatusCancelled, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "CREATING_APPROVAL"},
	},
	{
		Status: StatusApprovalDenied, Kind: KindError, Planned: true,
		Meaning: "Nothing has been made: whoever had to approve it said no. Deploying it again asks again.",
		Next:    []Status{StatusAwaitingApproval, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionTerminate},
	},
	{
		Status: StatusQueued, Kind: KindTransient, First: true, Planned: true,
		Meaning:   "Nothing has been made: it waits for its turn.",
		Next:      []Status{StatusBuilding, StatusStarting, StatusCancelled, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "queued", VocabularyEnvironments: "QUEUED"},
	},
	{
		Status: StatusBuilding, Kind: KindTransient, First: true, Planned: true,
		Meaning:   "Its image is being built.",
		Next:      []Status{StatusStarting, StatusBuildError, StatusCancelled, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyEnvironments: "BUILDING"},
	},
	{
		Status: StatusBuildError, Kind: KindError, Planned: true,
		Meaning: "Its image could not be built.",
		Next:    []Status{StatusQueued, StatusBuilding, StatusStarting, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionTerminate},
	},
	{
		Status: StatusStarting, Kind: KindTransient, First: true,
		Meaning: "Its objects are being made, and its pods are coming up.",
		Next:    []Status{StatusStarted, StatusStartError, StatusCancelled, StatusStopping, StatusStopped, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{
			VocabularyInstances: "starting", VocabularyPromotions: "CREATING", VocabularyEnvironments: "DEPLOYING",
		},
	},
	{
		Status: StatusStarted, Kind: KindSettled,
		Meaning:   "It was healthy on every cluster when it was last changed.",
		Next:      []Status{StatusDegraded, StatusRestarting, StatusStopping, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionRestart, ActionTerminate, ActionMarkMain},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "started", VocabularyEnvironments: "DEPLOYMENT OK"},
	},
	{
		Status: StatusStartError, Kind: KindError,
		Meaning: "It did not become healthy.",
		Next:    []Status{StatusStarting, StatusStopping, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionTerminate},
		Elsewhere: map[Vocabulary]string{
			VocabularyInstances: "start error", VocabularyPromotions: "FAILED", VocabularyEnvironments: "DEPLOYMENT ERROR",
		},
	},
	{
		Status: StatusDegraded, Kind: KindError,
		Meaning: "It is started, but not all its pods are ready just now. Only data sources say so: a resource keeps `started`, so that a refresh makes no noise.",
		Next:    []Status{StatusStarted, StatusRestarting, StatusStopping, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionRestart, ActionTerminate},
	},
	{
		Status: StatusRestarting, Kind: KindTransient,
		Meaning:   "Its pods are being replaced in place.",
		Next:      []Status{StatusStarted, StatusPaused, StatusStartError, StatusStarting, StatusCancelled, StatusStopping, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionRestart, ActionCancel, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyEnvironments: "RESTARTING"},
	},
	{
		Status: StatusPaused, Kind: KindSettled,
		Meaning: "A share of its pods has new content, as `rolling_update.pause_at` says, and stays until it may go on: see `status_reason`. Nobody watches meanwhile.",
		Next:    []Status{StatusStarted, StatusRestarting, StatusCancelled, StatusStopping, StatusTerminating},
		Allowed: []Action{ActionDeploy, ActionRedeploy, ActionCancel, ActionTerminate, ActionMarkMain},
	},
	{
		Status: StatusStopping, Kind: KindTransient,
		Meaning:   "Its pods are shutting down; everything else is kept.",
		Next:      []Status{StatusStopped, StatusStopError, StatusStarting, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "stopping"},
	},
	{
		Status: StatusStopped, Kind: KindSettled,
		Meaning:   "It has no pods; everything else is kept, so that it can be started again.",
		Next:      []Status{StatusStarting, StatusStopping, StatusStopError, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStart, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "stopped", VocabularyEnvironments: "STOPPED"},
	},
	{
		Status: StatusStopError, Kind: KindError,
		Meaning:   "Its pods did not go away.",
		Next:      []Status{StatusStopping, StatusStarting, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "stop error"},
	},
	{
		Status: StatusCancelled, Kind: KindSettled,
		Meaning:   "Its start was interrupted, and it was asked to scale down; the next apply resumes it.",
		Next:      []Status{StatusAwaitingApproval, StatusQueued, StatusBuilding, StatusStarting, StatusStopping, StatusTerminating},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionStop, ActionStart, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyPromotions: "CANCELLED"},
	},
	{
		Status: StatusTerminating, Kind: KindTransient,
		Meaning:   "It is being removed with all its objects.",
		Next:      []Status{StatusTerminated, StatusTerminateError, StatusStarting, StatusStopping},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "terminating", VocabularyPromotions: "DELETING"},
	},
	{
		Status: StatusTerminated, Kind: KindSettled,
		Meaning:   "Nothing is left of it but its entry in the history. Deployed again, it begins a new life.",
		Allowed:   []Action{ActionDeploy, ActionForget},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "terminated", VocabularyPromotions: "DELETED"},
	},
	{
		Status: StatusTerminateError, Kind: KindError,
		Meaning:   "Something of it could not be removed.",
		Next:      []Status{StatusTerminating, StatusStarting, StatusStopping},
		Allowed:   []Action{ActionDeploy, ActionRedeploy, ActionTerminate},
		Elsewhere: map[Vocabulary]string{VocabularyInstances: "terminate error"},
	},
}
