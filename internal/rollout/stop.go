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
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// ActionRequest asks one thing of a release that is there. It needs no
// configuration: everything is taken from what lives.
type ActionRequest struct {
	ID       release.ID
	Owner    string // the state's token; empty: for whoever holds it
	Clusters []Cluster

	// Progress, where set, is told what happens, in short lines. It may be called
	// from several goroutines at once.
	Progress func(string)
}

func (r ActionRequest) say(format string, a ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, a...))
	}
}

// Stop scales a release to zero on every cluster and returns when its pods are
// gone. Everything else stays: its Service, its record, and how many pods it
// had. A release that carries traffic is refused, on all clusters. One that
// somebody is starting right now is cancelled first.
func (e *Engine) Stop(ctx context.Context, req ActionRequest) (Deployed, error) {
	began := time.Now()
	done := Deployed{ID: req.ID, Owner: req.Owner, Status: release.StatusStopped}
	if _, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (struct{}, error) {
		return struct{}{}, e.cancelLiveStart(ctx, c, req)
	}); err != nil {
		return done, err
	}
	claims, err := e.holdAll(ctx, req, release.ActionStop, release.DesiredStopped)
	if err == nil {
		err = e.haltAll(ctx, claims, func(ctx context.Context, cl *claim) (*appsv1.Deployment, error) {
			if by := cl.Before.StoppedBy; by != nil && cl.Before.Status == release.StatusStopped {
				req.say("%s: %s is stopped already: %s", cl.cluster.Name(), req.ID, by.StopText())
			} else {
				req.say("%s: scaling %s to zero", cl.cluster.Name(), req.ID)
			}
			return e.rescale(ctx, cl)
		})
	}
	if err == nil {
		err = e.settle(ctx, claims, &done, began)
	}
	done.Notices = append(done.Notices, e.overdue()...)
	if err != nil {
		undone, err := withUnclean(err, e.failKeptAll(ctx, claims, err))
		done.Notices = append(done.Notices, undone...)
		return done, err
	}
	req.say("%s is stopped", req.ID)
	return done, nil
}

// haltAll scales releases to zero by apply, on all clusters or, where one of
// them carries traffic, on none, and waits until their pods are gone.
func (e *Engine) haltAll(ctx context.Context, claims []*claim, apply func(context.Context, *claim) (*appsv1.Deployment, error)) error {
	ctx, done := boundAll(ctx, claims)
	defer done()
	return lostOf(claims, e.haltBound(ctx, claims, apply))
}

func (e *Engine) haltBound(ctx context.Context, claims []*claim, apply func(context.Context, *claim) (*appsv1.Deployment, error)) error {
	up, applied, err := e.divide(ctx, claims)
	if err != nil {
		return err
	}
	if len(up) > 0 {
		var on []Cluster
		for _, cl := range up {
			on = append(on, cl.cluster)
		}
		t := up[0].target
		err = e.keeper.Locked(ctx, on, t.id.Namespace, t.application(), func(ctx context.Context, _ *ownership.Held) error {
			if _, err := fleet.All(up, func(cl *claim) (struct{}, error) { return struct{}{}, e.mayHalt(ctx, cl) }); err != nil {
				return err
			}
			_, err := fleet.All(up, func(cl *claim) (struct{}, error) { return struct{}{}, e.halt(ctx, cl, applied, apply) })
			return err
		})
	}
	if err != nil {
		return err
	}
	_, err = fleet.All(claims, func(cl *claim) (struct{}, error) {
		if cl.halted {
			return struct{}{}, e.awaitStopped(ctx, cl, *applied[cl])
		}
		d, err := apply(ctx, cl) // there is nothing yet that could have pods
		*applied[cl] = d
		return struct{}{}, err
	})
	return err
}

// divide finds the claims whose workload is there, and makes room for the reply
// to each one's apply.
func (e *Engine) divide(ctx context.Context, claims []*claim) (up []*claim, applied map[*claim]**appsv1.Deployment, err error) {
	found, err := fleet.All(claims, func(cl *claim) (*appsv1.Deployment, error) {
		return e.liveWorkload(ctx, cl.cluster, cl.target.id, cl.target.application())
	})
	applied = map[*claim]**appsv1.Deployment{}
	for i, cl := range claims {
		applied[cl] = new(*appsv1.Deployment)
		if found[i] != nil {
			up = append(up, cl)
		}
	}
	return up, applied, err
}

// mayHalt refuses to stop what carries traffic. Callers hold the Lease.
func (e *Engine) mayHalt(ctx context.Context, cl *claim) error {
	c, t := cl.cluster, cl.target
	d, err := e.liveWorkload(ctx, c, t.id, t.application())
	if err != nil || d == nil {
		return err
	}
	if t.withMain {
		if main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application()); err != nil || main.Stopped() {
			return err
		}
	}
	if why := e.mayRemove(ctx, c, t.application(), d); why.pods != "" {
		return &release.CarriesError{Cluster: c.Name(), ID: t.id, Why: why.pods, Main: why.pointed, Route: why.route}
	}
	return nil
}

