package rollout

import (
	"context"
	"errors"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What becomes of a create that does not succeed, or is called off.

// abandonAll is what follows a failed create: nothing of it is owned any more.
func (e *Engine) abandonAll(ctx context.Context, claims []*claim, cause error) []error {
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return cleanUp(claims, func(cl *claim) error { return e.abandon(clean, cl, cause) })
}

// abandon stops or removes what failed, as OnFailure says, unless it carries
// traffic: then it is left as it was found.
func (e *Engine) abandon(ctx context.Context, cl *claim, cause error) error {
	c, t := cl.cluster, cl.target
	defer cl.Stop()
	e.keeper.Unclaim(c, t.id)
	if err := cl.stillOurs(); err != nil {
		return err
	}
	switch {
	case cl.halted:
		cl.unsuccessful(ctx, cl.entry(ctx, cause))
		return e.failHalted(ctx, cl, cause)
	case cl.goesBack():
		cl.unsuccessful(ctx, cl.entry(ctx, cause))
		return e.takeBackRoll(ctx, cl, cl.reason(cause), cl.undoAdoption)
	case cl.Before != nil && cl.Before.Status.Up():
		cl.unsuccessful(ctx, cl.entry(ctx, cause))
		return cl.GiveBack(ctx) // it ran before we came
	case cl.Before != nil && cl.Before.Status == release.StatusStopped && cl.Before.Custody == release.CustodyOwned:
		cl.unsuccessful(ctx, cl.entry(ctx, cause))
		return errors.Join(e.stopIdle(ctx, c, t), cl.GiveBack(ctx)) // it did not run, and is another state's
	}
	abandoned := func(r *release.Record) {
		r.Custody, r.Status, r.Reason = release.CustodyAbandoned, release.StatusStartError, cl.reason(cause)
	}
	part, cancel := partOf(ctx)
	defer cancel()
	err := e.keeper.Locked(part, []Cluster{c}, t.id.Namespace, t.application(), func(part context.Context, h *ownership.Held) error {
		d, why, err := e.mayAbandon(part, c, t)
		if why != "" {
			return e.leave(ctx, cl, cause, why)
		}
		if t.spec.OnFailure == release.OnFailureStop && d != nil {
			err = errors.Join(err, e.scaleDown(part, c, t))
		}
		cl.unsuccessful(ctx, cl.entry(ctx, cause)) // before others may see that it can be collected
		err = errors.Join(err, cl.finish(ctx, abandoned))
		if err != nil || t.spec.OnFailure != release.OnFailureTerminate {
			if err == nil && d != nil {
				cl.left = map[release.OnFailure]string{release.OnFailureStop: "without pods", release.OnFailureKeep: "and its pods run on"}[t.spec.OnFailure]
				cl.alone = ownership.Alone(part, c, t.id, t.application())
			}
			return err
		}
		return e.remove(ctx, c, t.id, t.application(), cl.Live(), cl.Record(), h, nil)
	})
	if cl.Held() && cl.Gone() == nil { // nobody else may have to wait for us, nor think that it still starts
		cl.unsuccessful(ctx, cl.entry(ctx, cause))
		err = errors.Join(err, cl.finish(ctx, abandoned))
	}
	return e.leftRunning(ctx, cl, err)
}

// stillOurs begins a clean-up: whose the release is has just been asked (confirmAll),
// and every write that follows asks again.
func (cl *claim) stillOurs() error {
	cl.Strictly()
	if lost := cl.Gone(); lost != nil {
		cl.Stop()
		return lost
	}
	return nil
}

// mayAbandon looks at what a failed create has made, and at whatever may lead there, at
// once: the workload, nil where there is none, and why its pods must stay. Callers hold
// the Lease.
func (e *Engine) mayAbandon(ctx context.Context, c Cluster, t target) (d *appsv1.Deployment, why string, err error) {
	var q *inquiry
	var asked sync.WaitGroup
	asked.Go(func() { q = e.inquire(ctx, c, t.id.Namespace, t.application()) })
	d, err = e.liveWorkload(ctx, c, t.id, t.application())
	asked.Wait()
	if err != nil || d == nil {
		return d, "", err
	}
	return d, orKeep(q.about(ctx, d)).pods, nil
}

// partOf is half of the time that is left: the rest is for writing down what
// could not be done in it.
func partOf(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	return context.WithCancel(ctx)
}

// leftRunning says of a clean-up that has failed whether pods run on that it was
// to end.
func (e *Engine) leftRunning(ctx context.Context, cl *claim, err error) error {
	if err == nil || cl.Gone() != nil {
		return cl.OrLost(err)
	}
	t := cl.target
	if t.spec.OnFailure == release.OnFailureKeep {
		return err
	}
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.timing.Cleanup)
	defer cancel()
	d, unread := e.liveWorkload(asked, cl.cluster, t.id, t.application())
	if unread == nil && (d == nil || deref(d.Spec.Replicas) == 0) {
		return err
	}
	left := &release.LeftRunningError{Cluster: cl.cluster.Name(), ID: t.id, Abandoned: cl.Written() && cl.Record().Custody == release.CustodyAbandoned, Err: err}
	if d != nil {
		left.Pods = deref(d.Spec.Replicas)
	}
	return left
}

