package rollout

import (
	"cmp"
	"context"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// In names the automation that this process runs in, for the history and Events.
func (e *Engine) In(run release.Run) *Engine {
	e.automation = ownership.Redacted(run)
	return e
}

// entry begins a line of the history: an operation that ended just now, well.
func (e *Engine) entry(ctx context.Context, c Cluster, operation release.Operation, name, version string) release.Entry {
	return release.Entry{
		ID: ownership.NewToken(), Time: time.Now(), Operation: operation, Deployment: name, Version: version,
		By: mask.Redact(c.User(ctx)), Outcome: release.OutcomeSucceeded, Run: e.automation, Reason: becauseOf(ctx, operation),
	}
}

// ended notes how an operation ended: ctx tells a Ctrl-C from a failure.
func ended(ctx context.Context, entry release.Entry, began time.Time, err error) release.Entry {
	entry.Time = time.Now()
	if !began.IsZero() {
		entry.Duration = time.Since(began)
	}
	switch {
	case err == nil:
		entry.Outcome = release.OutcomeSucceeded
	case ownership.Interrupted(ctx):
		entry.Outcome, entry.Reason = release.OutcomeCancelled, "interrupted"
	default:
		entry.Outcome, entry.Reason = release.OutcomeFailed, reasonOf(err)
	}
	return entry
}

// report puts an entry's Event on an object.
func (e *Engine) report(ctx context.Context, c Cluster, regarding Object, entry release.Entry) {
	e.lineOf(ctx, c, regarding.GetNamespace(), entry)
	c.Emit(ctx, regarding, entry.EventReason(), entry.Sentence(), entry.Warns())
}

// inRun is a note with the automation that it happened in.
func (e *Engine) inRun(note string) string {
	if run := e.automation.String(); run != "" {
		note += " (" + run + ")"
	}
	return mask.Redact(note)
}

// entryOf is the history's entry of what is done with a release from now on:
// that of the attempt that a kill left unfinished, or a new one.
func entryOf(record *release.Record) string {
	if record.Busy() && record.Entry != "" && record.Custody != release.CustodyTerminating {
		return record.Entry
	}
	return ownership.NewToken()
}

// entry is the history's line of the attempt that this claim is for.
func (cl *claim) entry(ctx context.Context, cause error) release.Entry {
	record := cl.Record()
	cl.mu.Lock()
	if cl.told == "" { // once: the end of the attempt may be tried, fail, and be another one
		cl.told = cmp.Or(record.Entry, ownership.NewToken())
	}
	id, phases := cl.told, record.Phases
	cl.mu.Unlock()
	entry := cl.engine.entry(ctx, cl.cluster, cl.operation(), cl.target.id.Name, cl.target.spec.Content.Version)
	var began time.Time
	if len(phases) > 0 {
		began = phases[0].At
	}
	entry = ended(ctx, entry, began, cause)
	entry.ID = id
	if cause == nil && cl.clock.started {
		entry.Durations = cl.clock.took
	}
	if cause == nil && cl.does == "" && cl.Before != nil && cl.Before.Custody != release.CustodyOwned && !cl.Before.Busy() {
		entry.Reason = "it was there already: " + string(cl.Before.Custody)
	}
	return entry
}

// operation is what the claim is for: a verb says so, and an update is called by
// what it does to the pods.
func (cl *claim) operation() release.Operation {
	stopped := cl.stops()
	switch b := cl.Before; {
	case cl.does != "":
		return cl.does
	case cl.adopts || b == nil:
		return release.OperationDeploy
	case stopped && b.Status != release.StatusStopped:
		return release.OperationStop
	case stopped:
		return release.OperationUpdate
	case cl.restart != nil:
		return release.OperationRestart
	case b.Status.Up():
		return release.OperationUpdate
	case b.Status.Desired() == release.DesiredStopped, b.Busy() && b.Operation == release.OperationStart:
		return release.OperationStart
	}
	return release.OperationDeploy // goes on with one that failed or was cancelled
}

// notable says that the attempt did something to the release. Taking over what
// was finished does not, and is what follows a kill between the end of a create
// and its state; nor does a verb that finds what it is to bring about.
func (cl *claim) notable() bool {
	b, goal := cl.Before, cl.target.spec.DesiredState.Goal()
	switch {
	case b == nil, b.Busy(), b.Status != goal, cl.roll != nil:
		return true
	case cl.does != "":
		return cl.does == release.OperationRestart
	}
	return !cl.adopts || b.Custody != release.CustodyOwned
}

// unsuccessful writes and tells what became of an attempt that did not succeed.
func (cl *claim) unsuccessful(ctx context.Context, entry release.Entry) {
	if cl.Before == nil && cl.target.spec.OnFailure == release.OnFailureTerminate {
		cl.engine.keeper.RememberIfAny(ctx, cl.cluster, cl.target.id.Namespace, cl.target.application(), entry)
	} else {
		cl.engine.keeper.Remember(ctx, cl.cluster, cl.target.id.Namespace, cl.target.application(), entry)
	}
	cl.events.end(ctx) // in their order
	cl.engine.report(ctx, cl.cluster, cl.about(), entry)
}
