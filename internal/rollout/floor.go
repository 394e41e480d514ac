package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Where autoscalers decide on the numbers of pods, a promotion by shares holds their floors,
// which are the least that they go down to. The new release's rises to what its share takes,
// before it gets that: an autoscaler takes away what has nothing to do yet. The former one's
// is what it has: it may have to take everything back. Each autoscaler says what was typed,
// the progress says which of them, and the end of the promotion gives it back.

// autoscaler is the companion that chooses the number of pods. A floor that a promotion has
// raised stays raised until this is over.
func autoscaler() companionKind {
	kind := companionOf(release.CompanionAutoscaler, workload.Autoscaler)
	kind.apply = func(ctx context.Context, c Cluster, t target, may takeBack) (Object, []release.FieldConflict, error) {
		return apply(ctx, c, t, string(release.CompanionAutoscaler), func(live *autoscalingv2.HorizontalPodAutoscaler) (*autoscalingv2.HorizontalPodAutoscaler, error) {
			want := workload.Autoscaler(t.spec)
			if live == nil || workload.RaisedFloor(live) == 0 {
				return want, nil
			}
			main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
			if err == nil && main.Raises(t.id.Name) {
				workload.KeepFloor(want, workload.RaisedFloor(live))
			}
			return want, err
		}, may)
	}
	return kind
}

// holdsFloors says that the promotion holds the floors of autoscalers on a cluster: in every
// canary, however many pods the new release starts with. Where somebody else had the
// traffic, what their autoscalers do is theirs.
func (pl *placement) holdsFloors() bool {
	return pl.start.Shares && pl.moves() && !pl.start.Idle && !pl.theirs()
}

// seeFloors finds out which of the two releases have an autoscaler, before the progress is
// written that names them.
func (p *Promotion) seeFloors(ctx context.Context, pl *placement) error {
	if !pl.holdsFloors() || pl.scaled != nil {
		return nil
	}
	scaled := []string{}
	for _, name := range []string{pl.from(), p.req.To} {
		h, err := p.engine.liveAutoscaler(ctx, pl.cluster, release.ID{Namespace: p.req.Service.Namespace, Name: name}, p.req.Service.Application)
		if err != nil {
			return err
		}
		if h != nil {
			scaled = append(scaled, name)
		}
	}
	pl.scaled = scaled
	pl.progress.Floors = slices.Compact(slices.Sorted(slices.Values(slices.Concat(pl.progress.Floors, scaled))))
	return nil
}

// liveAutoscaler is what decides on a release's pods; nil where nothing does, or nothing of
// ours.
func (e *Engine) liveAutoscaler(ctx context.Context, c Cluster, id release.ID, application string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	_, record, err := ownership.LiveRecord(ctx, c, id, application)
	if err != nil || !record.Expects(release.CompanionAutoscaler) {
		return nil, ignoreNotFound(err)
	}
	obj, err := e.liveCompanion(ctx, c, id, application, release.CompanionAutoscaler)
	if release.IsForeign(err) {
		return nil, nil
	}
	if err != nil || obj == nil || obj.GetDeletionTimestamp() != nil {
		return nil, err
	}
	return obj.(*autoscalingv2.HorizontalPodAutoscaler), nil
}

// holdFloors holds the floors for a share: the former release's at what it has, once, and
// the new one's at what the share takes. It waits until the new one has its pods.
func (p *Promotion) holdFloors(ctx context.Context, pl *placement, step release.Step) error {
	if !pl.holdsFloors() || len(pl.scaled) == 0 {
		return nil
	}
	namespace, application := p.req.Service.Namespace, p.req.Service.Application
	stable, err := p.engine.liveWorkload(ctx, pl.cluster, release.ID{Namespace: namespace, Name: pl.from()}, application)
	if err != nil || stable == nil {
		return err
	}
	other := deref(stable.Spec.Replicas)
	pl.kept = other
	if slices.Contains(pl.scaled, pl.from()) {
		err = p.raise(ctx, pl, pl.from(), func(of release.Autoscaling, raised int32) int32 {
			if raised > 0 {
				return raised // it is what it had at the first share
			}
			return of.Start(other)
		})
	}
	if err != nil || !slices.Contains(pl.scaled, p.req.To) {
		return err
	}
	floor, err := p.raiseNew(ctx, pl, release.CanaryStep{Weight: step.Load(), Replicas: step.Needs}, other)
	if err != nil {
		return err
	}
	return p.scaleUp(ctx, pl, floor)
}

