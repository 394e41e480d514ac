package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// refuse ends a promotion that does not begin: its release was main and did not pass
// its bake, or a way back from it was cut off, which this ends. Who goes back by hand,
// by an action, knows.
func (p *Promotion) refuse(ctx context.Context) error {
	if p.continues() {
		return p.on(ctx, p.active(), p.refusal)
	}
	var refused []error
	for _, pl := range p.placements {
		if pl.err = p.refusal(pl); pl.err != nil {
			pl.status = release.MainRolledBack
			refused = append(refused, pl.err)
		}
	}
	p.done.Status = release.MainRolledBack
	if slices.ContainsFunc(p.placements, func(pl *placement) bool { return pl.start.Course == promotion.Returns }) {
		return p.Return(ctx, errors.Join(refused...))
	}
	return errors.Join(refused...)
}

// refusal says why the promotion does not begin on a cluster.
func (p *Promotion) refusal(pl *placement) error {
	switch {
	case pl.start.Refused:
		return &release.TakenBackError{Cluster: pl.cluster.Name(), ID: p.id(), Breach: *pl.main.Breach}
	case pl.start.Course == promotion.Returns:
		return fmt.Errorf("a promotion from %s to %s was being taken back on cluster %q when its run was cut off. That has been ended now, and the next apply begins anew",
			release.OrNothing(pl.side()), p.req.To, pl.cluster.Name())
	}
	return nil
}

const nothingBefore = "no deployment was main before it"

// noWayBack says why the traffic that has moved cannot go back where it was: on
// some cluster nothing there could take it, or there was nothing anywhere.
func (p *Promotion) noWayBack(ctx context.Context, placements []*placement) error {
	before, moved := false, ""
	for _, pl := range placements {
		switch {
		case !pl.moves(), pl.stage != promotion.Recorded:
			before = true
		case pl.theirs():
			before = true
			if why := p.theirsBare(ctx, pl); why != "" {
				return &release.NoWayBackError{Cluster: pl.cluster.Name(), ID: p.id(), Reason: why}
			}
		case pl.from() == "" || pl.from() == p.req.To:
			moved = pl.cluster.Name()
		default:
			before = true
			if why := p.notServing(ctx, pl); why != "" {
				return &release.NoWayBackError{Cluster: pl.cluster.Name(), ID: p.id(), Reason: why}
			}
		}
	}
	if before || moved == "" || p.req.Member.Group != "" {
		return nil // an address that is new on one of several clusters, or in a group, is as new as the rest of the change
	}
	return &release.NoWayBackError{Cluster: moved, ID: p.id(), Reason: nothingBefore}
}

// noShareBack says why the traffic that is shared cannot go back where it was.
func (p *Promotion) noShareBack(ctx context.Context, placements []*placement) error {
	for _, pl := range placements {
		if why := p.bare(ctx, pl); why != "" {
			return &release.NoWayBackError{Cluster: pl.cluster.Name(), ID: p.id(), Shared: true, Reason: why}
		}
	}
	return nil
}

// shared says that the release has a share of a cluster's traffic, and the rest is where
// it was.
func (p *Promotion) shared(pl *placement) bool {
	return p.waits(pl) && pl.stage == promotion.Shifted && pl.share(p.req.To) > 0
}

// bare says that who has the rest of a traffic that is shared has no pod that is ready,
// and the release has: all of it would go where nobody answers. Empty where it is not
// so, or cannot be told.
func (p *Promotion) bare(ctx context.Context, pl *placement) string {
	if !p.shared(pl) {
		return ""
	}
	view := pl.cluster.View(p.req.Service.Namespace)
	ready := func(name string) (d *appsv1.Deployment, behind int32, err error) {
		if d, err = ownership.Cached(ctx, view, &appsv1.Deployment{}, name); err == nil && d != nil {
			behind, err = readyBehind(ctx, view, d)
		}
		return d, behind, err
	}
	if pl.theirs() {
		why := p.theirsBare(ctx, pl)
		if _, now, err := ready(p.req.To); err != nil || now == 0 {
			return ""
		}
		return why
	}
	stable, behind, err := ready(pl.from())
	if err != nil || behind > 0 {
		return ""
	}
	if _, now, err := ready(p.req.To); err != nil || now == 0 {
		return ""
	}
	if stable == nil {
		return pl.from() + " is gone"
	}
	return fmt.Sprintf("0 of the %d pods of %s are ready", deref(stable.Spec.Replicas), pl.from())
}

// notServing says why the release that had the traffic before cannot have it
// again: it must do its own work, or at least more of it than the new one does.
func (p *Promotion) notServing(ctx context.Context, pl *placement) string {
	namespace := p.req.Service.Namespace
	cannotTell := func(err error) string {
		return fmt.Sprintf("it cannot be told whether %s is ready: %v", pl.from(), err)
	}
	d, err := p.engine.liveWorkload(ctx, pl.cluster, release.ID{Namespace: namespace, Name: pl.from()}, p.req.Service.Application)
	if err != nil {
		return cannotTell(err)
	}
	if d == nil || d.DeletionTimestamp != nil {
		return pl.from() + " is gone"
	}
	view, want := pl.cluster.View(namespace), deref(d.Spec.Replicas)
	ready, err := readyBehind(ctx, view, d)
	if err != nil {
		return cannotTell(err)
	}
	now := int32(0)
	to, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, p.req.To)
	if err == nil && to != nil {
		now, err = readyBehind(ctx, view, to)
	}
	switch {
	case err != nil:
		return cannotTell(err)
	case want == 0:
		return pl.from() + " is stopped"
	case ready >= health.Needs(want), ready > 0 && ready >= now:
		return ""
	case ready > 0 && pl.share(pl.from()) > 0: // it has some of it, and gets the rest as backInParts says
		return ""
	}
	return fmt.Sprintf("%d of the %d pods of %s %s ready", ready, want, pl.from(), release.Are(ready))
}

// stay leaves the traffic where it has moved. The result is what went wrong.
func (p *Promotion) stay(ctx context.Context, placements []*placement, cause, why error) error {
	p.done.Status = release.MainFailed
	_, err := fleet.All(placements, func(pl *placement) (struct{}, error) {
		if pl.stage != promotion.Recorded && !p.shared(pl) {
			return struct{}{}, nil
		}
		return struct{}{}, p.stayOn(ctx, pl, cause, why)
	})
	return errors.Join(cause, why, err)
}

// stayOn writes down, on one cluster, why the traffic should not be there.
func (p *Promotion) stayOn(ctx context.Context, pl *placement, cause, why error) error {
	sayTraffic(cause, trafficStays)
	pl.fate = stays
	entry := p.backEntry(ctx, pl, reasonOf(cause)+"; "+reasonOf(why))
	entry.Outcome = release.OutcomeFailed
	p.engine.report(ctx, pl.cluster, p.addressOf(pl), entry)
	p.noteBreach(pl, cause)
	nowhere := pl.progress
	nowhere.Direction = release.DirectionNone
	return p.save(ctx, pl, nowhere, entry)
}
