package rollout

import (
	"context"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Somebody may have seen enough of a canary: what is left of its shares and pauses is
// skipped, and the release gets all of the traffic at once, when it has the pods for that.
// For example: v2 has 25 % and waits at a gate, and v1 is on fire. Nobody has to wait for a
// pipeline, nor to know the configuration: how the address is moved is in the cluster.

// SkipOf finds out how an open promotion of an application gets all of the traffic without
// the shares and pauses that are left. It reads, and writes nothing.
func SkipOf(ctx context.Context, r WayBackRequest) (GoBackRequest, error) {
	living, err := livingOf(ctx, r)
	if err != nil {
		return GoBackRequest{}, err
	}
	req := living.Request
	req.Skips = true
	for _, s := range living.Standings {
		why, open := s.Main.Skippable(), s.Main.Progress
		if why == "" && req.To != "" && open.To != req.To {
			why = fmt.Sprintf("the promotion there is one to %s, and on another cluster one to %s. Name one after the other", open.To, req.To)
		}
		if why != "" {
			return GoBackRequest{}, &release.SkipError{Cluster: s.Cluster, ID: r.id(), Reason: why}
		}
		req.To, req.Bake = open.To, open.Bake().For
		req.Canary.Scales = req.Canary.Scales || open.Scales
		if has := open.Given(); has != nil && (len(req.Canary.Steps) == 0 || has.Weight > req.Canary.Steps[0].Weight) {
			req.Canary.Steps = []release.CanaryStep{*has}
		}
		if asked := s.Main.Asked; asked != nil && asked.RetryToken != nil {
			req.RetryToken = *asked.RetryToken
		}
	}
	return req, nil
}

// Skip gives the release of an open promotion all of the traffic, as SkipOf says. A living
// run is asked to, and does it within a second; what waits, or what a dead run has left, is
// brought to its end here.
func (e *Engine) Skip(ctx context.Context, req GoBackRequest) (Promoted, error) {
	if _, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (struct{}, error) {
		return struct{}{}, e.askRun(ctx, c, req.Service.Namespace, req.Service.Application, release.RequestSkip, req.say)
	}); err != nil {
		return Promoted{}, err
	}
	return e.NewWayBack(req).whole(ctx)
}

// stillOpen refuses to skip what is left of a promotion that is not what somebody has seen.
// Whoever was asked to may have come to its end.
func (p *Promotion) stillOpen(pl *placement) error {
	switch open := pl.main.Progress; {
	case open == nil && pl.main.Deployment == p.req.To, open != nil && open.To == p.req.To && open.Direction == release.DirectionForward:
		return nil
	}
	return &release.SkipError{Cluster: pl.cluster.Name(), ID: p.address(), Reason: "its promotion has been taken back, or is another one, meanwhile"}
}

// skip passes over the shares and pauses that are left, on every cluster.
func (p *Promotion) skip(ctx context.Context, by, why string) {
	p.req.say("%s gets all of the traffic: what was left of shares and pauses is skipped", p.req.To)
	for _, pl := range p.active() {
		if pl.start.Shares {
			pl.start.Skips = true
			p.act(ctx, pl, release.OperationSkip, by, why)
		}
	}
}

// skipsHere notes who skips what is left, where that is what this promotion is for.
func (p *Promotion) skipsHere(ctx context.Context) {
	for _, pl := range p.active() {
		if p.skips && pl.moves() {
			p.act(ctx, pl, release.OperationSkip, mask.Redact(pl.cluster.User(ctx)), because(ctx))
		}
	}
}
