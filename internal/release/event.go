package release

import (
	"slices"
	"strings"
)

// EventReason is the machine-readable reason of a Kubernetes Event: what
// happened, for those who follow a release with kubectl.
type EventReason string

// What Events tell of while something is under way, and of its good end. What
// did not succeed is called by the operation: see Failed and Cancelled.
const (
	EventClaimed     EventReason = "Claimed"
	EventApplied     EventReason = "Applied"
	EventWaiting     EventReason = "Waiting"
	EventStarted     EventReason = "Started"
	EventUpdated     EventReason = "Updated"
	EventRestarted   EventReason = "Restarted"
	EventBaked       EventReason = "Baked"
	EventRolledBack  EventReason = "RolledBack"
	EventCancelled   EventReason = "Cancelled"
	EventStopping    EventReason = "Stopping"
	EventStopped     EventReason = "Stopped"
	EventWaveStarted EventReason = "WaveStarted"
	EventSwitching   EventReason = "Switching"
	EventPromoted    EventReason = "Promoted"
	EventBaking      EventReason = "Baking"
	EventPaused      EventReason = "Paused"
	EventResumed     EventReason = "Resumed"
	EventHeld        EventReason = "Held"
	EventSkipped     EventReason = "Skipped"
	EventRetried     EventReason = "Retried"
	EventWaveMoved   EventReason = "WaveMoved"
	EventDrained     EventReason = "Drained"
	EventRetained    EventReason = "Retained"
	EventCondemned   EventReason = "Condemned"
	EventTerminating EventReason = "Terminating"
	EventTerminated  EventReason = "Terminated"
	EventCollected   EventReason = "Collected"
	EventFinalized   EventReason = "Finalized"
	EventMainRemoved EventReason = "MainRemoved"
	EventHandedBack  EventReason = "HandedBack"
)

// EventMeaning is one row of the table of what Events tell.
type EventMeaning struct {
	Reason  EventReason
	On      string // the kind of the object that it is about
	Warning string // when it is a Warning; empty: never
	Meaning string // one sentence
}

// Events is the table of all EventReasons, roughly in the order in which a
// release meets them. It must not be modified.
func Events() []EventMeaning { return eventTable }

// EventReasons lists every EventReason.
func EventReasons() []EventReason {
	all := make([]EventReason, len(eventTable))
	for i, row := range eventTable {
		all[i] = row.Reason
	}
	return all
}

const (
	onWorkload = "Deployment"
	onAddress  = "Service"
	always     = "always"
)

