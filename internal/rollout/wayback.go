package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// refuse says that the release was main and did not pass its bake, or that a way
// back from it was cut off, which it ends. Who goes back by hand, by an action,
// knows.
func (p *Promotion) refuse(ctx context.Context) error {
	if p.req.Found != nil {
		return nil
	}
	if p.continues() {
		return p.on(ctx, p.active(), p.refusal)
	}
	var refused []error
	for _, s := range p.sides {
		if s.err = p.refusal(s); s.err != nil {
			s.status = release.MainRolledBack
			refused = append(refused, s.err)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	p.done.Status = release.MainRolledBack
	if slices.ContainsFunc(p.sides, func(s *side) bool { return s.returns }) {
		return p.Back(ctx, errors.Join(refused...))
	}
	return errors.Join(refused...)
}

func (p *Promotion) refusal(s *side) error {
	switch {
	case (s.returns || !s.there) && s.main.Breach.Refuses(p.req.To, p.req.RetryToken):
		return &release.TakenBackError{Cluster: s.cluster.Name(), ID: p.id(), Breach: *s.main.Breach}
	case s.returns:
		return fmt.Errorf("a promotion from %s to %s was being taken back on cluster %q when its run was cut off. That has been ended now, and the next apply begins anew",
			release.OrNothing(s.from), p.req.To, s.cluster.Name())
	}
	return nil
}

const nothingBefore = "no deployment was main before it"

// noWayBack says why the traffic that has moved cannot go back where it was: on
// some cluster nothing there could take it, or there was nothing anywhere.
func (p *Promotion) noWayBack(ctx context.Context, sides []*side) error {
	before, moved := false, ""
	for _, s := range sides {
		switch {
		case !s.moves, !s.hasMoved():
			before = true
		case s.from == "" || s.from == p.req.To:
			moved = s.cluster.Name()
		default:
			before = true
			if why := p.notServing(ctx, s); why != "" {
				return &release.NoWayBackError{Cluster: s.cluster.Name(), ID: p.id(), Reason: why}
			}
		}
	}
	if before || moved == "" || p.req.Member.Group != "" {
		return nil // an address that is new on one of several clusters, or in a group, is as new as the rest of the change
	}
	return &release.NoWayBackError{Cluster: moved, ID: p.id(), Reason: nothingBefore}
}

// notServing says why the release that had the traffic before cannot have it
// again: it must do its own work, or at least more of it than the new one does.
func (p *Promotion) notServing(ctx context.Context, s *side) string {
	namespace := p.req.Service.Namespace
	cannotTell := func(err error) string {
		return fmt.Sprintf("it cannot be told whether %s is ready: %v", s.from, err)
	}
	d, err := p.engine.liveWorkload(ctx, s.cluster, release.ID{Namespace: namespace, Name: s.from}, p.req.Service.Application)
	if err != nil {
		return cannotTell(err)
	}
	if d == nil || d.DeletionTimestamp != nil {
		return s.from + " is gone"
	}
	view, want := s.cluster.View(namespace), deref(d.Spec.Replicas)
	ready, err := readyBehind(ctx, view, d)
	if err != nil {
		return cannotTell(err)
	}
	now := int32(0)
	to, err := cached(ctx, view, &appsv1.Deployment{}, p.req.To)
	if err == nil && to != nil {
		now, err = readyBehind(ctx, view, to)
	}
	switch {
	case err != nil:
		return cannotTell(err)
	case want == 0:
		return s.from + " is stopped"
	case ready >= health.Needs(want), ready > 0 && ready >= now:
		return ""
	}
	return fmt.Sprintf("%d of the %d pods of %s are ready", ready, want, s.from)
}

// stay leaves the traffic where it has moved. The result is what went wrong.
func (p *Promotion) stay(ctx context.Context, sides []*side, cause, why error) error {
	p.done.Status = release.MainFailed
	_, err := fleet.All(sides, func(s *side) (struct{}, error) {
		if !s.hasMoved() {
			return struct{}{}, nil
		}
		return struct{}{}, p.stayOn(ctx, s, cause, why)
	})
	return errors.Join(cause, why, err)
}

// stayOn writes down, on one cluster, why the traffic should not be there.
func (p *Promotion) stayOn(ctx context.Context, s *side, cause, why error) error {
	sayTraffic(cause, trafficStays)
	entry := p.backEntry(ctx, s, reasonOf(cause)+"; "+reasonOf(why))
	entry.Outcome = release.OutcomeFailed
	p.engine.tell(ctx, s.cluster, p.addressOf(s), entry)
	s.breach(p, cause)
	return p.checkpoint(ctx, s, release.MainFailed, entry)
}
