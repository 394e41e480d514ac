package rollout

import (
	"context"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Start brings a stopped release back to the number of pods that it had, on
// every cluster, and returns when they are healthy. It also resumes one whose
// start was cancelled or failed.
func (e *Engine) Start(ctx context.Context, req ActionRequest) (Deployed, error) {
	return e.bringBack(ctx, req, release.ActionStart, e.startOne, "is started")
}

// bringBack does one action that ends with a started release, on every cluster.
// Whoever asks for a cancel ends it.
func (e *Engine) bringBack(ctx context.Context, req ActionRequest, action release.Action, one func(context.Context, *claim, ActionRequest) error, outcome string) (Deployed, error) {
	began := time.Now()
	done := Deployed{ID: req.ID, Owner: req.Owner, Status: release.StatusStarted}
	whole := ctx
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	claims, err := e.holdAll(ctx, req, action, release.DesiredStarted)
	for _, cl := range claims {
		cl.AbortBy(abort)
	}
	if err == nil {
		_, err = fleet.All(claims, func(cl *claim) (struct{}, error) {
			ctx, done := cl.Bound(ctx)
			defer done()
			return struct{}{}, cl.OrLost(one(ctx, cl, req))
		})
	}
	if err == nil {
		err = e.settle(ctx, claims, &done, began)
	}
	if err != nil {
		err = causeOf(ctx, err)
		done.Notices, err = withUnclean(err, e.failKeptAll(whole, claims, err))
		return done, err
	}
	for _, cl := range claims {
		done.Notices = append(done.Notices, cl.notices...)
	}
	req.say("%s %s", req.ID, outcome)
	return done, nil
}

// startOne brings the pods of one cluster back.
func (e *Engine) startOne(ctx context.Context, cl *claim, req ActionRequest) error {
	if cl.Before.Status.Up() {
		req.say("%s: %s is started already", cl.cluster.Name(), req.ID)
		return nil
	}
	cl.measureFrom(ctx)
	applied, err := e.rescale(ctx, cl)
	if err != nil {
		return err
	}
	req.say("%s: starting %d pods of %s", cl.cluster.Name(), deref(applied.Spec.Replicas), req.ID)
	return e.awaitStarted(ctx, cl, applied)
}