// halt writes down that the release is being stopped and asks for it, after the
// drain where it was main before. Callers hold the Lease and have made sure
// that no traffic goes there.
func (e *Engine) halt(ctx context.Context, cl *claim, applied map[*claim]**appsv1.Deployment, apply func(context.Context, *claim) (*appsv1.Deployment, error)) error {
	c, t := cl.cluster, cl.target
	main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
	if err != nil {
		return err
	}
	if cl.Record().Status != release.StatusStopped {
		if err := e.awaitDrained(ctx, c, t.id, main); err != nil {
			return err
		}
	}
	if cl.Record().Status != release.StatusStopped {
		cl.phase(ctx, release.PhaseStopping)
		cl.emit(ctx, release.EventStopping, t.id.Name+" is being scaled to zero", false)
		if err := cl.Update(ctx, func(r *release.Record) {
			r.Status, r.Reason = release.StatusStopping, ""
			r.WithMain, r.Halt = t.withMain, t.halt
		}); err != nil {
			return err
		}
	}
	// Since the record says stopping, nobody makes it main any more.
	if err := e.keeper.Holds(ctx, c, t.id.Namespace, t.application()); err != nil {
		return err
	}
	cl.halted = true
	cl.Strictly()
	d, err := apply(ctx, cl)
	*applied[cl] = d
	return err
}

// rescale applies the number of pods that the claim's target asks for, and no
// other change: the rest of the fields are as they live.
func (e *Engine) rescale(ctx context.Context, cl *claim) (*appsv1.Deployment, error) {
	if cl.target.spec.Autoscaled() {
		if err := e.handOver(ctx, cl); err != nil {
			return nil, err
		}
	}
	d, err := e.amend(ctx, cl.cluster, cl.target, func(want, live *appsv1.Deployment) error {
		switch spec := cl.target.spec; {
		case spec.Autoscaled():
			return leaveCount(want, live)
		case spec.Autoscaling != nil:
			return keepCount(want, live)
		default:
			workload.SetShareReplicas(want, spec.RunningReplicas(), 0) // all, or none
			workload.SetStartedReplicas(want, spec.Replicas)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	cl.Note(func(r *release.Record) {
		cl.applied = d
		baseline := maps.Clone(r.Baseline["Deployment"])
		if baseline == nil {
			baseline = map[string]string{}
		}
		if cl.target.spec.Autoscaled() {
			delete(baseline, workload.ReplicasField)
		} else {
			baseline[workload.ReplicasField] = workload.Baseline(d)[workload.ReplicasField]
		}
		all := release.Baseline{}
		maps.Copy(all, r.Baseline)
		all["Deployment"] = baseline
		r.Baseline = all
	})
	return d, nil
}

// amend changes some fields of a live workload as our own, and leaves the
// others to whoever has them.
func (e *Engine) amend(ctx context.Context, c Cluster, t target, change func(want, live *appsv1.Deployment) error) (*appsv1.Deployment, error) {
	for {
		live, err := e.liveWorkload(ctx, c, t.id, t.application())
		if err != nil {
			return nil, err
		}
		if live == nil || live.DeletionTimestamp != nil {
			return nil, errVanished
		}
		want, err := workload.Owned(live)
		if err != nil {
			return nil, err
		}
		want.Spec.Paused = false // nothing waits for a stop of a change that is no more, unless that is what is changed
		if err := change(want, live); err != nil {
			return nil, err
		}
		err = c.Apply(ctx, want, true)
		if err == nil {
			return want, nil
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// errScaledUp ends the wait for pods to go: somebody wants them.
var errScaledUp = errors.New("somebody has scaled it up meanwhile")

// awaitStopped waits until the workload has no pods, not even ones that are
// ending. Where pods may not be listed, the workload's own count must do.
func (e *Engine) awaitStopped(ctx context.Context, cl *claim, applied *appsv1.Deployment) error {
	c, t := cl.cluster, cl.target
	view := c.View(t.id.Namespace)
	var left []string
	var unread unlisted
	err := wait.Until(ctx, view.Changes(t.application()), func() (bool, time.Duration, error) {
		d, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, t.id.Name)
		if err != nil {
			return false, 0, err
		}
		if d != nil && d.UID == applied.UID {
			if d.Generation > applied.Generation && deref(d.Spec.Replicas) > 0 {
				return false, 0, errScaledUp
			}
			if d.Status.ObservedGeneration < applied.Generation || d.Status.Replicas > 0 {
				return false, 0, nil
			}
		}
		pods, err := view.List(ctx, &corev1.Pod{}, map[string]string{release.LabelDeployment: t.id.Name})
		if again, err := unread.judge(e, err); again > 0 || err != nil {
			return false, again, err
		}
		left = nil
		for _, pod := range pods {
			left = append(left, pod.GetName())
		}
		return len(left) == 0, 0, nil
	})
	if err == nil {
		cl.phase(ctx, release.PhaseStopped)
		cl.emit(ctx, release.EventStopped, t.id.Name+" has no pods any more; everything else is kept", false)
		return nil
	}
	if ownership.CalledOff(ctx) {
		return cutOff(err, "waiting for the pods of %s on cluster %q to end", t.id, c.Name())
	}
	slices.Sort(left)
	return &release.StopError{Cluster: c.Name(), ID: t.id, Pods: left, Err: err}
}
