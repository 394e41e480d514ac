package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// historyPatience is how long an entry may take to be written. The history is
// best effort: what it tells must not keep anybody waiting.
const historyPatience = 5 * time.Second

// historyRaces is how often an entry is written again because somebody else wrote
// to the application's ConfigMap at the same time.
const historyRaces = 10

// In names the automation that this process runs in, for the history and Events.
func (e *Engine) In(run release.Run) *Engine {
	redactRun(&run)
	e.automation = run
	return e
}

// entry begins a line of the history: an operation that ended just now, well.
func (e *Engine) entry(ctx context.Context, c Cluster, operation release.Operation, name, version string) release.Entry {
	return release.Entry{
		ID: NewToken(), Time: time.Now(), Operation: operation, Deployment: name, Version: version,
		By: mask.Redact(c.User(ctx)), Outcome: release.OutcomeSucceeded, Run: e.automation,
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
	case Interrupted(ctx):
		entry.Outcome, entry.Reason = release.OutcomeCancelled, "interrupted"
	default:
		entry.Outcome, entry.Reason = release.OutcomeFailed, reasonOf(err)
	}
	return entry
}

// tell puts an entry's Event on an object.
func (e *Engine) tell(ctx context.Context, c Cluster, regarding Object, entry release.Entry) {
	e.lineOf(ctx, c, regarding.GetNamespace(), entry)
	c.Tell(ctx, regarding, entry.EventReason(), entry.Sentence(), entry.Warns())
}

// inRun is a note with the automation that it happened in.
func (e *Engine) inRun(note string) string {
	if run := e.automation.String(); run != "" {
		note += " (" + run + ")"
	}
	return mask.Redact(note)
}

// remember writes entries into the application's history, and makes it where
// there is none yet: its caller knows that a release of the application is left,
// whose removal takes the history with it. It is best effort and needs no Lease.
func (e *Engine) remember(ctx context.Context, c Cluster, namespace, application string, entries ...release.Entry) {
	e.appendHistory(ctx, c, namespace, application, true, entries...)
}

// rememberIfAny is remember for what may have been the application's last act:
// a history that is gone stays so.
func (e *Engine) rememberIfAny(ctx context.Context, c Cluster, namespace, application string, entries ...release.Entry) {
	e.appendHistory(ctx, c, namespace, application, false, entries...)
}

func (e *Engine) appendHistory(ctx context.Context, c Cluster, namespace, application string, create bool, entries ...release.Entry) {
	ctx, cancel := context.WithTimeout(ctx, e.timing.patience(historyPatience))
	defer cancel()
	for race := range historyRaces {
		if ctx.Err() != nil {
			return
		}
		live, err := e.historyIn(ctx, c, namespace, application, race == 0, create)
		switch {
		case err != nil, live == nil && !create:
			return
		case live == nil:
			live = pointerObject(namespace, application)
			live.Data = release.AppendHistory(nil, entries...)
			err = c.Create(ctx, live)
		default:
			live.Data = release.AppendHistory(live.Data, entries...)
			err = c.Update(ctx, live)
		}
		if again := release.ReadAgain(err) || apierrors.IsAlreadyExists(err) || create && apierrors.IsNotFound(err); !again {
			return
		}
	}
}

// historyIn is the application's ConfigMap, to be written; nil where there is
// none. At first it is what the run's shared watch knows, which saves a request
// for each release: where that is behind, the write meets a conflict. That there
// is none is believed only by those who would make it.
func (e *Engine) historyIn(ctx context.Context, c Cluster, namespace, application string, first, create bool) (*corev1.ConfigMap, error) {
	name := release.MainName(application)
	if first {
		seen, err := cached(ctx, c.View(namespace), &corev1.ConfigMap{}, name)
		if err == nil && seen != nil && release.Foreign(c.Name(), "ConfigMap", seen, application) == nil {
			return seen.DeepCopy(), nil
		}
		if err == nil && seen == nil && create {
			return nil, nil
		}
	}
	return look(ctx, c, namespace, name, application, &corev1.ConfigMap{}, "ConfigMap")
}

// entryOf is the history's entry of what is done with a release from now on:
// that of the attempt that a kill left unfinished, or a new one.
func entryOf(record *release.Record) string {
	if record.Busy() && record.Entry != "" && record.Custody != release.CustodyTerminating {
		return record.Entry
	}
	return NewToken()
}

// entry is the history's line of the attempt that this claim is for.
func (cl *claim) entry(ctx context.Context, cause error) release.Entry {
	cl.mu.Lock()
	if cl.told == "" { // once: the end of the attempt may be tried, fail, and be another one
		if cl.told = cl.record.Entry; cl.told == "" {
			cl.told = NewToken()
		}
	}
	id, phases := cl.told, cl.record.Phases
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
	if cause == nil && cl.does == "" && cl.before != nil && cl.before.Custody != release.CustodyOwned && !cl.before.Busy() {
		entry.Reason = "it was there already: " + string(cl.before.Custody)
	}
	return entry
}

// operation is what the claim is for: a verb says so, and an update is called by
// what it does to the pods.
func (cl *claim) operation() release.Operation {
	stopped := cl.target.spec.DesiredState == release.DesiredStopped
	switch b := cl.before; {
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
	b, goal := cl.before, cl.target.spec.DesiredState.Goal()
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
	if cl.before == nil && cl.target.spec.OnFailure == release.OnFailureTerminate {
		cl.engine.rememberIfAny(ctx, cl.cluster, cl.target.id.Namespace, cl.target.application(), entry)
	} else {
		cl.engine.remember(ctx, cl.cluster, cl.target.id.Namespace, cl.target.application(), entry)
	}
	cl.story.end(ctx) // in their order
	cl.engine.tell(ctx, cl.cluster, cl.about(), entry)
}

// pointerObject is an application's ConfigMap, empty.
func pointerObject(namespace, application string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: release.MainName(application),
			Labels: applicationLabels(application, release.RolePointer),
		},
	}
}
