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

// staysHealthy watches a release that is healthy, for that long. It ends at the
// first container that crashes or is killed, and where the release is not
// healthy for longer than the grace: a probe may fail once.
func (e *Engine) staysHealthy(ctx context.Context, cl *claim, bake time.Duration) error {
	c, t, applied := cl.cluster, cl.target, cl.applied
	ends, view := time.Now().Add(bake), c.View(t.id.Namespace)
	var verdict health.Verdict
	var sick time.Time // since when it is
	restarts := cl.restarts
	err := wait.Until(ctx, view, func() (bool, time.Duration, error) {
		in, err := e.evidence(ctx, view, t, applied)
		if err != nil {
			return false, 0, err
		}
		if in.Workload == nil {
			return false, 0, errVanished
		}
		now := health.Restarts(in)
		if restarts == nil || now < *restarts {
			restarts = &now // the first look, or those of pods that are gone since
		}
		verdict = health.Compute(in)
		switch {
		case now > *restarts:
			return false, 0, errFailed
		case verdict.State == health.Healthy:
			sick = time.Time{}
			left := time.Until(ends)
			return left <= 0, left, nil
		case sick.IsZero():
			sick = time.Now()
		}
		left := e.timing.Grace - time.Since(sick)
		if left <= 0 {
			return false, 0, errFailed
		}
		return false, left, nil
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
