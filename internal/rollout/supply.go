package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// A release that is to be main may have only the pods that its share of the traffic takes.
// Its workload says so, in the same object that has the number, and the application's
// pointer says whether that is still so. The release's own verbs start it with as many, and
// may take some away while a promotion is paused. A promotion only adds to them.

// applyStarted applies the workload of a release that has a fixed number of pods.
func (e *Engine) applyStarted(ctx context.Context, cl *claim, may takeBack) (*appsv1.Deployment, []release.FieldConflict, error) {
	c, t := cl.cluster, cl.target
	return e.applyCounted(ctx, c, t, cl.restart, may, func(want, live *appsv1.Deployment) error {
		want.Spec.Paused = cl.roll.stopsIn(live, t)
		pods, err := e.podsFor(ctx, c, t, live)
		if err == nil && pods < t.spec.Replicas {
			workload.SetShareReplicas(want, pods, t.spec.Replicas)
		}
		return err
	})
}

// podsFor is how many of its pods a release is started with. What has all of them keeps
// them: somebody may be about to go back to it. live has been read before the pointer is: a
// promotion writes down what it is about to give before it adds pods, so that who reads the
// pointer of before cannot write over pods of after.
func (e *Engine) podsFor(ctx context.Context, c Cluster, t target, live *appsv1.Deployment) (int32, error) {
	all, has, shares := t.spec.Replicas, int32(0), false
	if live != nil {
		has, shares = deref(live.Spec.Replicas), workload.ShareReplicas(live) > 0
	}
	if t.inPlace() || workload.Ignored(workload.ReplicasField, t.spec.IgnoreDrift) || has > 0 && !shares {
		return all, nil
	}
	if !shares {
		if _, read := t.mains[c.Name()]; !read && t.mains != nil {
			return all, nil // the pointer could not be read a moment ago: it is not waited for twice
		}
		main, err := mainAtFirst(ctx, c, t)
		if share := main.ShareOf(t.id.Name); err == nil && share != nil {
			return share.Pods(all, 0), nil // the promotion adds what the other side makes necessary
		}
		return all, nil
	}
	main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
	share := main.ShareOf(t.id.Name)
	if err != nil || share == nil {
		return all, err
	}
	other, err := e.podsOfMain(ctx, c, t.id.Namespace, t.application(), main)
	pods := share.Pods(all, other)
	if open := main.Progress; open != nil && !open.Paused {
		pods = min(all, max(pods, has)) // a promotion is at work, and has counted them
	}
	return pods, err
}

// podsOfMain is how many pods the other side of a share has.
func (e *Engine) podsOfMain(ctx context.Context, c Cluster, namespace, application string, main *release.Main) (int32, error) {
	name := main.Deployment
	if main.Progress != nil && main.Progress.From != "" {
		name = main.Progress.From
	}
	if name == "" { // nobody, or somebody else, whose pods are not counted
		return 0, nil
	}
	d, err := e.liveWorkload(ctx, c, release.ID{Namespace: namespace, Name: name}, application)
	if err != nil || d == nil {
		return 0, err
	}
	return deref(d.Spec.Replicas), nil
}

// supply gives the release the pods that a share of the traffic takes, and waits until they
// are ready. It takes none away.
func (p *Promotion) supply(ctx context.Context, pl *placement, step release.Step) error {
	if pl.whole || !pl.moves() || pl.start.Idle {
		return nil
	}
	e, c, id := p.engine, pl.cluster, p.id()
	d, err := e.liveWorkload(ctx, c, id, p.req.Service.Application)
	if err != nil || d == nil || d.DeletionTimestamp != nil {
		return err
	}
	var other int32
	if step.Load() < 100 {
		if other, err = e.podsOfMain(ctx, c, id.Namespace, p.req.Service.Application, &pl.main); err != nil {
			return err
		}
	}
	share := release.CanaryStep{Weight: step.Load(), Replicas: step.Needs}
	if pl.whole = workload.ShareReplicas(d) == 0; pl.whole || needs(share, d, other) == deref(d.Spec.Replicas) && step.Load() < 100 {
		return nil
	}
	applied, err := p.ask(ctx, pl, share, other)
	if err != nil {
		return err
	}
	if err := e.awaitHealthy(ctx, c, p.candidate(pl), applied); err != nil {
		return err
	}
	pl.whole = workload.ShareReplicas(applied) == 0
	return p.behind(ctx, pl, applied)
}

