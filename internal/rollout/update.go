package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// UpdateRequest changes a release in place: what is not part of its content.
type UpdateRequest struct {
	Spec  release.Spec
	Owner string // the state's token

	Keep []Cluster // it is there already
	Add  []Cluster // it shall be there too
	Drop []Cluster // it shall leave

	// TakeBack are the fields of the Deployment and Service that the plan has
	// shown as drift: they may be taken from their other managers.
	TakeBack []string

	// Restart replaces the pods of what is started, unless they have been
	// replaced for the same Spec.RestartTriggers already.
	Restart bool
}

// Update brings a release to what the request says: it repairs drift, resumes
// what was cancelled or failed, stops, starts and restarts, adds and drops
// clusters. When it fails or is interrupted, what was serving goes on serving.
//
// A failure that changed nothing leaves Deployed.Status empty.
func (e *Engine) Update(ctx context.Context, req UpdateRequest) (Deployed, error) {
	t, began := newTarget(req.Spec), time.Now()
	done := Deployed{ID: t.id, Owner: req.Owner, Status: req.Spec.DesiredState.Goal()}
	whole := ctx
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)

	kept, err := onAll(byName(req.Keep), func(c Cluster) (*claim, error) { return e.resume(ctx, c, t, req.Owner) })
	kept = made(kept)
	var added []*claim
	if err == nil {
		added, err = onAll(byName(req.Add), func(c Cluster) (*claim, error) { return e.admit(ctx, c, t, req.Owner) })
		added = made(added)
	}
	claims := slices.Concat(kept, added)
	for _, cl := range claims {
		cl.abortBy(abort)
	}
	if err == nil && req.Restart {
		err = e.markRestarting(ctx, kept)
	}
	if err == nil {
		err = e.reach(ctx, claims, shown(req.TakeBack))
	}
	if err == nil {
		err = e.settle(ctx, claims, &done, began)
	}
	if err != nil {
		err = causeOf(ctx, err)
		tellChange(err, kept)
		e.failUpdate(whole, kept, added, err)
		done.Status, done.Reason = failedAs(whole, t, kept, err)
		done.Notices = append(done.Notices, tellRolledBack(claims)...)
		return done, err
	}
	for _, cl := range claims {
		done.Notices = append(done.Notices, cl.notices...)
	}
	if len(req.Drop) == 0 {
		return done, nil
	}
	notices, err := e.Terminate(ctx, TerminateRequest{ID: t.id, Application: t.application(), Owner: req.Owner, Clusters: req.Drop})
	done.Notices = append(done.Notices, notices...)
	return done, err
}

// failedAs is the status in which a failed update left what is in our state,
// and why; empty where nothing was changed.
func failedAs(ctx context.Context, t target, kept []*claim, cause error) (release.Status, string) {
	for _, cl := range kept {
		if cl.goesBack() {
			return cl.rolledBackAs(), reasonOf(cause)
		}
	}
	gaveUp := cancelledCause(cause) || interrupted(ctx)
	if t.spec.DesiredState != release.DesiredStopped {
		if gaveUp {
			return release.StatusCancelled, reasonOf(cause)
		}
		return release.StatusStartError, reasonOf(cause)
	}
	for _, cl := range kept {
		switch {
		case cl.halted && gaveUp:
			return release.StatusStopping, reasonOf(cause)
		case cl.halted:
			return release.StatusStopError, reasonOf(cause)
		}
	}
	return "", ""
}

func cancelledCause(err error) bool {
	var by *release.CancelledError
	return errors.As(err, &by)
}

// failUpdate lets go of what an update held.
func (e *Engine) failUpdate(ctx context.Context, kept, added []*claim, cause error) {
	var by *release.CancelledError
	if errors.As(cause, &by) || interrupted(ctx) {
		e.cancelAll(ctx, slices.Concat(kept, added), by)
		return
	}
	e.abandonAll(ctx, added, cause)
	e.failKeptAll(ctx, kept, cause)
}

// failKeptAll is what follows a failed change of what is in somebody's state.
func (e *Engine) failKeptAll(ctx context.Context, kept []*claim, cause error) {
	var by *release.CancelledError
	if errors.As(cause, &by) || interrupted(ctx) {
		e.cancelAll(ctx, kept, by)
		return
	}
	clean, cancel := e.cleanup(ctx)
	defer cancel()
	_, _ = onAll(kept, func(cl *claim) (struct{}, error) { return struct{}{}, e.failKept(clean, cl, cause) })
}

// failKept leaves what was started as it is; what never was is stopped like a
// failed create, but stays in our state.
func (e *Engine) failKept(ctx context.Context, cl *claim, cause error) error {
	t := cl.target
	defer cl.stop()
	var another *release.TakenOverError
	if errors.As(cause, &another) {
		return nil // theirs now
	}
	cl.unsuccessful(ctx, cl.entry(ctx, cause))
	switch {
	case cl.halted:
		return e.failHalted(ctx, cl, cause)
	case cl.goesBack():
		return e.takeBackRoll(ctx, cl, reasonOf(cause), func(*release.Record) {})
	case cl.before != nil && t.spec.DesiredState == release.DesiredStopped:
		return cl.giveBack(ctx) // nothing was stopped
	case cl.before != nil && cl.before.Status.Up():
		err := e.undoRestart(ctx, cl)
		return errors.Join(err, cl.finish(ctx, func(r *release.Record) {
			r.Status, r.Reason = cl.before.Status, reasonOf(cause)
			if cl.restart != nil && err == nil {
				r.Status, r.Reason = release.StatusStarted, reasonOf(cause)
			}
		}))
	}
	err := cl.finish(ctx, func(r *release.Record) { r.Status, r.Reason = release.StatusStartError, reasonOf(cause) })
	if t.spec.OnFailure == release.OnFailureKeep {
		return err
	}
	return errors.Join(err, e.stopIdleAs(ctx, cl))
}

// stopIdle scales a release down unless it carries traffic.
func (e *Engine) stopIdle(ctx context.Context, c Cluster, t target) error {
	return e.locked(ctx, []Cluster{c}, t.id.Namespace, t.application(), func(ctx context.Context, _ *held) error {
		d, err := e.liveWorkload(ctx, c, t.id, t.application())
		if err != nil || d == nil || e.mayHurt(ctx, c, t.application(), d) != "" {
			return err
		}
		return e.scaleDown(ctx, c, t)
	})
}
