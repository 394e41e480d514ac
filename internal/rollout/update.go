package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// UpdateRequest changes a release in place: what is not part of its content.
type UpdateRequest struct {
	Spec  release.Spec
	Owner string // the state's token

	Keep []Cluster // it is there already
	Add  []Cluster // it shall be there too
	Drop []Cluster // it shall leave

	// Rejoin are clusters that are in our state, but that an earlier change has
	// not reached: it may be there, ours or not, or not at all.
	Rejoin []Cluster
	// Settled are clusters on which there is nothing to do. Only whether the
	// release is still ours is asked there, where they answer.
	Settled []Cluster
	// Unready are clusters that were found not to be ready for the change, and
	// why: they have failed before it begins.
	Unready map[string]error

	Rollout release.Rollout

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
// A failure that changed nothing leaves Deployed.Status empty. One of the
// clusters that were to be left alone comes with Deployed.Reached.
func (e *Engine) Update(ctx context.Context, req UpdateRequest) (Deployed, error) {
	t, began := e.whileStopped(ctx, slices.Concat(req.Keep, req.Rejoin, req.Add), newTarget(req.Spec)), time.Now()
	done := Deployed{ID: t.id, Owner: req.Owner, Status: t.spec.DesiredState.Goal(), Reason: t.reason()}
	whole := ctx
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)

	s := e.newChange(req.Rollout, len(req.Keep)+len(req.Rejoin)+len(req.Add)+len(req.Settled)+len(req.Unready), req.Unready)
	err := e.holdUpdate(ctx, s, req, t)
	for _, cl := range s.claims() {
		cl.AbortBy(abort)
	}
	if err == nil && req.Restart && !t.withMain {
		err = s.markRestarting(ctx)
	}
	if err == nil {
		err = s.reach(ctx, shown(req.TakeBack))
	}
	if err == nil {
		err = s.settle(ctx, &done, began)
	}
	if err != nil {
		err = causeOf(ctx, err)
		if lost := e.confirmAll(whole, s.standing(s.claims())); len(lost) > 0 {
			if cancelledCause(err) || ownership.Interrupted(whole) {
				err = lost[0]
			}
			err = told(err, lost...)
		}
		tellChange(err, s.kept)
		undone, err := withUnclean(err, slices.Concat(e.failUpdate(whole, s, err), s.unclean))
		done.Status, done.Reason = failedAs(whole, t, s.kept, err)
		done.Clusters = s.outcomes()
		done.Notices = append(done.Notices, slices.Concat(undone, tellRolledBack(s.claims()), tellLeft(err, s.added), tellStaying(s.added))...)
		return done, err
	}
	s.letGo(whole)
	done.Notices = append(done.Notices, notCleanedUp(s.unclean)...)
	done.Notices = append(done.Notices, tellRolledBack(s.claims())...)
	done.conclude(s)
	done.Reached = true
	if len(req.Drop) == 0 {
		return done, nil
	}
	notices, left := e.TerminateOn(ctx, TerminateRequest{ID: t.id, Application: t.application(), Owner: req.Owner, Clusters: req.Drop})
	done.Notices, done.Left = append(done.Notices, notices...), left
	return done, errorsOf(left)
}

// holdUpdate takes the release in hand wherever something is to be done.
func (e *Engine) holdUpdate(ctx context.Context, s *change, req UpdateRequest, t target) error {
	if _, err := fleet.All(req.Settled, func(c Cluster) (struct{}, error) { return struct{}{}, e.stillOurs(ctx, c, t, req.Owner) }); err != nil {
		return err
	}
	admit := func(c Cluster) (*claim, error) { return e.admit(ctx, c, t, req.Owner) }
	err := s.hold(ctx, &s.kept, req.Keep, func(c Cluster) (*claim, error) { return e.resume(ctx, c, t, req.Owner) })
	if err == nil {
		err = s.hold(ctx, &s.kept, req.Rejoin, func(c Cluster) (*claim, error) {
			cl, err := e.rejoin(ctx, c, t, req.Owner, admit)
			if cl != nil {
				cl.Keep()
			}
			return cl, err
		})
	}
	if err == nil {
		err = s.hold(ctx, &s.added, req.Add, admit)
	}
	return err
}

// rejoin takes a release in hand that is in our state, but that may never have
// been made on this cluster.
func (e *Engine) rejoin(ctx context.Context, c Cluster, t target, owner string, admit func(Cluster) (*claim, error)) (*claim, error) {
	_, record, err := ownership.LiveRecord(ctx, c, t.id, t.application())
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return nil, err
	case record != nil && record.Owner == owner:
		return e.resume(ctx, c, t, owner)
	default:
		return admit(c)
	}
}

