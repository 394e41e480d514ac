package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// shift moves so many percent of the traffic, batch after batch, and watches the
// release between two batches for as long as the rollout says. Within a batch, each
// part is done on all clusters before the next one, so that a failure is found with
// as little moved as possible.
func (p *Promotion) shift(ctx context.Context, due []*placement, step release.Step) error {
	p.done.Status = release.MainRunning
	batches := fleet.Batches(p.req.Rollout, due, func(pl *placement) string { return pl.cluster.Name() })
	for i, batch := range batches {
		for _, do := range []func(*placement) error{
			func(pl *placement) error { return p.seeFloors(ctx, pl) },
			func(pl *placement) error { return p.save(ctx, pl, pl.progress) },
			func(pl *placement) error { return p.holdFloors(ctx, pl, step) },
			func(pl *placement) error { return p.supply(ctx, pl, step) },
			func(pl *placement) error { return p.enough(ctx, pl, step) },
			func(pl *placement) error { return p.switchTo(ctx, pl, step) },
			func(pl *placement) error { return p.probe(ctx, pl, step) },
			func(pl *placement) error { return p.stands(ctx, pl) },
			func(pl *placement) error { return p.record(ctx, pl, step) },
		} {
			if err := p.on(ctx, going(batch), do); err != nil {
				return err
			}
		}
		if i == len(batches)-1 {
			break
		}
		err := p.watchAll(ctx, slices.Concat(batches[:i+1]...), p.req.Rollout.Bake)
		if err := p.steer(ctx, due, err); err != nil {
			return err
		}
	}
	if step.Weight == 100 {
		p.moved(ctx)
	}
	return nil
}

// switchTo moves the address and returns when the data plane has it.
func (p *Promotion) switchTo(ctx context.Context, pl *placement, step release.Step) error {
	want := pl.sharing(p.req.To, step.Weight)
	p.tellSwitch(ctx, pl, step, want[p.req.To])
	if pl.route != nil {
		pl.route.Mirror(step.Mirror)
	}
	if p.serviceMoves(pl) {
		if err := p.clear(ctx, pl); err != nil {
			return err
		}
	}
	if pl.takesRest() {
		if err := p.backInParts(ctx, pl); err != nil {
			return err
		}
	}
	err := p.ensure(ctx, pl, want)
	if pl.wrote() || !p.refused(ctx, pl, err) {
		pl.reached(promotion.Shifted)
	}
	if err != nil {
		return err
	}
	pl.split = want
	return nil
}

// tellSwitch says what a shift does that gives the release such a share.
func (p *Promotion) tellSwitch(ctx context.Context, pl *placement, step release.Step, share int) {
	from, what := release.OrNothing(pl.side()), "traffic"
	if share < 100 {
		what = fmt.Sprintf("%d %% of the traffic", share)
	}
	line, event := fmt.Sprintf("moving %s from %s to %s", what, from, p.req.To), fmt.Sprintf("%s moves from %s to %s", what, from, p.req.To)
	switch {
	case step.Mirror > 0:
		line = fmt.Sprintf("sending %s to %s, while %s answers all of them", release.CopiesText(step.Mirror), p.req.To, from)
		event = fmt.Sprintf("%s go to %s, while %s answers all of them", release.CopiesText(step.Mirror), p.req.To, from)
	case from == p.req.To && pl.route != nil:
		line = "moving all of the traffic to " + p.req.To
	case from == p.req.To:
		line, event = "leading the address to "+p.req.To, "the address leads to "+p.req.To
	}
	p.req.say("%s: %s", pl.cluster.Name(), line)
	p.step(ctx, pl, release.EventSwitching, event)
}

