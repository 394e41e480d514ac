package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// All of a traffic that is shared goes back in one write, where who gets it back has the
// pods for it. A release that has lost some of them, with a node for example, gets what those
// that are left carry, and the rest when the others have come back. It is not waited for them
// for ever: the release that is left has failed, or somebody does not want it.

// backInParts gives the release that had the traffic before no more of it than its ready
// pods carry, and waits, for a bounded time, until it may have the rest. What follows gives
// it that. Its error says that none of its pods is ready any more.
func (p *Promotion) backInParts(ctx context.Context, pl *placement) error {
	other, share, floor := p.shortOf(ctx, pl)
	if other == "" {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, p.engine.timing.Settle)
	defer cancel()
	var sides promotion.Sides
	began := false
	err := wait.Until(waiting, pl.cluster.View(p.req.Service.Namespace).Changes(p.req.Service.Application), func() (bool, time.Duration, error) {
		var err error
		if sides, err = p.sides(waiting, pl, other, floor); err != nil {
			return false, 0, err
		}
		sides.Share = share
		back := sides.Back()
		if back == 100 || began {
			return back == 100, 0, nil
		}
		began = true
		if back > share {
			want := release.Split{pl.from(): back, other: 100 - back}
			if err := p.ensureRoute(waiting, pl, want); err != nil {
				return false, 0, err
			}
			share, pl.split = back, want
		}
		p.req.say("%s: %d of the %d pods of %s %s ready: it has %d %% of the traffic until more of them are", pl.cluster.Name(), sides.Ready, sides.Needs, pl.from(), release.Are(int(sides.Ready)), back)
		_, err = p.scaleTo(waiting, pl, pl.from(), sides.Needs)
		return false, 0, err
	})
	if lost := ownership.LeaseLost(ctx, err); lost != nil {
		return lost
	}
	if err == nil || !began {
		return nil // nor does what cannot be told keep anything from going back
	}
	if now, err := p.sides(context.WithoutCancel(ctx), pl, other, floor); err == nil {
		sides = now
	}
	if sides.Ready == 0 && sides.Other > 0 {
		return &release.NoWayBackError{Cluster: pl.cluster.Name(), ID: p.id(), Shared: true, Reason: fmt.Sprintf("0 of the %d pods of %s are ready", sides.Needs, pl.from())}
	}
	if ctx.Err() == nil {
		p.req.say("%s: %d of the %d pods of %s %s ready by now, and it gets all of the traffic", pl.cluster.Name(), sides.Ready, sides.Needs, pl.from(), release.Are(int(sides.Ready)))
	}
	return nil
}

// shortOf is the release with which the one that had the traffic before shares a route,
// where that has lost pods, what it has of the traffic, and how many pods it is held at.
// Empty: nothing keeps all of it from going back, or that cannot be told.
func (p *Promotion) shortOf(ctx context.Context, pl *placement) (other string, share int, floor int32) {
	if pl.route == nil || pl.theirs() || pl.from() == "" {
		return "", 0, 0
	}
	floor, err := p.heldFloor(ctx, pl)
	if err != nil {
		return "", 0, 0
	}
	if s, err := p.sides(ctx, pl, "", floor); err != nil || s.Ready >= s.Enough {
		return "", 0, 0
	}
	seen, err := pl.look(ctx)
	if err != nil || seen.Route == nil {
		return "", 0, 0
	}
	for name, percent := range seen.Split {
		if name != pl.from() && percent > 0 {
			other = name
		}
	}
	return other, seen.Split[pl.from()], floor
}

// heldFloor is how many pods a promotion has found with the release that had the traffic
// before, where an autoscaler decides on that: some may have been taken away since. 0: its
// workload says.
func (p *Promotion) heldFloor(ctx context.Context, pl *placement) (int32, error) {
	if !slices.Contains(pl.progress.Floors, pl.from()) {
		return 0, nil
	}
	h, err := p.engine.liveAutoscaler(ctx, pl.cluster, release.ID{Namespace: p.req.Service.Namespace, Name: pl.from()}, p.req.Service.Application)
	if err != nil || h == nil {
		return 0, err
	}
	return workload.RaisedFloor(h), nil
}

// sides is what both releases have, as the watch caches say.
func (p *Promotion) sides(ctx context.Context, pl *placement, other string, floor int32) (s promotion.Sides, err error) {
	view := pl.cluster.View(p.req.Service.Namespace)
	ready := func(name string) (asked, ready int32, err error) {
		d, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, name)
		if err != nil || d == nil {
			return 0, 0, err
		}
		ready, err = readyBehind(ctx, view, d)
		return deref(d.Spec.Replicas), ready, err
	}
	if s.Needs, s.Ready, err = ready(pl.from()); err != nil {
		return s, err
	}
	s.Needs = max(s.Needs, floor)
	if s.Enough = health.Needs(s.Needs); other != "" {
		_, s.Other, err = ready(other)
	}
	return s, err
}

// backOn is backInParts on a way back that a run takes when its own time is over. It returns
// a context that has all of the time for what follows. Whoever presses Ctrl-C waits no longer.
func (p *Promotion) backOn(ctx, clean context.Context, pl *placement) (context.Context, context.CancelFunc, error) {
	if pl.stage < promotion.Shifted || pl.from() == p.req.To || ownership.Interrupted(ctx) {
		return clean, func() {}, nil
	}
	waiting, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	if ctx.Err() == nil {
		defer context.AfterFunc(ctx, cancel)()
	}
	if pl.route != nil {
		pl.route.Returns()
	}
	err := p.backInParts(waiting, pl)
	clean, done := p.engine.keeper.Cleanup(ctx)
	return clean, done, err
}
