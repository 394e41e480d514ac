package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// A change of content in place may stop on its way. For example: of 8 pods, 2 shall be
// new for ten minutes before the others follow. As soon as 2 are new, the Deployment is
// paused, so that Kubernetes makes no more. When they are ready, the record says since
// when it waits. They are watched, the record says that this stop is over, and only then
// the Deployment goes on. Whoever finds it paused by us so knows for which stop.

// errLetGo ends the watch at a stop: somebody has let the Deployment go on, as with
// `kubectl rollout resume`.
var errLetGo = errors.New("somebody has let the Deployment go on")

// stopsIn says that a workload is paused by us at a stop that is not over: then it stays
// so when it is applied.
func (r *roll) stopsIn(live *appsv1.Deployment, t target) bool {
	if r == nil || live == nil || !live.Spec.Paused || workload.ContentHash(live) != t.hash || workload.ManagerOf("spec.paused", live) != release.FieldManager {
		return false
	}
	for _, stop := range r.stops {
		if live.Status.UpdatedReplicas >= stop.Pods(deref(live.Spec.Replicas)) {
			return true
		}
	}
	return false
}

// findStops notes the stops that are not over. Going back to what was good has none: it
// waits for nobody.
func (cl *claim) findStops(live *appsv1.Deployment) *release.Roll {
	t := cl.target
	if !cl.goesBack() || len(t.spec.Rolling.PauseAt) == 0 {
		return nil
	}
	var at *release.Roll
	if cl.Before != nil {
		at = cl.Before.Roll.To(t.hash, cl.Before.Paused())
		if at.Stop != nil && workload.ContentHash(live) == t.hash && !live.Spec.Paused {
			at = at.Past(*at.Stop) // by somebody's kubectl
		}
	} else {
		at = &release.Roll{Hash: t.hash}
	}
	cl.roll.stops = at.Ahead(t.spec.Rolling.PauseAt)
	return at
}

// passStops lets the pods be replaced as far as each stop, and waits there. Where the run
// ends in a stop, cl.roll.paused says so.
func (e *Engine) passStops(ctx context.Context, cl *claim, applied *appsv1.Deployment) (*appsv1.Deployment, error) {
	for _, stop := range cl.roll.stops {
		now, over, err := e.stopAt(ctx, cl, applied, stop)
		if errors.Is(err, errLetGo) {
			over, err = true, nil
		}
		if err != nil {
			var failure *StartError
			if errors.As(err, &failure) {
				failure.Rolling = true
				cl.roll.failure = failure
			}
			return nil, err
		}
		if !over {
			cl.roll.paused = true
			return now, nil
		}
		if err := cl.Update(ctx, func(r *release.Record) { r.Roll = r.Roll.Past(stop) }); err != nil {
			return nil, err
		}
		if applied, err = e.setPaused(ctx, cl, false); err != nil {
			return nil, err
		}
	}
	return applied, nil
}

// stopAt waits for a stop, and then for it to be over; false where the run does not outlast it.
func (e *Engine) stopAt(ctx context.Context, cl *claim, applied *appsv1.Deployment, stop release.RollStop) (*appsv1.Deployment, bool, error) {
	share := fmt.Sprintf("%d %% of its pods to have the new content", stop.Percent)
	reached := func(in health.Input) (bool, error) {
		d := in.Workload
		return observed(in, applied) && d.Status.UpdatedReplicas >= stop.Pods(deref(d.Spec.Replicas)), nil
	}
	if err := e.awaitInRoll(ctx, cl, applied, share, reached); err != nil {
		return nil, false, err
	}
	paused := applied
	if !applied.Spec.Paused {
		var err error
		if paused, err = e.setPaused(ctx, cl, true); err != nil {
			return nil, false, err
		}
	}
	ready := func(in health.Input) (bool, error) {
		return newPodsReady(in, cl.target.hash, stop) && observed(in, paused), letGo(in, paused)
	}
	if err := e.awaitInRoll(ctx, cl, paused, "the new pods to be ready", ready); err != nil {
		return nil, false, err
	}
	cl.Phase(release.PhasePaused)
	if err := cl.Update(ctx, func(r *release.Record) { r.Roll = r.Roll.In(stop, cl.cluster.Now().UTC()) }); err != nil {
		return nil, false, err
	}
	over, err := e.stay(ctx, cl, paused, stop)
	return paused, over, err
}

// setPaused keeps Kubernetes from replacing more pods, or lets it go on.
func (e *Engine) setPaused(ctx context.Context, cl *claim, paused bool) (*appsv1.Deployment, error) {
	applied, err := e.amend(ctx, cl.cluster, cl.target, func(want, _ *appsv1.Deployment) error {
		want.Spec.Paused = paused
		return nil
	})
	if err == nil {
		cl.Note(func(*release.Record) { cl.applied = applied })
	}
	return applied, err
}

// awaitInRoll waits for a moment of a change in place, unless new pods cannot become
// healthy.
func (e *Engine) awaitInRoll(ctx context.Context, cl *claim, applied *appsv1.Deployment, what string, done func(health.Input) (bool, error)) error {
	c, t := cl.cluster, cl.target
	ctx, cancel := withinProgressDeadline(cl.following(ctx), t.spec.Health)
	defer cancel()
	w := e.waitFor(c, t, applied)
	err := wait.Until(ctx, w.view.Changes(t.application()), func() (bool, time.Duration, error) {
		in, err := e.evidence(ctx, w.view, t, applied)
		if err == nil && in.Workload != nil {
			if is, err := done(in); is || err != nil {
				return is, 0, err
			}
		}
		_, again, err := w.look(ctx)
		return false, again, err
	})
	if err == nil || errors.Is(err, errLetGo) {
		return err
	}
	if ownership.CalledOff(ctx) {
		return cutOff(err, "waiting for %s of %s on cluster %q", what, t.id, c.Name())
	}
	return e.startError(ctx, c, t, applied, w.verdict, w.found, err)
}