// clear takes the ports that somebody has added to the address, so that the switch, which
// names ours, removes them. Where the plan has not shown them they stay, and on a way back
// that has no configuration what lives does.
func (p *Promotion) clear(ctx context.Context, pl *placement) error {
	want := p.req.Service.Object(p.req.To)
	if !p.req.TakeBack || p.was != nil || pl.found.Service == nil || len(workload.Added(pl.found.Service, want)) == 0 {
		return nil
	}
	c := p.engine.keeper.StrictlyUnder(pl.cluster, want.Namespace, p.req.Service.Application)
	for {
		live, err := ownership.Look(ctx, c, want.Namespace, want.Name, p.req.Service.Application, &corev1.Service{}, "Service")
		if err != nil || live == nil {
			return err
		}
		if _, err = seizeAdded(ctx, c, live, want, nil, everything); !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// refused says that a switch has touched nothing: it was answered with no, and
// the address leads where it led before.
func (p *Promotion) refused(ctx context.Context, pl *placement, err error) bool {
	if ownership.LeaseLost(ctx, err) != nil {
		return true
	}
	var status apierrors.APIStatus
	if ctx.Err() != nil || !errors.As(err, &status) {
		return false
	}
	if code := status.Status().Code; code < http.StatusBadRequest || code >= http.StatusInternalServerError {
		return false
	}
	now, err := pl.look(ctx) // an earlier attempt may have come through
	return err == nil && now.Leads(pl.found)
}

// ensure makes the address what is wanted, and waits until the data plane has it.
func (p *Promotion) ensure(ctx context.Context, pl *placement, want release.Split) error {
	if pl.route != nil {
		if err := p.ensureRoute(ctx, pl, want); err != nil {
			return err
		}
	}
	if !p.serviceMoves(pl) {
		return nil
	}
	return p.ensureService(ctx, pl, ofService(want, p.req.To))
}

// ofService is whom the Service leads to while a route shares the traffic with what is no
// release.
func ofService(want release.Split, to string) release.Split {
	if _, all := want.Stable(); all {
		return want
	}
	return release.Split{to: 100}
}

// ensureService is ensure for the Service alone.
func (p *Promotion) ensureService(ctx context.Context, pl *placement, want release.Split) error {
	to, _ := want.Stable()
	err := p.settle(ctx, pl, 0, "the endpoints of the main Service", func(ctx context.Context) (bool, time.Duration, error) { return pl.router.Shift(ctx, want) })
	if err != nil {
		return fmt.Errorf("traffic could not be moved to %s on cluster %q: %w", to, pl.cluster.Name(), err)
	}
	return nil
}

// settle calls shift until the data plane has what it writes. What has to follow the
// write has its time from the first answer on: until then, there was nothing to follow.
// more is what it takes beyond that.
func (p *Promotion) settle(ctx context.Context, pl *placement, more time.Duration, what string, shift func(context.Context) (bool, time.Duration, error)) error {
	if settled, _, err := shift(ctx); settled || err != nil {
		return err
	}
	limit := p.engine.timing.Settle + more
	waiting, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s did not follow within %s", what, limit))
	defer cancel()
	return wait.Until(waiting, pl.cluster.View(p.req.Service.Namespace).Changes(p.req.Service.Application), func() (bool, time.Duration, error) { return shift(waiting) })
}

// stands makes sure that the release still does its work when the data plane has followed,
// where nothing watches it next: without a bake, the commit would come. Nothing may keep
// traffic from going back to who had it.
func (p *Promotion) stands(ctx context.Context, pl *placement) error {
	side, next := pl.side(), pl.progress
	if next.Before == nil || !pl.moves() || side == "" || side == p.req.To || pl.start.Back || pl.start.Idle {
		return nil
	}
	next.At++
	if next, _ = upcoming(pl.start, next); next.Step().Kind == release.StepPause || next.Step().Kind == release.StepAnalyse {
		return nil
	}
	in, seen, err := p.seenLive(ctx, pl, new(health.Bake))
	if err == nil && seen != "" {
		return p.breach(ctx, pl, in, seen, 0, 0)
	}
	return err
}

// record writes down that the address has moved, or how much of the traffic has.
func (p *Promotion) record(ctx context.Context, pl *placement, step release.Step) error {
	p.noteRoute(pl)
	p.noteService(pl)
	if step.Weight < 100 {
		next := pl.progress
		next.At++
		next.Since = p.pauseSince(pl, next)
		return p.save(ctx, pl, next)
	}
	from, to := pl.from(), p.req.To
	if from != "" && from != to {
		p.engine.trafficLeft(ownership.Key(pl.cluster, p.req.Service.Namespace, from))
	}
	pl.main = promotion.Moved(pl.start, pl.main, pl.cluster.Now(), time.Now())
	if pl.moves() {
		pl.main.Move = p.req.Member.Move
	}
	if pl.progress.Before != nil {
		pl.reached(promotion.Recorded)
	}
	next := pl.progress
	next.At++
	next.Since = p.pauseSince(pl, next)
	return p.save(ctx, pl, next, p.outcome(ctx, pl, nil)...)
}

// noteService notes on main what its Service is to be.
func (p *Promotion) noteService(pl *placement) {
	if applied := pl.router.Applied(); applied != nil {
		pl.main.Baseline, pl.main.Protocols = p.baseline(pl, applied), p.req.Service.ProtocolsIn(applied)
	}
}

// moved notes that traffic is where it was asked to be.
func (p *Promotion) moved(ctx context.Context) {
	p.done.Moved, p.done.Status = true, release.MainFinalizing
	first := p.active()[0]
	p.done.Service = first.router.Applied()
	p.done.PromotedAt = first.main.PromotedAt
	if len(first.main.Previous) > 0 {
		p.done.Previous = first.main.Previous[0]
	}
	for _, pl := range p.active() {
		p.done.Named = p.done.Named || pl.main.DNS != nil
		p.tellMoved(ctx, pl)
	}
}