// leave is what follows a failed create whose pods get traffic: they stay. What was
// there before is as it was; what is new keeps its record, so that it is found
// again, by the next create of it or by a promotion.
func (e *Engine) leave(ctx context.Context, cl *claim, cause error, why string) error {
	if cl.Before == nil || cl.Before.Custody != release.CustodyOwned {
		cl.stays = why
	}
	if cl.Before != nil {
		return cl.GiveBack(ctx)
	}
	cl.unsuccessful(ctx, cl.entry(ctx, cause))
	return cl.finish(ctx, func(r *release.Record) {
		r.Custody, r.Status, r.Reason = release.CustodyAbandoned, release.StatusStartError, cl.reason(cause)
	})
}

// tellStaying names what a failed create has left running, because traffic leads
// there.
func tellStaying(claims []*claim) []Notice {
	var notices []Notice
	for _, cl := range claims {
		if cl.stays != "" {
			notices = append(notices, stillRunning(cl.cluster, cl.target.id, cl.stays))
		}
	}
	return notices
}

// cancelAll is what follows a Ctrl-C: what was starting is asked to scale down,
// and stays ours so that the next apply resumes it.
func (e *Engine) cancelAll(ctx context.Context, claims []*claim, by *release.CancelledError) []error {
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return cleanUp(claims, func(cl *claim) error { return e.cancel(clean, cl, by) })
}

func (e *Engine) cancel(ctx context.Context, cl *claim, by *release.CancelledError) error {
	cl.Strictly() // and there is no time for a beat of its own: every write asks whose the release is
	if lost := cl.Gone(); lost != nil {
		cl.Stop()
		return lost
	}
	status, reason := release.StatusCancelled, interruptedBy(by)
	switch {
	case cl.halted: // its pods are going, which nobody need wait for
		status = release.StatusStopping
	case cl.Before != nil && cl.Before.Status.Up(), cl.Record().Status == release.StatusStopped:
		status = cl.Record().Status // it was up, or down, before we came: it stays that
		if by != nil && cl.restart != nil && e.undoRestart(ctx, cl) == nil {
			status, reason = release.StatusStarted, ""
		}
	}
	entry := cl.entry(ctx, nil)
	entry.Outcome, entry.Reason = release.OutcomeCancelled, interruptedBy(by)
	defer func() { cl.unsuccessful(ctx, entry) }() // last: there is little time
	if cl.goesBack() {
		return e.takeBackRoll(ctx, cl, reason, func(r *release.Record) { r.Custody = release.CustodyOwned })
	}
	outcome := func(r *release.Record) {
		if r.Custody == release.CustodyClaimed {
			r.Custody = release.CustodyOwned
		}
		r.Status, r.Reason = status, reason
	}
	if status != release.StatusCancelled {
		return cl.finish(ctx, outcome)
	}
	return e.finishIdle(ctx, cl, outcome)
}

// finishIdle writes the outcome of a start that came to nothing, and scales down
// what carries no traffic. The record comes first: it is what the next apply
// reads, whatever becomes of the rest. But it is let go of last: whoever took it
// up in between would be scaled down, too.
func (e *Engine) finishIdle(ctx context.Context, cl *claim, outcome func(*release.Record)) error {
	err := cl.Update(ctx, outcome)
	part, cancel := partOf(ctx)
	defer cancel()
	err = errors.Join(err, e.stopIdleAs(part, cl))
	err = errors.Join(err, cl.finish(ctx, outcome))
	return e.leftRunning(ctx, cl, err)
}

// interruptedBy is what a record keeps of why a start was given up.
func interruptedBy(by *release.CancelledError) string {
	if by == nil {
		return "interrupted"
	}
	return "cancelled by " + by.By
}

// failHalted is what follows where a release was scaled to zero and something
// failed then: it is whose it was, and says that it is not as it was.
func (e *Engine) failHalted(ctx context.Context, cl *claim, cause error) error {
	return cl.finish(ctx, func(r *release.Record) {
		cl.RestoreOwner(r)
		r.Status, r.Reason = release.StatusStopError, cl.reason(cause)
	})
}

// scaleDown asks for no pods; it does not wait. Callers hold the Lease and have
// made sure that no traffic goes there.
func (e *Engine) scaleDown(ctx context.Context, c Cluster, t target) error {
	t.spec.IgnoreDrift = nil // what others may set the number of pods to is not meant
	t.spec.DesiredState = release.DesiredStopped
	_, _, err := e.applyStopped(ctx, c, t, everything)
	return err
}

func (e *Engine) giveBackAll(ctx context.Context, claims []*claim) []error {
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return cleanUp(claims, func(cl *claim) error { return cl.GiveBack(clean) })
}

// made drops the clusters on which nothing was claimed.
func made(claims []*claim) []*claim {
	var got []*claim
	for _, cl := range claims {
		if cl != nil {
			got = append(got, cl)
		}
	}
	return got
}