// needs is how many pods a release has for a share: never fewer than it has.
func needs(share release.CanaryStep, d *appsv1.Deployment, other int32) int32 {
	return max(share.Pods(workload.StartedReplicas(d), other), deref(d.Spec.Replicas))
}

// candidate is the release that gets the share, as far as waiting for its pods takes it.
func (p *Promotion) candidate(pl *placement) target {
	content := release.Content{Application: p.req.Service.Application, Version: pl.version}
	return target{id: p.id(), spec: release.Spec{Namespace: p.req.Service.Namespace, Health: pl.health, Content: content}}
}

// ask asks for the pods that a share takes, where the other side has so many.
func (p *Promotion) ask(ctx context.Context, pl *placement, share release.CanaryStep, other int32) (*appsv1.Deployment, error) {
	p.req.say("%s: %s gets the pods for %d %% of the traffic", pl.cluster.Name(), p.req.To, share.Weight)
	applied, err := p.engine.amend(ctx, pl.cluster, p.candidate(pl), func(want, live *appsv1.Deployment) error {
		if workload.ShareReplicas(live) > 0 { // else somebody has given it all meanwhile
			workload.SetShareReplicas(want, needs(share, live, other), workload.StartedReplicas(live))
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("the pods of %s for %d %% of the traffic could not be asked for on cluster %q: %w", p.id(), share.Weight, pl.cluster.Name(), err)
	}
	return applied, err
}

// keepUp gives the release, while it is watched, the pods that its share takes by now: the
// other side may have got more. They are not waited for.
func (p *Promotion) keepUp(ctx context.Context, pl *placement) error {
	share := pl.progress.Share()
	if share == nil || share.Weight >= 100 || pl.theirs() {
		return nil
	}
	view := pl.cluster.View(p.req.Service.Namespace)
	stable, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, pl.from())
	if err != nil || stable == nil {
		return err
	}
	other := deref(stable.Spec.Replicas)
	switch {
	case pl.holdsFloors() && slices.Contains(pl.scaled, p.req.To):
		err = p.keepFloor(ctx, pl, *share, other)
	case !pl.whole && pl.progress.Scales:
		err = p.keepShare(ctx, pl, *share, other)
	}
	if err != nil && ownership.LeaseLost(ctx, err) == nil && ctx.Err() == nil {
		p.req.say("%s", err) // the next change asks again, and so does the next share
		return nil
	}
	return err
}

// keepShare is keepUp where the release has a fixed number of pods, and only some of them.
func (p *Promotion) keepShare(ctx context.Context, pl *placement, share release.CanaryStep, other int32) error {
	d, err := ownership.Cached(ctx, pl.cluster.View(p.req.Service.Namespace), &appsv1.Deployment{}, p.req.To)
	if err != nil || d == nil || workload.ShareReplicas(d) == 0 || needs(share, d, other) == deref(d.Spec.Replicas) {
		return err
	}
	_, err = p.ask(ctx, pl, share, other)
	return err
}

// keepFloor is keepUp where an autoscaler decides on its pods. A floor is never lowered, so
// that only more pods of the other side are news.
func (p *Promotion) keepFloor(ctx context.Context, pl *placement, share release.CanaryStep, other int32) error {
	if other <= pl.kept {
		return nil
	}
	floor, err := p.raiseNew(ctx, pl, share, other)
	if err == nil {
		_, err = p.scaleTo(ctx, pl, p.req.To, floor)
	}
	if err == nil {
		pl.kept = other
	}
	return err
}

// podsOf says how many pods a workload is asked to have, and of how many.
func podsOf(d *appsv1.Deployment) string {
	if share := workload.ShareReplicas(d); share > 0 {
		return fmt.Sprintf("%d of its %d pods: its share of the traffic takes no more", share, workload.StartedReplicas(d))
	}
	return fmt.Sprintf("%d pods", deref(d.Spec.Replicas))
}