// stillOurs finds out that somebody else has claimed the release, on a cluster
// on which nothing is to be done. One that does not answer is let pass.
func (e *Engine) stillOurs(ctx context.Context, c Cluster, t target, owner string) error {
	_, record, err := ownership.LiveRecord(ctx, c, t.id, t.application())
	if err != nil || owner == "" || record.Owner == owner || record.OutOfDate(owner) {
		return nil //nolint:nilerr // nothing is to be done there
	}
	return staleDeployment(c, t.id, record.Holder)
}

// markRestarting marks what is up already: its pods are going to be replaced.
func (s *change) markRestarting(ctx context.Context) error {
	if !s.continues() {
		return s.engine.markRestarting(ctx, s.kept)
	}
	return s.each(ctx, s.standing(s.kept), func(ctx context.Context, cl *claim) error { return s.engine.markRestarting(ctx, []*claim{cl}) })
}

// failedAs is the status in which a failed update left what is in our state,
// and why; empty where nothing was changed.
func failedAs(ctx context.Context, t target, kept []*claim, cause error) (release.Status, string) {
	if ownership.Lost(ctx, cause) != nil && !slices.ContainsFunc(kept, func(cl *claim) bool { return cl.Written() }) {
		return "", "" // the next refresh shows what whoever has it now makes of it
	}
	for _, cl := range kept {
		if cl.goesBack() {
			return cl.rolledBackAs(), reasonOf(cause)
		}
	}
	gaveUp := cancelledCause(cause) || ownership.Interrupted(ctx)
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
func (e *Engine) failUpdate(ctx context.Context, s *change, cause error) []error {
	kept := s.standing(s.kept) // the others have been put in order
	var by *release.CancelledError
	if errors.As(cause, &by) || ownership.Interrupted(ctx) {
		return e.cancelAll(ctx, slices.Concat(kept, s.added), by)
	}
	return slices.Concat(e.abandonAll(ctx, s.added, cause), e.failKeptAll(ctx, kept, cause))
}

// failKeptAll is what follows a failed change of what is in somebody's state.
func (e *Engine) failKeptAll(ctx context.Context, kept []*claim, cause error) []error {
	var by *release.CancelledError
	if errors.As(cause, &by) || ownership.Interrupted(ctx) {
		return e.cancelAll(ctx, kept, by)
	}
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return cleanUp(kept, func(cl *claim) error { return e.failKept(clean, cl, cause) })
}

// failKept leaves what was started as it is; what never was is stopped like a
// failed create, but stays in our state.
func (e *Engine) failKept(ctx context.Context, cl *claim, cause error) error {
	t := cl.target
	defer cl.Stop()
	if err := cl.stillOurs(); err != nil {
		return err // theirs now
	}
	cl.unsuccessful(ctx, cl.entry(ctx, cause))
	switch {
	case cl.halted:
		return e.failHalted(ctx, cl, cause)
	case cl.goesBack():
		return e.takeBackRoll(ctx, cl, cl.reason(cause), func(*release.Record) {})
	case cl.Before != nil && t.spec.DesiredState == release.DesiredStopped:
		return cl.GiveBack(ctx) // nothing was stopped
	case cl.Before != nil && cl.Before.Status.Up():
		err := e.undoRestart(ctx, cl)
		return errors.Join(err, cl.finish(ctx, func(r *release.Record) {
			r.Status, r.Reason = cl.Before.Status, cl.reason(cause)
			if cl.restart != nil && err == nil {
				r.Status = release.StatusStarted
			}
		}))
	}
	outcome := func(r *release.Record) { r.Status, r.Reason = release.StatusStartError, cl.reason(cause) }
	if t.spec.OnFailure == release.OnFailureKeep {
		return cl.finish(ctx, outcome)
	}
	return e.finishIdle(ctx, cl, outcome)
}

// stopIdle scales a release down unless it carries traffic.
func (e *Engine) stopIdle(ctx context.Context, c Cluster, t target) error {
	return e.keeper.Locked(ctx, []Cluster{c}, t.id.Namespace, t.application(), func(ctx context.Context, _ *ownership.Held) error {
		d, err := e.liveWorkload(ctx, c, t.id, t.application())
		if err != nil || d == nil || e.mayHurt(ctx, c, t.application(), d) != "" {
			return err
		}
		return e.scaleDown(ctx, c, t)
	})
}