// raiseNew raises the floor of the new release's autoscaler to what its share takes, where
// the former one has so many pods, and returns it.
func (p *Promotion) raiseNew(ctx context.Context, pl *placement, share release.CanaryStep, other int32) (floor int32, err error) {
	err = p.raise(ctx, pl, p.req.To, func(of release.Autoscaling, raised int32) int32 {
		floor = max(share.Floor(of, other), raised) // a run that was cut off may have come further: its autoscaler follows at any time
		return floor
	})
	return floor, err
}

// raise raises the floor of a release's autoscaler to what choose says, of what was typed
// and of what it has been raised to. It lowers none, and leaves alone what is somebody
// else's by now.
func (p *Promotion) raise(ctx context.Context, pl *placement, name string, choose func(of release.Autoscaling, raised int32) int32) error {
	id := release.ID{Namespace: p.req.Service.Namespace, Name: name}
	for {
		live, err := p.engine.liveAutoscaler(ctx, pl.cluster, id, p.req.Service.Application)
		if err != nil || live == nil {
			return err
		}
		raised := workload.RaisedFloor(live)
		floor := choose(*workload.FromAutoscaler(live), raised)
		if floor <= max(raised, workload.Floor(live)) {
			return nil
		}
		want, err := workload.Owned(live)
		if err != nil {
			return err
		}
		theirs := want.Spec.MinReplicas == nil
		if !theirs {
			workload.RaiseFloor(want, floor)
			err = pl.cluster.Apply(ctx, want, false)
			theirs = release.FieldConflicts(err) != nil
		}
		switch {
		case theirs:
			p.req.say("%s: somebody else has set how few pods the autoscaler of %s leaves it, which stays", pl.cluster.Name(), name)
			return nil
		case err == nil:
			p.req.say("%s: the autoscaler of %s leaves it %d pods or more", pl.cluster.Name(), name, floor)
			return nil
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return fmt.Errorf("the least number of pods of %s could not be raised to %d on cluster %q: %w", id, floor, pl.cluster.Name(), err)
		}
	}
}

// scaleUp gives the new release so many pods at once, and waits until they are ready: its
// autoscaler would come to it later, by itself.
func (p *Promotion) scaleUp(ctx context.Context, pl *placement, pods int32) error {
	d, err := p.scaleTo(ctx, pl, p.req.To, pods)
	if err != nil || d == nil || d.Status.ReadyReplicas >= pods {
		return err
	}
	return p.awaitScaled(ctx, pl, d)
}

// scaleTo asks for so many pods of a release, where it has fewer, and returns its workload.
// Nil: it is gone, or has none, by which somebody has switched its autoscaler off. That is
// told elsewhere.
func (p *Promotion) scaleTo(ctx context.Context, pl *placement, name string, pods int32) (*appsv1.Deployment, error) {
	id := release.ID{Namespace: p.req.Service.Namespace, Name: name}
	for {
		d, err := p.engine.liveWorkload(ctx, pl.cluster, id, p.req.Service.Application)
		if err != nil || d == nil || d.DeletionTimestamp != nil || deref(d.Spec.Replicas) == 0 {
			return nil, err
		}
		if deref(d.Spec.Replicas) >= pods {
			return d, nil
		}
		if _, err = pl.cluster.Scale(ctx, d, pods, true); err != nil && (!release.ReadAgain(err) || ctx.Err() != nil) {
			return nil, fmt.Errorf("the pods of %s could not be asked for on cluster %q: %w", id, pl.cluster.Name(), err)
		}
	}
}

// awaitScaled waits until the new release has the pods that it is asked for, behind its
// Service.
func (p *Promotion) awaitScaled(ctx context.Context, pl *placement, d *appsv1.Deployment) error {
	if err := p.engine.awaitHealthy(ctx, pl.cluster, p.candidate(pl), d); err != nil {
		return err
	}
	return p.behind(ctx, pl, d)
}

// restoreFloors gives the autoscalers of releases the floors that were typed.
func (e *Engine) restoreFloors(ctx context.Context, c Cluster, namespace, application string, names []string) error {
	for _, name := range names {
		if err := e.restoreFloor(ctx, c, release.ID{Namespace: namespace, Name: name}, application); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) restoreFloor(ctx context.Context, c Cluster, id release.ID, application string) error {
	for {
		live, err := e.liveAutoscaler(ctx, c, id, application)
		if err != nil || live == nil || workload.RaisedFloor(live) == 0 {
			return err
		}
		want, err := workload.Owned(live)
		if err != nil {
			return err
		}
		workload.RestoreFloor(want)
		if err = c.Apply(ctx, want, false); release.FieldConflicts(err) != nil {
			want.Spec.MinReplicas = nil // somebody else has it, too: it stays as it is
			err = c.Apply(ctx, want, false)
		}
		if err == nil {
			return nil
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return fmt.Errorf("the least number of pods of %s could not be set back on cluster %q: %w", id, c.Name(), err)
		}
	}
}
