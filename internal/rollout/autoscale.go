package rollout

import (
	"context"
	"math"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// applyPods applies the release's workload: with its fixed number of pods,
// under an autoscaler, or with none.
func (e *Engine) applyPods(ctx context.Context, cl *claim, may takeBack) (*appsv1.Deployment, []release.FieldConflict, error) {
	c, t := cl.cluster, cl.target
	if t.spec.Autoscaled() {
		return e.applyAutoscaled(ctx, cl, may)
	}
	if cl.Record().Expects(release.CompanionAutoscaler) {
		// The autoscaler is gone by now, or shall have nothing to say, and what it
		// has set is ours again. It was the higher number until this apply, which
		// goes straight to ours.
		may = also(may, workload.ReplicasField)
	}
	if t.spec.DesiredState == release.DesiredStopped {
		return e.applyStopped(ctx, c, t, may)
	}
	return e.applyStarted(ctx, cl, may)
}

// applyStopped applies the release's workload without pods. What an autoscaler
// has decided on is kept in the same write.
func (e *Engine) applyStopped(ctx context.Context, c Cluster, t target, may takeBack) (*appsv1.Deployment, []release.FieldConflict, error) {
	if t.spec.Autoscaling == nil {
		return e.applyWorkload(ctx, c, t, nil, may)
	}
	// Whoever decides on the number does not decide whether there is one.
	t.spec.IgnoreDrift = slices.DeleteFunc(slices.Clone(t.spec.IgnoreDrift), func(field string) bool { return field == workload.ReplicasField })
	return e.applyCounted(ctx, c, t, nil, may, keepCount)
}

// keepCount asks for no pods, and writes down how many an autoscaler has
// decided on: it takes zero for an order to do nothing until there are some.
func keepCount(want, live *appsv1.Deployment) error {
	want.Spec.Replicas = new(int32)
	if live == nil {
		return nil
	}
	had := workload.ScaledReplicas(live) // also where somebody has scaled up what is stopped
	if had == 0 {
		had = deref(live.Spec.Replicas)
	}
	workload.SetScaledReplicas(want, had)
	return nil
}

// leaveCount leaves the number of pods to the autoscaler.
func leaveCount(want, _ *appsv1.Deployment) error {
	want.Spec.Replicas = nil
	workload.SetScaledReplicas(want, 0)
	return nil
}

// applyAutoscaled applies the release's workload, of which the autoscaler
// decides the number of pods. Where it is not there yet, it is given the number
// to start with. Otherwise the number is raised where it has to be, and left
// out; who had it alone before hands it over first, or leaving it out would
// reset it to 1.
func (e *Engine) applyAutoscaled(ctx context.Context, cl *claim, may takeBack) (*appsv1.Deployment, []release.FieldConflict, error) {
	if err := e.handOver(ctx, cl); err != nil {
		return nil, nil, err
	}
	return e.applyCounted(ctx, cl.cluster, cl.target, cl.restart, may, func(want, live *appsv1.Deployment) error {
		want.Spec.Paused = cl.roll.stopsIn(live, cl.target)
		if starts := cl.starts; starts > 0 {
			want.Spec.Replicas = &starts
			return nil
		}
		return leaveCount(want, live)
	})
}

// handOver sees to it that the live workload has as many pods as it needs, and
// that our own apply may leave their number out. Where there is no workload it
// notes how many pods it starts with.
func (e *Engine) handOver(ctx context.Context, cl *claim) error {
	c, t := cl.cluster, cl.target
	cl.starts = 0
	for {
		var live *appsv1.Deployment
		var err error
		if !cl.fresh {
			if live, err = e.liveWorkload(ctx, c, t.id, t.application()); err != nil {
				return err
			}
		}
		if live == nil || live.DeletionTimestamp != nil {
			cl.starts, err = e.startCount(ctx, cl, t.spec.Replicas)
			return err
		}
		has := deref(live.Spec.Replicas)
		want := max(has, t.spec.Autoscaling.Start(0))
		asked := workload.ScaledReplicas(live) // as many as when it was stopped
		if has == 0 || asked > 0 || cl.adopts {
			if has == 0 && asked == 0 {
				asked = t.spec.Replicas
			}
			start, err := e.startCount(ctx, cl, asked)
			if err != nil {
				return err
			}
			want = max(has, start)
		}
		if want == has && !workload.OnlyOurs(live, workload.ReplicasField) {
			return nil
		}
		if _, err = c.Scale(ctx, live, want, want != has); !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// startCount is how many pods an autoscaled release needs before the autoscaler
// may decide: as many as asked, and as many as the application's main deployment
// has now, whose traffic it is about to take; or its share of these.
func (e *Engine) startCount(ctx context.Context, cl *claim, asked int32) (int32, error) {
	c, t := cl.cluster, cl.target
	main, err := mainAtFirst(ctx, c, t)
	if err != nil {
		return 0, err
	}
	counts, share, other := []int32{asked}, main.ShareOf(t.id.Name), int32(0)
	if main != nil && main.Deployment != "" && main.Deployment != t.id.Name {
		d, err := ownership.Cached(ctx, c.View(t.id.Namespace), &appsv1.Deployment{}, main.Deployment)
		if err != nil {
			return 0, err
		}
		if d != nil {
			other = deref(d.Spec.Replicas)
			counts = append(counts, other)
		}
	}
	if share != nil && !t.inPlace() { // the promotion raises it before each further share
		return t.spec.Autoscaling.Start(share.Pods(slices.Max(counts), other)), nil
	}
	return t.spec.Autoscaling.Start(counts...), nil
}

// liveAutoscaling is what decides the number of a live release's pods, for
// those who have no configuration; nil: its number is fixed. Where the record
// expects an autoscaler that is not there, the bounds are not known.
func (e *Engine) liveAutoscaling(ctx context.Context, c Cluster, id release.ID, application string, record *release.Record) (*release.Autoscaling, error) {
	if !record.Expects(release.CompanionAutoscaler) {
		return nil, nil
	}
	obj, err := e.liveCompanion(ctx, c, id, application, release.CompanionAutoscaler)
	if _, known := record.Baseline[string(release.CompanionAutoscaler)]; !known && (apierrors.IsForbidden(err) || release.IsForeign(err)) {
		return nil, nil // see deleteCompanion
	}
	if err != nil {
		return nil, err
	}
	if h, ok := obj.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		return workload.FromAutoscaler(h), nil
	}
	return &release.Autoscaling{Min: 1, Max: math.MaxInt32}, nil
}
