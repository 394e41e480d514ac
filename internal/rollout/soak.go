package rollout

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// soak watches what works, for d. look sees at every change whether it is ill: that
// ends it with errFailed where it lasts longer than the grace, since a probe may fail
// once. An error of look ends it at once.
func (e *Engine) soak(ctx context.Context, changes wait.Changes, d time.Duration, look func() (ill bool, err error)) error {
	began := time.Now()
	var since time.Time // it is ill
	return wait.Until(ctx, changes, func() (bool, time.Duration, error) {
		ill, err := look()
		switch {
		case err != nil:
			return false, 0, err
		case !ill:
			since = time.Time{}
			left := d - time.Since(began)
			return left <= 0, left, nil
		case since.IsZero():
			since = time.Now()
		}
		left := e.timing.Grace - time.Since(since)
		if left <= 0 {
			return false, 0, errFailed
		}
		return false, left, nil
	})
}

// countRestarts notes how often the containers of what has just been found healthy
// were restarted. It may be a while until it is watched: other clusters of its
// batch are not healthy yet.
func (e *Engine) countRestarts(ctx context.Context, cl *claim, applied *appsv1.Deployment) {
	in, err := e.evidence(ctx, cl.cluster.View(cl.target.id.Namespace), cl.target, applied)
	if err == nil && in.Workload != nil {
		n := health.Restarts(in)
		cl.restarts = &n
	}
}

// staysHealthy watches, on one cluster of several, a release that is healthy, before the
// next batch of them follows. It ends at the first container that crashes or is killed.
func (e *Engine) staysHealthy(ctx context.Context, cl *claim, bake time.Duration) error {
	c, t, applied := cl.cluster, cl.target, cl.applied
	view, restarts := c.View(t.id.Namespace), cl.restarts
	var verdict health.Verdict
	err := e.soak(ctx, view.Changes(t.application()), bake, func() (ill bool, err error) {
		in, err := e.evidence(ctx, view, t, applied)
		if err != nil {
			return false, err
		}
		if in.Workload == nil {
			return false, errVanished
		}
		now := health.Restarts(in)
		if restarts == nil || now < *restarts {
			restarts = &now // the first look, or those of pods that are gone since
		}
		verdict = health.Compute(in)
		if now > *restarts {
			return false, errFailed
		}
		return verdict.State != health.Healthy, nil
	})
	if err == nil {
		cl.cameThrough(ctx, bake)
		return nil
	}
	if ownership.CalledOff(ctx) {
		return err
	}
	failure := e.startError(ctx, c, t, applied, verdict, nil, err)
	var start *StartError
	if errors.As(failure, &start) {
		start.Baking = true
		if cl.roll != nil {
			cl.roll.failure = start
		}
	}
	return failure
}
