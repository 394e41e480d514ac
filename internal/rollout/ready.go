package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// ready waits, for a bounded time, until the release can take the traffic on every
// cluster.
func (p *Promotion) ready(ctx context.Context, due []*placement) error {
	err := p.on(ctx, due, func(pl *placement) error { return p.readyOn(ctx, pl) })
	if err != nil {
		p.done.Status = release.MainFailed
		p.neverBegan(ctx, err)
	}
	return err
}

// readyOn waits for it on one cluster.
func (p *Promotion) readyOn(ctx context.Context, pl *placement) error {
	c, id := pl.cluster, p.id()
	live, record, err := ownership.LiveRecord(ctx, c, id, p.req.Service.Application)
	if apierrors.IsNotFound(err) {
		return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: "there is no such deployment"}
	}
	if err != nil {
		return err
	}
	if record.Halted() && !pl.start.Idle { // it is tried once more
		if err := p.wake(ctx, pl, live, record); err != nil {
			return err
		}
		if _, record, err = ownership.LiveRecord(ctx, c, id, p.req.Service.Application); err != nil {
			return err
		}
	}
	pl.named(record.Version)
	pl.version, pl.health = record.Version, record.Health
	if pl.start.Idle {
		return p.existsOn(ctx, pl, id, record)
	}
	if record.Status.Desired() == release.DesiredStopped {
		return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: fmt.Sprintf("it is stopped (its status is %q): set desired_state = %q on its switchback_deployment", record.Status, release.DesiredStarted)}
	}
	var refused *release.ActionError
	if errors.As(release.Check(release.ActionMarkMain, release.Standing{Cluster: c.Name(), ID: id, Status: record.Status}), &refused) {
		return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: "it " + refused.Why()}
	}
	if record.Custody == release.CustodyTerminating {
		return beingRemoved(c, id)
	}
	d, err := p.workloadOn(ctx, pl, id)
	if err != nil {
		return err
	}
	if pl.whole = workload.ShareReplicas(d) == 0; !pl.whole && (!pl.progress.Scales || !pl.start.Shares) {
		return p.supply(ctx, pl, release.Step{Kind: release.StepShift, Weight: 100})
	}
	p.req.say("%s: waiting for %s to be ready", c.Name(), p.req.To)
	return p.behind(ctx, pl, d)
}

// behind waits until the release's own Service leads to all the pods that it is asked to
// have; to one of them, where it is gone back to: see backInParts.
func (p *Promotion) behind(ctx context.Context, pl *placement, d *appsv1.Deployment) error {
	e, c, id := p.engine, pl.cluster, p.id()
	waiting, cancel := context.WithTimeout(ctx, e.timing.Settle)
	defer cancel()
	view, ready := c.View(id.Namespace), 0
	want := max(1, int(deref(d.Spec.Replicas)))
	err := wait.Until(waiting, view.Changes(p.req.Service.Application), func() (bool, time.Duration, error) {
		if now, err := ownership.Cached(waiting, view, &appsv1.Deployment{}, id.Name); err == nil && now != nil && release.Newer(now, d) {
			d, want = now, max(1, int(deref(now.Spec.Replicas))) // an autoscaler may have decided otherwise since
		}
		behind, err := readyBehind(waiting, view, d)
		ready = int(behind)
		return ready >= want || ready > 0 && pl.takesRest(), 0, err
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		reason := fmt.Sprintf("%d of its %d pods %s ready behind its Service, after waiting %s", ready, want, release.Are(ready), e.timing.Settle)
		if lacking := lackingPorts(view, d); lacking != "" {
			reason += ": pods that are ready do not offer port " + lacking
		} else if changed := health.Changed(d, int32(want)); changed != "" {
			reason += ": " + changed
		}
		return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: reason}
	}
	return err
}

// existsOn asks of a release that nothing is to run of only that it is there.
func (p *Promotion) existsOn(ctx context.Context, pl *placement, id release.ID, record *release.Record) error {
	if record.Custody == release.CustodyTerminating {
		return beingRemoved(pl.cluster, id)
	}
	_, err := p.workloadOn(ctx, pl, id)
	return err
}

func beingRemoved(c Cluster, id release.ID) error {
	return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: "it is being removed"}
}

// workloadOn is the release's workload, to which the address's ports lead.
func (p *Promotion) workloadOn(ctx context.Context, pl *placement, id release.ID) (*appsv1.Deployment, error) {
	d, err := p.engine.liveWorkload(ctx, pl.cluster, id, p.req.Service.Application)
	if err != nil {
		return nil, err
	}
	if d == nil || d.DeletionTimestamp != nil {
		return nil, &release.NotReadyError{Cluster: pl.cluster.Name(), ID: id, Reason: "its Deployment " + id.Name + " is gone. Apply its switchback_deployment again"}
	}
	return d, p.hasPorts(pl, id, d)
}

// lackingPorts are the ports of a release's own Service that lead nowhere in pods
// that are ready. It has a little time of its own: the wait's is over.
func lackingPorts(view View, d *appsv1.Deployment) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ports, err := ownPorts(ctx, view, d)
	if err != nil {
		return ""
	}
	lacking, _ := traffic.Lacking(ctx, view, d.Name, ports)
	return lacking
}

// hasPorts makes sure that the address's ports lead somewhere.
func (p *Promotion) hasPorts(pl *placement, id release.ID, d *appsv1.Deployment) error {
	c := pl.cluster
	if p.req.Service.Adopt {
		if why := traffic.Unresolved(pl.found.Service, &d.Spec.Template.Spec); why != "" {
			return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: why}
		}
		return nil
	}
	if faults := p.req.Service.PortFaults(&d.Spec.Template.Spec); len(faults) > 0 {
		return &release.NotReadyError{Cluster: c.Name(), ID: id, Reason: faults[0].Reason}
	}
	return nil
}
