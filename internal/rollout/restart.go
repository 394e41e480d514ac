package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// restart is one replacement of a release's pods, and the way back from it.
type restart struct {
	at string // what the pod template says from then on

	applied  bool              // it may have been written
	before   string            // what the pod template said
	triggers map[string]string // what it had been restarted for
}

func newRestart() *restart {
	return &restart{at: time.Now().UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano)}
}

// asked notes what lives before the restart is written.
func (r *restart) asked(live *appsv1.Deployment) {
	if at := workload.RestartedAt(live); at != r.at {
		r.applied, r.before, r.triggers = true, at, workload.RestartTriggers(live)
	}
}

// restartedFor says that the pods have been asked to be replaced for these
// triggers already, by a run that could not say so.
func restartedFor(live *appsv1.Deployment, triggers map[string]string) bool {
	return maps.Equal(workload.RestartTriggers(live), triggers)
}

// startedAs gives a spec the number of pods that others have set, where the user
// leaves that to them: over a stop, it is kept like one's own.
func startedAs(spec release.Spec, live *appsv1.Deployment) release.Spec {
	if live != nil && spec.Autoscaling == nil && workload.Ignored(workload.ReplicasField, spec.IgnoreDrift) &&
		(deref(live.Spec.Replicas) == 0 || spec.DesiredState == release.DesiredStopped) {
		spec.Replicas = workload.StartedReplicas(live)
	}
	return spec
}

// Restart replaces the pods of a started release, a few at a time and never
// below the number that it has, on every cluster. It returns when all pods are
// new and ready and the old ones gone. Where the new ones do not become ready,
// the old ones stay.
func (e *Engine) Restart(ctx context.Context, req ActionRequest) (Deployed, error) {
	return e.bringBack(ctx, req, release.ActionRestart, e.restartOne, "has been restarted")
}

func (e *Engine) restartOne(ctx context.Context, cl *claim, req ActionRequest) error {
	cl.restart = newRestart()
	cl.measureFrom(ctx)
	if err := cl.Update(ctx, func(r *release.Record) { r.Status, r.Reason = release.StatusRestarting, "" }); err != nil {
		return err
	}
	req.say("%s: replacing the pods of %s", cl.cluster.Name(), req.ID)
	applied, err := e.amend(ctx, cl.cluster, cl.target, func(d, _ *appsv1.Deployment) error {
		cl.restart.asked(d)
		workload.SetRestartedAt(d, cl.restart.at)
		return nil
	})
	if err != nil {
		return err
	}
	cl.Note(func(*release.Record) { cl.applied = applied })
	return e.awaitRestarted(ctx, cl, applied)
}

// awaitRestarted waits until every pod is new and ready and the old ones are gone.
func (e *Engine) awaitRestarted(ctx context.Context, cl *claim, applied *appsv1.Deployment) error {
	c, t := cl.cluster, cl.target
	if err := e.awaitHealthy(cl.following(ctx), c, t, applied); err != nil {
		var start *StartError
		if errors.As(err, &start) {
			start.Restart = true
		}
		return err
	}
	if err := e.awaitNoneEnding(ctx, cl); err != nil {
		return err
	}
	e.cameUp(ctx, cl, applied, release.PhaseRestarted, release.EventRestarted, fmt.Sprintf("all %d pods of %s have been replaced", deref(applied.Spec.Replicas), t.id.Name))
	return nil
}

// awaitNoneEnding waits until no pod of the release is on its way out. New pods
// have taken over by then, so that this fails nothing: what has not ended when its
// grace period, and a margin, are over, or when the operation's time is nearly up,
// is told of and left to end by itself. Only pods that cannot be listed fail it.
func (e *Engine) awaitNoneEnding(ctx context.Context, cl *claim) error {
	c, id := cl.cluster, cl.target.id
	waiting, cancel := e.nearlyUntil(ctx)
	defer cancel()
	view := c.View(id.Namespace)
	var left []string
	var unread unlisted
	err := wait.Until(waiting, view.Changes(cl.target.application()), func() (bool, time.Duration, error) {
		pods, err := view.List(waiting, &corev1.Pod{}, map[string]string{release.LabelDeployment: id.Name})
		if err != nil && waiting.Err() != nil {
			return false, 0, err
		}
		if again, err := unread.judge(e, err); again > 0 || err != nil {
			return false, again, err // they may be there
		}
		left = nil
		again := time.Duration(0) // until the last of them should be gone
		for _, pod := range pods {
			// It is the time at which the grace period is over.
			if ends := pod.GetDeletionTimestamp(); ends != nil {
				left = append(left, pod.GetName())
				again = max(again, ends.Add(e.timing.Settle).Sub(c.Now()))
			}
		}
		return again <= 0, again, nil
	})
	if err != nil && (waiting.Err() == nil || ctx.Err() != nil || !unread.since.IsZero()) {
		return err
	}
	if len(left) > 0 {
		slices.Sort(left)
		cl.notices = append(cl.notices, stillEnding(c, id, left))
	}
	return nil
}

// nearlyUntil ends a little before the operation's deadline: what follows a wait
// that need not succeed still has to be written down.
func (e *Engine) nearlyUntil(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(e.timing.Settle, time.Until(deadline)/4)))
}

// undoRestart goes back to the pods that were there: those that are still there
// are not touched. It asks for it and does not wait.
func (e *Engine) undoRestart(ctx context.Context, cl *claim) error {
	r := cl.restart
	if r == nil || !r.applied {
		return nil
	}
	_, err := e.amend(ctx, cl.cluster, cl.target, func(d, _ *appsv1.Deployment) error {
		if workload.RestartedAt(d) == r.at {
			workload.SetRestartedAt(d, r.before)
		}
		return workload.SetRestartTriggers(d, r.triggers)
	})
	return err
}

// markRestarting writes down that the pods of what is up are going to be
// replaced. What is not up gets new pods anyway.
func (e *Engine) markRestarting(ctx context.Context, kept []*claim) error {
	_, err := fleet.All(kept, func(cl *claim) (struct{}, error) {
		if cl.Before == nil || !cl.Before.Status.Up() || cl.stops() {
			return struct{}{}, nil
		}
		cl.restart = newRestart()
		return struct{}{}, cl.Update(ctx, func(r *release.Record) { r.Status, r.Reason = release.StatusRestarting, "" })
	})
	return err
}
