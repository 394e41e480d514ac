package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// The first release behind an adopted rule takes its traffic from what is no release: what
// the rule led to before, which is somebody else's. It has the rest of the traffic for as
// long as the promotion is open, and all of it again, as it was written, where that goes
// back. Nothing else is done to it: it is seen whether it answers, and no more.

// seeTheirs fills in what an adopted rule led to before, where that can share the traffic:
// where it does not answer, nothing is to be protected, as where nobody is main.
func (p *Promotion) seeTheirs(ctx context.Context, pl *placement, seen *promotion.Seen) error {
	if pl.asks.Adopted == nil || len(pl.asks.Adopted.Backends) == 0 {
		return nil
	}
	before := pl.main.Deployment
	if open := pl.main.Progress; open != nil && open.Theirs != "" && open.Before != nil {
		before = open.Before.Deployment // it may be written down that all of it has moved
	}
	if before != "" {
		return nil
	}
	theirs, parts := traffic.Theirs(pl.asks.Adopted.Backends)
	if shares := p.req.Canary.Shares(); parts > traffic.MaxParts && len(shares) > 1 {
		return &release.RuleError{Cluster: pl.cluster.Name(), Namespace: p.req.Service.Namespace, Route: *pl.asks, Reason: traffic.TooFine(parts)}
	}
	if why, _ := p.engine.unserved(ctx, pl.cluster, p.req.Service.Namespace, "", pl.asks.Adopted.Backends); why == "" {
		seen.Theirs = theirs
	}
	return nil
}

// theirsBare says why what an adopted rule led to before cannot have the traffic again: it
// does not answer. Empty where it does, or where it cannot be told.
func (p *Promotion) theirsBare(ctx context.Context, pl *placement) string {
	why, _ := p.engine.unserved(ctx, pl.cluster, p.req.Service.Namespace, "", pl.asks.Adopted.Backends)
	return why
}

// giveRuleBack makes an adopted rule lead to what it led to before, and waits until those
// who serve the route have accepted that.
func (p *Promotion) giveRuleBack(ctx context.Context, pl *placement) error {
	what := pl.asks.String()
	err := p.settle(ctx, pl, p.req.Route.Settle, "the data plane behind the "+what, func(ctx context.Context) (bool, time.Duration, error) { return pl.route.GiveBack(ctx) })
	if err == nil {
		return nil
	}
	if awaits := pl.route.Awaiting(); awaits != "" {
		err = fmt.Errorf("%w. What it waited for: %s", err, awaits)
	}
	return fmt.Errorf("the %s in the namespace %s on cluster %q was not seen to lead to %s again: %w", what, p.req.Service.Namespace, pl.cluster.Name(), pl.side(), err)
}

// restoreTheirs gives an adopted rule back before its traffic is shared anew.
func (p *Promotion) restoreTheirs(ctx context.Context, pl *placement) error {
	p.req.say("%s: moving all of the traffic back to %s first", pl.cluster.Name(), pl.side())
	if err := p.save(ctx, pl, pl.progress); err != nil {
		return err
	}
	pl.reached(promotion.Shifted)
	if err := p.giveRuleBack(ctx, pl); err != nil {
		return err
	}
	pl.split = release.Split{pl.side(): 100}
	return drain(ctx, p.req.Drain)
}

// ruleBack is routeBack to what an adopted rule led to before.
func (p *Promotion) ruleBack(ctx context.Context, pl *placement) (moved bool, err error) {
	seen, err := pl.router.Look(ctx)
	if err != nil {
		return false, err
	}
	moved = pl.stage >= promotion.Shifted
	pl.route.Returns()
	if err := p.giveRuleBack(ctx, pl); err != nil {
		return moved, err
	}
	if pl.progress.Made || p.req.Service.Adopt && traffic.SplitOf(seen.Service)[p.req.To] == 100 {
		err = pl.router.Remove(ctx)
	}
	p.engine.trafficLeft(ownership.Key(pl.cluster, p.req.Service.Namespace, p.req.To))
	return moved, err
}

// openOf is a promotion that is not over; the zero one where there is none.
func openOf(main *release.Main) (open release.Progress) {
	if main != nil && main.Progress != nil {
		open = *main.Progress
	}
	return open
}
