package rollout

import (
	"context"
	"errors"
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
}

// Update brings a release to what the request says: it repairs drift, resumes
// what was cancelled or failed, adds and drops clusters. When it fails or is
// interrupted, what was serving goes on serving.
func (e *Engine) Update(ctx context.Context, req UpdateRequest) (Deployed, error) {
	t, began := newTarget(req.Spec), time.Now()
	done := Deployed{ID: t.id, Owner: req.Owner, Status: release.StatusStarted}

	kept, err := onAll(byName(req.Keep), func(c Cluster) (*claim, error) { return e.resume(ctx, c, t, req.Owner) })
	kept = made(kept)
	var added []*claim
	if err == nil {
		added, err = onAll(byName(req.Add), func(c Cluster) (*claim, error) { return e.admit(ctx, c, t, req.Owner) })
		added = made(added)
	}
	if err == nil {
		err = e.bringUpAll(ctx, append(kept, added...), shown(req.TakeBack))
	}
	if err == nil {
		err = e.settle(ctx, append(kept, added...), &done, began)
	}
	if err != nil {
		e.failUpdate(ctx, kept, added, err)
		done.Status, done.Reason = release.StatusStartError, reasonOf(err)
		if interrupted(ctx) {
			done.Status = release.StatusCancelled
		}
		return done, err
	}
	for _, cl := range append(kept, added...) {
		done.Notices = append(done.Notices, cl.notices...)
	}
	if len(req.Drop) == 0 {
		return done, nil
	}
	notices, err := e.Terminate(ctx, TerminateRequest{ID: t.id, Application: t.application(), Owner: req.Owner, Clusters: req.Drop})
	done.Notices = append(done.Notices, notices...)
	return done, err
}

// failUpdate lets go of what an update held.
func (e *Engine) failUpdate(ctx context.Context, kept, added []*claim, cause error) {
	if interrupted(ctx) {
		e.cancelAll(ctx, append(kept, added...))
		return
	}
	e.abandonAll(ctx, added, cause)
	clean, cancel := e.cleanup(ctx)
	defer cancel()
	_, _ = onAll(kept, func(cl *claim) (struct{}, error) { return struct{}{}, e.failKept(clean, cl, cause) })
}

// failKept leaves what was started as it is; what never was is stopped like a
// failed create, but stays in our state.
func (e *Engine) failKept(ctx context.Context, cl *claim, cause error) error {
	c, t := cl.cluster, cl.target
	defer cl.stop()
	if cl.before != nil && cl.before.Status == release.StatusStarted {
		return cl.finish(ctx, func(r *release.Record) { r.Reason = reasonOf(cause) })
	}
	err := cl.finish(ctx, func(r *release.Record) { r.Status, r.Reason = release.StatusStartError, reasonOf(cause) })
	if t.spec.OnFailure == release.OnFailureKeep {
		return err
	}
	return errors.Join(err, e.stopIdle(ctx, c, t))
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
