package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// keepAsAsked stops and starts what is retained, as a collection says. Callers
// hold the Lease. What somebody is at work on, or has claimed since, is theirs.
func (e *Engine) keepAsAsked(ctx context.Context, c Cluster, application string, plan release.Collection, records map[string]*release.Record, live map[string]*corev1.ConfigMap) ([]Notice, error) {
	var notices []Notice
	for _, name := range slices.Concat(plan.Stop, plan.Start) {
		do, status, notice := e.retainStarted, release.StatusStarted, notStarted
		if slices.Contains(plan.Stop, name) {
			do, status, notice = e.retainStopped, release.StatusStopped, notStopped
		}
		working, err := e.keeper.Working(ctx, c, live[name], records[name])
		if err == nil && !working {
			if err = do(ctx, c, application, live[name], records[name]); err == nil {
				done := *records[name]
				done.Status = status
				records[name] = &done
			}
		}
		var start *StartError
		switch {
		case err == nil, release.ReadAgain(err), apierrors.IsNotFound(err):
		case carriesNow(err), errors.As(err, &start) && ctx.Err() == nil:
			notices = append(notices, notice(c, name, reasonOf(err)))
		default:
			return notices, err
		}
	}
	return notices, nil
}

// carriesNow says that a release was not touched because of its traffic.
func carriesNow(err error) bool {
	var carries *release.CarriesError
	return errors.As(err, &carries)
}

// retainStopped retains a release without pods, after the drain, and returns when they
// are gone. Callers hold the Lease and have decided on the record that they
// pass: one that has changed since is a conflict. Killed at any instant, the
// record says either what it said, or that it is retained and being stopped:
// whoever decides next stops it again.
func (e *Engine) retainStopped(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record) error {
	id := release.ID{Namespace: live.Namespace, Name: live.Name}
	main, _, err := ownership.LiveMain(ctx, c, id.Namespace, application)
	if err != nil {
		return err
	}
	if record.Status.Up() {
		if err := e.awaitDrained(ctx, c, id, main); err != nil {
			return err
		}
	}
	d, err := e.liveWorkload(ctx, c, id, application)
	if err != nil || d == nil {
		return err
	}
	if why := e.mayRemove(ctx, c, application, d); why.pods != "" {
		return &release.CarriesError{Cluster: c.Name(), ID: id, Why: why.pods, Main: why.pointed, Route: why.route}
	}
	cl, err := e.claimKept(ctx, c, application, live, record, d, release.DesiredStopped)
	if err != nil {
		return err
	}
	return e.stopHeld(ctx, cl, retained)
}

// claimKept is a claim on a release by those who decide on what lives.
func (e *Engine) claimKept(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record, d *appsv1.Deployment, desired release.DesiredState) (*claim, error) {
	cl := e.claimOf(c, application, live, record)
	t, err := e.targetOf(ctx, c, d, record, application, desired)
	if err != nil {
		return nil, err
	}
	cl.aim(t)
	cl.does = release.OperationStop
	if desired == release.DesiredStarted {
		cl.does = release.OperationStart
	}
	return cl, nil
}

// stopHeld scales a release to zero, and returns when its pods are gone. Callers hold
// the Lease, and have made sure that it may have none. as says what else its record
// tells from the beginning.
func (e *Engine) stopHeld(ctx context.Context, cl *claim, as func(*release.Record)) error {
	c, id, application := cl.cluster, cl.target.id, cl.target.application()
	if err := e.begin(ctx, cl, release.StatusStopping, as); err != nil {
		return err
	}
	// Since the record says stopping, nobody makes it main any more.
	if err := e.keeper.Holds(ctx, c, id.Namespace, application); err != nil {
		// Whoever has the Lease may have made it main before that was written, and
		// nothing has been done to it: the record must not say otherwise.
		cl.Unfence()
		clean, cancel := e.keeper.Cleanup(ctx)
		defer cancel()
		return errors.Join(err, cl.GiveBack(clean))
	}
	cl.Strictly()
	bound, unbind := cl.Bound(ctx)
	defer unbind()
	applied, err := e.rescale(bound, cl)
	if err == nil {
		err = e.awaitStopped(bound, cl, applied)
	}
	err = cl.OrLost(err)
	if ownership.Lost(ctx, err) != nil {
		cl.Stop()
		return err
	}
	cl.rememberKept(ctx, err)
	if err == nil {
		return cl.finish(ctx, func(r *release.Record) {
			r.Status, r.Reason = release.StatusStopped, r.StoppedReason()
		})
	}
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return errors.Join(err, cl.finish(clean, func(r *release.Record) {
		if !ownership.Interrupted(ctx) {
			r.Status, r.Reason = release.StatusStopError, reasonOf(err)
		}
	}))
}

