package rollout

import (
	"context"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// The first release behind an adopted rule has no release before it that could be made main
// again: going back ends what has been tried. For example: api-1 has 10 % of a rule, and its
// run has come to an end in a pause. Somebody invokes the action switchback_rollback. The
// rule leads again to what it led to before, and nothing is main.

// Undo takes back a promotion that is open, of the first release behind an adopted rule,
// which To names. Whoever is at it is asked to do that.
func (e *Engine) Undo(ctx context.Context, req GoBackRequest) (Promoted, error) {
	req.Undoes = true
	p := e.NewWayBack(req)
	p.AskBack(ctx)
	err := e.Together(ctx, []*Promotion{p}, p.Undo)
	if lost := ownership.Lost(ctx, err); lost != nil {
		p.lostIt(ctx)
		err = lost
	}
	if err != nil {
		p.done.Reason = reasonOf(err)
	}
	return p.Done(), err
}

// backTo is the release that this goes back to; empty where it goes back to what an adopted
// rule led to before.
func (p *Promotion) backTo() string {
	if p.undoes {
		return ""
	}
	return p.req.To
}

// Undo is that, under the Leases. Nothing is left to do where whoever was asked has done it.
func (p *Promotion) Undo(ctx context.Context) error {
	if err := p.Look(ctx); err != nil {
		return err
	}
	var cause error
	for _, pl := range p.placements {
		switch {
		case pl.start.Course == promotion.Returns:
			cause = &release.AskedBackError{Cluster: pl.cluster.Name(), ID: p.id(), Theirs: pl.theirSide(), Request: release.Request{
				Kind: release.RequestReturn, To: p.req.To, By: mask.Redact(pl.cluster.User(ctx)), At: pl.cluster.Now().UTC(), Why: because(ctx), Forgets: p.forgets,
			}}
		case pl.seen.Deployment == "" && pl.seen.Progress == nil:
			pl.status, pl.fate = release.MainRolledBack, returned
		default:
			return &release.MovedError{Cluster: pl.cluster.Name(), ID: p.address(), Was: "still being tried", Is: release.OrNothing(pl.seen.Deployment)}
		}
	}
	p.done.Status = release.MainRolledBack
	if cause == nil {
		return nil
	}
	if err := p.Return(ctx, cause); err != cause || p.done.Status != release.MainRolledBack { //nolint:errorlint // it and nothing beside it
		return err
	}
	return nil
}
