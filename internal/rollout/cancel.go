package rollout

import (
	"cmp"
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Cancel gives up the start or the restart of a release on every cluster. A live
// process that is at it is asked to: a start ends as after a Ctrl-C, with status
// cancelled, scaled down, to be resumed by the next apply; a restart goes back
// to the pods that were there. The start that a dead process left is cancelled
// here. Anything else is refused.
func (e *Engine) Cancel(ctx context.Context, req ActionRequest) (Deployed, error) {
	stand, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (release.Status, error) {
		return e.cancelOn(ctx, c, req, func(r *release.Record) { e.rememberCancel(ctx, c, req, r) })
	})
	done := Deployed{ID: req.ID, Owner: req.Owner, Status: release.StatusCancelled}
	for _, status := range stand {
		if status == release.StatusStarted {
			done.Status = status
		}
	}
	if err == nil {
		req.say("%s is %s", req.ID, done.Status)
	}
	return done, err
}

// rememberCancel is the history's line of who had a live process give up; what
// that process did has its own.
func (e *Engine) rememberCancel(ctx context.Context, c Cluster, req ActionRequest, record *release.Record) {
	application, _ := release.ApplicationOf(req.ID.Name)
	e.keeper.Remember(ctx, c, req.ID.Namespace, application, e.entry(ctx, c, release.OperationCancel, req.ID.Name, record.Version))
}

// cancelOn cancels on one cluster, and returns the status that stands then. gaveUp
// is called where a live process has given up because we asked it to.
func (e *Engine) cancelOn(ctx context.Context, c Cluster, req ActionRequest, gaveUp func(*release.Record)) (release.Status, error) {
	application, _ := release.ApplicationOf(req.ID.Name)
	var watched *corev1.ConfigMap // whose holder was seen to be dead
	var asked release.Status      // the status in which a live process was asked to give up
	for {
		live, record, err := ownership.LiveRecord(ctx, c, req.ID, application)
		if apierrors.IsNotFound(err) {
			return "", notDone(c, req, release.ActionCancel, "there is no such deployment")
		}
		if err != nil {
			return "", err
		}
		if req.Owner != "" && record.Owner != req.Owner {
			return "", staleDeployment(c, req.ID, record.Holder)
		}
		dead := watched != nil && watched.ResourceVersion == live.ResourceVersion
		switch {
		case record.Status == release.StatusCancelled && !record.Busy(), asked == release.StatusRestarting && record.Status == release.StatusStarted:
			if asked != "" && asked != release.StatusCancelled {
				gaveUp(record)
			}
			return record.Status, nil
		case asked == "" || record.Status != release.StatusStarted:
		default:
			return "", notDone(c, req, release.ActionCancel, "its start had come to an end before it could be cancelled")
		}
		if err := release.Check(release.ActionCancel, release.Standing{Cluster: c.Name(), ID: req.ID, Status: record.Status}); err != nil {
			return "", err
		}
		if record.Busy() && !dead {
			if asked == "" || record.Status != release.StatusCancelled { // else it is giving up, as asked
				asked = record.Status
			}
			if watched, err = e.askToCancel(ctx, c, req, application, live, record); err != nil {
				return "", err
			}
			continue
		}
		if record.Status == release.StatusRestarting || record.Paused() {
			taken, err := e.cancelDeadRoll(ctx, c, req, application, live, record)
			if release.ReadAgain(err) {
				continue
			}
			if taken || err != nil {
				return release.StatusStarted, err
			}
			return "", notDone(c, req, release.ActionCancel, "whoever was restarting it is gone, and the way back with them; restart it once more")
		}
		if err := e.cancelDead(ctx, c, req, application, live, record); !release.ReadAgain(err) {
			return release.StatusCancelled, err
		}
	}
}

// askToCancel writes the request into the record of a release that somebody is
// at work on, or waits for what becomes of one that is there. It returns the
// record whose holder has shown no sign of life since.
func (e *Engine) askToCancel(ctx context.Context, c Cluster, req ActionRequest, application string, live *corev1.ConfigMap, record *release.Record) (*corev1.ConfigMap, error) {
	if record.CancelRequested == "" {
		req.say("%s: asking %s to give up what it does with %s", c.Name(), record.Holder, req.ID)
		err := e.rewrite(ctx, c, application, live, record, func(r *release.Record) { r.CancelRequested = e.keeper.Holder() })
		if err != nil && !release.ReadAgain(err) && !apierrors.IsNotFound(err) {
			return nil, err
		}
		return nil, nil
	}
	if err := e.keeper.AwaitHolder(ctx, c, live, record); err != nil {
		return nil, err
	}
	return live, nil
}