// observed says that what is seen is not from before an apply.
func observed(in health.Input, applied *appsv1.Deployment) bool {
	return in.Workload.Status.ObservedGeneration >= applied.Generation
}

// letGo says that somebody has let a Deployment go on that we have paused.
func letGo(in health.Input, paused *appsv1.Deployment) error {
	if in.Workload.Generation > paused.Generation && !in.Workload.Spec.Paused {
		return errLetGo
	}
	return nil
}

// newPodsReady says that all pods with this content are ready for as long as they have to
// be, and that they are as many as a stop asks for. Where ReplicaSets may not be read, the
// workload's own count must do, which has the old pods, too.
func newPodsReady(in health.Input, hash string, stop release.RollStop) bool {
	d := in.Workload
	need := max(stop.Pods(deref(d.Spec.Replicas)), d.Status.UpdatedReplicas)
	for _, set := range in.ReplicaSets {
		if set.Spec.Template.Annotations[release.AnnotationContentHash] == hash && set.Status.ObservedGeneration >= set.Generation {
			if deref(set.Spec.Replicas) > 0 || need == 0 {
				return set.Status.AvailableReplicas >= max(need, deref(set.Spec.Replicas))
			}
		}
	}
	return len(in.ReplicaSets) == 0 && d.Status.AvailableReplicas >= deref(d.Spec.Replicas)
}

// stay watches the new pods for as long as the stop says. It is false where somebody has to
// say that it may go on, or the run's time does not last.
func (e *Engine) stay(ctx context.Context, cl *claim, paused *appsv1.Deployment, stop release.RollStop) (over bool, err error) {
	at := cl.Record().Roll
	left := at.Left(cl.cluster.Now())
	if end, limited := ctx.Deadline(); limited && left > 0 && time.Until(end) < left+pauseMargin {
		return false, nil
	}
	if err := e.watchNew(ctx, cl, paused, stop, max(left, time.Nanosecond)); err != nil {
		return false, err
	}
	return stop.Gate == "" || at.Resumed, nil
}

// watchNew watches the new pods. It ends at the first of their containers that crashes or
// is killed.
func (e *Engine) watchNew(ctx context.Context, cl *claim, paused *appsv1.Deployment, stop release.RollStop, d time.Duration) error {
	c, t := cl.cluster, cl.target
	view := c.View(t.id.Namespace)
	var verdict health.Verdict
	var restarts *int32
	err := e.soak(ctx, view.Changes(t.application()), d, func() (ill bool, err error) {
		in, err := e.evidence(ctx, view, t, paused)
		if err != nil {
			return false, err
		}
		if in.Workload == nil {
			return false, errVanished
		}
		if err := letGo(in, paused); err != nil {
			return false, err
		}
		now := health.Restarts(ofContent(in, t.hash))
		if restarts == nil || now < *restarts {
			restarts = &now // the first look, or those of pods that are gone since
		}
		verdict = health.Compute(in)
		if now > *restarts {
			return false, errFailed
		}
		return !newPodsReady(in, t.hash, stop), nil
	})
	if err == nil || errors.Is(err, errLetGo) {
		return err
	}
	if ownership.CalledOff(ctx) {
		return cutOff(err, "watching the new pods of %s on cluster %q", t.id, c.Name())
	}
	failure := e.startError(ctx, c, t, paused, verdict, nil, err)
	var start *StartError
	if errors.As(failure, &start) {
		start.Baking, start.Share = true, stop.Percent
	}
	return failure
}

// ofContent is what was seen, of the pods with this content alone.
func ofContent(in health.Input, hash string) health.Input {
	all := in.Pods
	in.Pods = nil
	for _, pod := range all {
		if pod.Annotations[release.AnnotationContentHash] == hash {
			in.Pods = append(in.Pods, pod)
		}
	}
	return in
}

// settlePaused writes, on one cluster, that a change has stopped on its way, and that
// nobody is at work on it.
func (e *Engine) settlePaused(ctx context.Context, cl *claim) error {
	text := fmt.Sprintf("its turn comes after cluster %q, where the change is paused", cl.waitsFor)
	if cl.waitsFor == "" {
		roll := cl.Record().Roll
		text = release.RollText(cl.cluster.Name(), cl.target.id, cl.target.application(), roll)
		cl.emit(ctx, release.EventPaused, fmt.Sprintf("%s is paused: %d %% of its pods have version %s", cl.target.id.Name, roll.Stop.Percent, cl.target.spec.Content.Version), false)
	}
	return cl.finish(ctx, func(r *release.Record) {
		if r.Custody == release.CustodyClaimed {
			r.Custody = release.CustodyOwned
		}
		r.Status, r.Reason = release.StatusPaused, text
	})
}

// pausedAt is the status of a change that went well, and why where it has stopped on its
// way.
func (done *Deployed) pausedAt(claims []*claim) {
	for _, cl := range claims {
		if record := cl.Record(); record.Paused() && cl.Written() {
			done.Status, done.Reason = release.StatusPaused, record.Reason
			return
		}
	}
}
