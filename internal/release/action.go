package release

import (
	"fmt"
	"slices"
	"strings"
)

// Action is something that may be asked of a deployment or of a main
// deployment. Which status allows it is in their lifecycles.
type Action string

// Actions.
const (
	ActionDeploy    Action = "deploy"
	ActionRedeploy  Action = "redeploy"
	ActionStop      Action = "stop"
	ActionStart     Action = "start"
	ActionRestart   Action = "restart"
	ActionCancel    Action = "cancel"
	ActionTerminate Action = "terminate"
	ActionForget    Action = "forget"
	ActionMarkMain  Action = "mark main"
	ActionRollBack  Action = "roll back"
)

// Actions lists every Action.
func Actions() []Action {
	all := make([]Action, len(actions))
	for i, a := range actions {
		all[i] = a.action
	}
	return all
}

// Meaning is what the action does, in one sentence.
func (a Action) Meaning() string { return a.row().meaning }

// actionRow is all that is to be said of one action.
type actionRow struct {
	action   Action
	meaning  string
	needs    string     // ends the sentence why it is refused
	done     Status     // there is nothing to do, and no reason to refuse, where this is so already
	mainDone MainStatus // the same, of a main deployment
}

var actions = []actionRow{
	{
		action: ActionDeploy, done: StatusStarted,
		meaning: "Create it, adopt what is left of it, or resume what was interrupted.",
	},
	{
		action:  ActionRedeploy,
		meaning: "Deploy the same version once more beside it, under another name: change `triggers`.",
		needs:   "there is nothing to deploy once more",
	},
	{
		action: ActionStop, done: StatusStopped,
		meaning: "Let its pods go, and keep everything else. Refused while it carries traffic.",
		needs:   "it has no pods to stop",
	},
	{
		action: ActionStart, done: StatusStarted,
		meaning: "Bring back the pods of what was stopped, was cancelled or failed, or go on where that was cut off.",
		needs:   "only what was stopped, was cancelled or failed can be started",
	},
	{
		action:  ActionRestart,
		meaning: "Replace its pods in place, never below its capacity.",
		needs:   "only what is started can be restarted",
	},
	{
		action: ActionCancel, done: StatusCancelled, mainDone: MainCancelled,
		meaning: "End what is under way, and go back to where it began.",
		needs:   "nothing is under way that can be cancelled",
	},
	{
		action: ActionTerminate, done: StatusTerminated,
		meaning: "Remove it. A deployment that carries traffic is condemned instead: it stays until main has moved away.",
	},
	{
		action:  ActionForget,
		meaning: "Take it out of the history.",
		needs:   "something of it is left: terminate it first",
	},
	{
		action:  ActionMarkMain,
		meaning: "Move the application's traffic to a deployment.",
		needs:   "only a started deployment, with its pods ready, can get the traffic",
	},
	{
		action: ActionRollBack, mainDone: MainRolledBack,
		meaning: "Move the application's traffic back to the deployment that had it before.",
		needs:   "there is nothing to go back from now; mark the former deployment main instead",
	},
}

func (a Action) row() actionRow {
	i := slices.IndexFunc(actions, func(row actionRow) bool { return row.action == a })
	if i < 0 {
		return actionRow{}
	}
	return actions[i]
}

// Standing is a deployment on one cluster, as an action finds it.
type Standing struct {
	Cluster string
	ID      ID
	Status  Status
	Carries string // why it must be taken to carry traffic; empty: it carries none
}

// Allowed lists the actions that a deployment's status allows. Asking for what
// is so already is allowed, too, and does nothing.
func Allowed(status Status) []Action {
	stage, _ := deployments.Of(status)
	return slices.Clone(stage.Allowed)
}

// Check says whether an action may be done to a deployment: nil, or an
// *ActionError that says why not, and what may be done instead. What carries
// traffic is never stopped, whatever its status.
func Check(action Action, on Standing) error {
	stage, known := deployments.Of(on.Status)
	allowed, reason := slices.Clone(stage.Allowed), action.row().needs
	if on.Carries != "" {
		allowed = slices.DeleteFunc(allowed, func(a Action) bool { return a == ActionStop })
		if action == ActionStop && slices.Contains(stage.Allowed, action) {
			reason = on.Carries + ": mark another deployment main first"
		}
	}
	if slices.Contains(allowed, action) || known && on.Status == action.row().done {
		return nil
	}
	return &ActionError{
		Action: action, Kind: "deployment", Cluster: on.Cluster, ID: on.ID.String(), Status: string(on.Status),
		Reason: reasonFor(known, reason), Allowed: allowed,
	}
}

// MainStanding is an application's main deployment on one cluster, as an action
// finds it.
type MainStanding struct {
	Cluster string
	ID      string // namespace/application
	Status  MainStatus
}

// MainAllowed lists the actions that a main deployment's status allows.
func MainAllowed(status MainStatus) []Action {
	stage, _ := mains.Of(status)
	return slices.Clone(stage.Allowed)
}

// CheckMain says whether an action may be done to a main deployment: nil, or an
// *ActionError that says why not, and what may be done instead.
func CheckMain(action Action, on MainStanding) error {
	stage, known := mains.Of(on.Status)
	if slices.Contains(stage.Allowed, action) || known && on.Status == action.row().mainDone {
		return nil
	}
	reason := action.row().needs
	if !mainAction(action) {
		reason = "that is an action of deployments"
	}
	return &ActionError{
		Action: action, Kind: "main deployment", Cluster: on.Cluster, ID: on.ID, Status: string(on.Status),
		Reason: reasonFor(known, reason), Allowed: slices.Clone(stage.Allowed),
	}
}

// mainAction says whether an action is ever allowed for main deployments.
func mainAction(action Action) bool {
	return slices.ContainsFunc(mains, func(stage Stage[MainStatus]) bool { return slices.Contains(stage.Allowed, action) })
}

func reasonFor(known bool, reason string) string {
	switch {
	case !known:
		return "this version of the provider does not know that status: upgrade it"
	case reason == "":
		return "there is no such action"
	default:
		return reason
	}
}

// ActionError says why an action is refused, and what is allowed instead.
type ActionError struct {
	Action  Action
	Kind    string // "deployment" or "main deployment"
	Cluster string
	ID      string
	Status  string
	Reason  string   // a clause: why the status does not allow it
	Allowed []Action // what it allows
}

func (e *ActionError) Error() string {
	return fmt.Sprintf("cannot %s: the %s %s on cluster %q %s", e.verb(), e.Kind, e.ID, e.Cluster, e.Why())
}

// Why is what the sentence says of the deployment: its status, the reason, and
// what is allowed instead.
func (e *ActionError) Why() string {
	return fmt.Sprintf("has status %q, and %s. %s", e.Status, e.Reason, e.instead())
}

// verb is the action as it follows "cannot".
func (e *ActionError) verb() string {
	if e.Action == ActionMarkMain {
		return "be made main"
	}
	return string(e.Action)
}

func (e *ActionError) instead() string {
	if len(e.Allowed) == 0 {
		return "Nothing is allowed"
	}
	names := make([]string, len(e.Allowed))
	for i, a := range e.Allowed {
		names[i] = string(a)
	}
	return "Allowed now: " + strings.Join(names, ", ")
}