// cancelDead cancels what nobody is at work on any more. What no state has stays
// for the next create of it, or for the next promotion to collect.
func (e *Engine) cancelDead(ctx context.Context, c Cluster, req ActionRequest, application string, live *corev1.ConfigMap, record *release.Record) error {
	cl := e.claimOf(c, application, live, record)
	cl.does, cl.target.spec.Content.Version = release.OperationCancel, record.Version
	cl.Note(func(r *release.Record) {
		if record.Custody == release.CustodyClaimed {
			r.Custody = release.CustodyAbandoned
		}
		r.Status, r.Reason = release.StatusCancelled, "cancelled by "+e.keeper.Holder()
		r.CancelRequested, r.Entry = "", entryOf(record)
		r.Phases = []release.Phase{{Name: release.PhaseCancel, At: time.Now().UTC()}}
	})
	if err := cl.Begin(ctx); err != nil {
		return err
	}
	cl.Strictly()
	req.say("%s: scaling %s down", c.Name(), req.ID)
	bound, unbind := cl.Bound(ctx)
	defer unbind()
	err := cl.OrLost(e.stopIdleLive(bound, cl))
	if cl.Gone() != nil {
		cl.Stop()
		return err
	}
	return e.cancelledDead(ctx, req, cl, err)
}

// cancelledDead ends what cancelDead has done.
func (e *Engine) cancelledDead(ctx context.Context, req ActionRequest, cl *claim, err error) error {
	if err == nil {
		cl.cluster.Emit(ctx, workloadNamed(cl.target.id), release.EventCancelled, e.inRun("the start of "+req.ID.Name+" was given up"), true)
	}
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	entry := cl.entry(ctx, err) // ctx tells an interruption
	entry.Reason = cmp.Or(entry.Reason, "whoever was starting it is gone")
	e.keeper.Remember(clean, cl.cluster, req.ID.Namespace, cl.target.application(), entry)
	return errors.Join(err, cl.finish(clean, func(*release.Record) {}))
}

// stopIdleLive scales what lives down, unless it carries traffic.
func (e *Engine) stopIdleLive(ctx context.Context, cl *claim) error {
	return e.keeper.Locked(ctx, []Cluster{cl.cluster}, cl.target.id.Namespace, cl.target.application(), func(ctx context.Context, _ *ownership.Held) error {
		return e.stopIdleHeld(ctx, cl)
	})
}

// stopIdleHeld is stopIdleLive for those who hold the Lease.
func (e *Engine) stopIdleHeld(ctx context.Context, cl *claim) error {
	c, id, application := cl.cluster, cl.target.id, cl.target.application()
	d, err := e.liveWorkload(ctx, c, id, application)
	if err != nil || d == nil || e.mayHurt(ctx, c, application, d) != "" {
		return err
	}
	t, err := e.targetOf(ctx, c, d, cl.Record(), application, release.DesiredStopped)
	if err != nil {
		return err
	}
	cl.aim(t)
	_, err = e.rescale(ctx, cl)
	return err
}

// stopIdleAs is stopIdle for a claim, by what its target can be used for.
func (e *Engine) stopIdleAs(ctx context.Context, cl *claim) error {
	if cl.unplanned {
		return e.stopIdleLive(ctx, cl)
	}
	return e.stopIdle(ctx, cl.cluster, cl.target)
}

// cancelLiveStart cancels a start that a live process is at, ahead of a stop.
func (e *Engine) cancelLiveStart(ctx context.Context, c Cluster, req ActionRequest) error {
	application, _ := release.ApplicationOf(req.ID.Name)
	_, record, err := ownership.LiveRecord(ctx, c, req.ID, application)
	if err != nil || record.Status != release.StatusStarting || !record.Busy() {
		return ignoreNotFound(err)
	}
	_, err = e.cancelOn(ctx, c, req, func(*release.Record) {}) // the stop has its own line
	var refused *release.RefusedError
	var ended *release.ActionError
	if errors.As(err, &refused) || errors.As(err, &ended) {
		return nil // it came to an end by itself: stopped like any other
	}
	return err
}

// cancelledOn is why an operation was ended by request; nil where it was not.
func cancelledOn(ctx context.Context) *release.CancelledError {
	var by *release.CancelledError
	if errors.As(context.Cause(ctx), &by) {
		return by
	}
	return nil
}

// causeOf is the request that ended an operation, where that is why it failed.
func causeOf(ctx context.Context, err error) error {
	if by := cancelledOn(ctx); by != nil && err != nil {
		return by
	}
	return err
}