// retainStarted starts a release again that is kept, or was stopped with its
// application, and returns when it is healthy. Where it does not become that, it is
// asked to scale down again. Callers hold the Lease.
func (e *Engine) retainStarted(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record) error {
	as := retained
	if record.Custody == release.CustodyOwned {
		as = unchanged // it was stopped with its application, and stays in its state
	}
	return e.startHeld(ctx, c, application, live, record, as, func(clean context.Context, cl *claim, _ *appsv1.Deployment, err error) error {
		scaledDown := e.stopIdleHeld(clean, cl)
		return errors.Join(scaledDown, cl.finish(clean, func(r *release.Record) {
			r.Status, r.Reason = release.StatusStopping, reasonOf(err)
		}))
	})
}

// wake starts what was stopped with its application, or is halted. Where it does not
// become healthy, it is stopped again, as it was. Callers hold the Lease.
func (e *Engine) wake(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record) error {
	return e.startHeld(ctx, c, application, live, record, unchanged, func(clean context.Context, cl *claim, d *appsv1.Deployment, _ error) error {
		stopped, undone := e.targetOf(clean, c, d, cl.Record(), application, release.DesiredStopped)
		if undone == nil {
			cl.aim(stopped)
			_, undone = e.rescale(clean, cl)
		}
		return errors.Join(undone, cl.finish(clean, func(r *release.Record) {
			r.Status, r.Reason = release.StatusStopped, r.StoppedReason()
		}))
	})
}

// startHeld gives a release its pods back. as says what else its record tells from the
// beginning, and undo puts it in order where it does not become healthy.
func (e *Engine) startHeld(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record, as func(*release.Record), undo func(context.Context, *claim, *appsv1.Deployment, error) error) error {
	d, err := e.liveWorkload(ctx, c, release.ID{Namespace: live.Namespace, Name: live.Name}, application)
	if err != nil || d == nil {
		return err
	}
	cl, err := e.claimKept(ctx, c, application, live, record, d, release.DesiredStarted)
	if err != nil {
		return err
	}
	if err := e.begin(ctx, cl, release.StatusStarting, as); err != nil {
		return err
	}
	if err = e.comesUp(ctx, cl); err == nil || ownership.Lost(ctx, err) != nil {
		return err
	}
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	cl.Strictly()
	return errors.Join(err, undo(clean, cl, d, err))
}

// unchanged is what a record tells that begins with nothing else.
func unchanged(*release.Record) {}

// retained is what a record tells of what is in nobody's state.
func retained(r *release.Record) { r.Custody = release.CustodyRetained }

// comesUp gives a release its pods back, and returns when it is healthy. Where it
// does not become that, the claim is held still.
func (e *Engine) comesUp(ctx context.Context, cl *claim) error {
	cl.measureFrom(ctx)
	bound, unbind := cl.Bound(ctx)
	defer unbind()
	applied, err := e.rescale(bound, cl)
	if err == nil {
		err = e.awaitStarted(bound, cl, applied)
	}
	err = cl.OrLost(err)
	if ownership.Lost(ctx, err) != nil {
		cl.Stop()
		return err
	}
	cl.rememberKept(ctx, err)
	if err == nil {
		return cl.finish(ctx, func(r *release.Record) { r.Status, r.WithMain, r.Halt = release.StatusStarted, false, release.Halt{} })
	}
	return err
}

// rememberKept is the history's line of what was stopped or started because it is
// kept that way.
func (cl *claim) rememberKept(ctx context.Context, err error) {
	clean, cancel := cl.engine.keeper.Cleanup(ctx)
	defer cancel()
	entry := cl.entry(ctx, err)
	if why := cl.Record().TakenBack; why != "" && err == nil && cl.stops() {
		entry.Reason = "on_failure: " + why
	}
	cl.engine.keeper.Remember(clean, cl.cluster, cl.target.id.Namespace, cl.target.application(), entry)
}

// begin writes down what is done to a release now, if its record is as it was seen.
func (e *Engine) begin(ctx context.Context, cl *claim, status release.Status, as func(*release.Record)) error {
	cl.unplanned = true
	cl.Note(func(r *release.Record) {
		as(r)
		r.Status, r.Reason = status, ""
		r.CancelRequested, r.Entry = "", entryOf(cl.Before)
		r.Phases = []release.Phase{{Name: release.PhaseName(status), At: time.Now().UTC()}}
	})
	if err := cl.Begin(ctx); err != nil {
		return err
	}
	cl.began(ctx)
	return nil
}