var eventTable = slices.Concat([]EventMeaning{
	{EventClaimed, onWorkload, "", "A run has begun to work on it, and holds its record; the note says what for, and whether it was there before."},
	{EventApplied, onWorkload, "", "Its objects are written; from here on, its pods are waited for."},
	{EventWaiting, onWorkload, "where waiting does not help", "What keeps its pods from being ready, most likely cause first: one Event for each cause, when it shows."},
	{EventStarted, onWorkload, "", "It is healthy; the note says how long that took, part by part."},
	{EventUpdated, onWorkload, "", "All its pods have the new content."},
	{EventRestarted, onWorkload, "", "All its pods have been replaced."},
	{EventBaked, onWorkload, "", "It stayed healthy for as long as `rollout.bake` asks; the next clusters follow."},
	{EventRolledBack, onWorkload + " or " + onAddress, "where pods go back to their last good content", "Pods go back to their last good content, or traffic to where it was before."},
	{EventCancelled, onWorkload, always, "A start was given up."},
	{EventStopping, onWorkload, "", "It is being scaled to zero."},
	{EventStopped, onWorkload, "", "It has no pods any more."},
	{EventWaveStarted, onAddress, "", "A wave of a deployment group begins, of which this address is part."},
	{EventSwitching, onAddress, "", "Traffic begins to move to another deployment, which is ready."},
	{EventPromoted, onAddress, "", "Traffic has moved, and that is written down."},
	{EventPaused, onWorkload + " or " + onAddress, "", "A share of the pods has new content, or a share of the traffic goes to the new deployment, until somebody lets it go on, or a later run does."},
	{EventResumed, onWorkload + " or " + onAddress, "", "Somebody has asked that a change in place, or a promotion, goes on from its pause, as the note says who: the next run does."},
	{EventHeld, onAddress, "", "Somebody holds a promotion where it is, as the note says who: it stays so until somebody lets it go on."},
	{EventSkipped, onAddress, "", "Somebody lets a promotion skip the shares and pauses that are left, as the note says who: the new deployment gets all of the traffic."},
	{EventRetried, onAddress, "", "Somebody lets a deployment be tried once more that the traffic was taken from, as the note says who: the next apply of it does."},
	{EventBaking, onAddress, "", "The new deployment is being watched with traffic on it, and may still be taken back."},
	{EventWaveMoved, onAddress, "", "All members of a wave have moved, and have baked."},
	{EventDrained, onWorkload, "", "The drain has passed since traffic left it: it may be stopped or removed."},
	{EventRetained, onWorkload, "", "It is in no Terraform state any more, and kept for going back."},
	{EventCondemned, onWorkload, always, "It is in no Terraform state any more, and stays as long as it carries traffic."},
	{EventTerminating, onWorkload, "", "It is being removed."},
	{EventTerminated, onWorkload, "", "It was removed, as asked for."},
	{EventCollected, onWorkload, "", "It was removed, because nobody needs it any more."},
	{EventFinalized, onAddress, "", "A promotion has come to its end: what nobody needs any more is gone."},
	{EventMainRemoved, onAddress, "", "The application's address was removed."},
	{EventHandedBack, onAddress, "", "An adopted Service selects again what it did before."},
}, unsuccessfulEvents())

// unsuccessfulEvents are those of operations that did not succeed.
func unsuccessfulEvents() []EventMeaning {
	var rows []EventMeaning
	for _, o := range Operations() {
		on := onWorkload
		if o == OperationPromote || o == OperationRollback || o == OperationRemoveMain || o == OperationResume || o == OperationHold || o == OperationSkip || o == OperationRetry {
			on = onAddress
		}
		rows = append(rows,
			EventMeaning{o.Failed(), on, always, "The operation `" + string(o) + "` failed; the note says why."},
			EventMeaning{o.Cancelled(), on, always, "The operation `" + string(o) + "` was interrupted; the next apply goes on."})
	}
	return rows
}

// Failed is the Event of an operation that failed.
func (o Operation) Failed() EventReason { return EventReason(o.camel() + "Failed") }

// Cancelled is the Event of one that was interrupted.
func (o Operation) Cancelled() EventReason { return EventReason(o.camel() + "Cancelled") }

// camel is remove_main as RemoveMain.
func (o Operation) camel() string {
	var b strings.Builder
	for part := range strings.SplitSeq(string(o), "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// succeeded are what Events call operations that went well.
var succeeded = map[Operation]EventReason{
	OperationDeploy: EventStarted, OperationUpdate: EventUpdated, OperationPromote: EventPromoted, OperationRollback: EventRolledBack,
	OperationStop: EventStopped, OperationStart: EventStarted, OperationRestart: EventRestarted, OperationCancel: EventCancelled,
	OperationTerminate: EventTerminated, OperationRetain: EventRetained, OperationCondemn: EventCondemned, OperationCollect: EventCollected,
	OperationRemoveMain: EventMainRemoved, OperationResume: EventResumed, OperationHold: EventHeld, OperationSkip: EventSkipped, OperationRetry: EventRetried,
}

// EventReason is the reason of the entry's Event: Promoted, PromoteFailed,
// PromoteCancelled.
func (e Entry) EventReason() EventReason {
	switch e.Outcome {
	case OutcomeFailed:
		return e.Operation.Failed()
	case OutcomeCancelled:
		return e.Operation.Cancelled()
	case OutcomeSucceeded:
	}
	return succeeded[e.Operation]
}
