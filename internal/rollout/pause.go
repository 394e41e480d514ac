package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// errPaused ends a run in a pause that it does not outlast. The promotion stays open.
var errPaused = errors.New("the promotion is paused")

// pauseMargin is what a run needs of its time after a pause.
const pauseMargin = 30 * time.Second

// pause watches the release with its share of the traffic, for as long as the step says.
// Where somebody has to say that it may go on, or the run's time does not last, the run
// ends there.
func (p *Promotion) pause(ctx context.Context, due []*placement, step release.Step) error {
	left := time.Duration(0)
	for _, pl := range due {
		if pl.progress.Since.IsZero() {
			pl.progress.Since = pl.cluster.Now().UTC()
		}
		left = max(left, pl.progress.Since.Add(step.For).Sub(pl.cluster.Now()))
	}
	end, limited := ctx.Deadline()
	outlasts := limited && time.Until(end) < left+pauseMargin && left > 0
	if outlasts {
		left = 0
	}
	err := p.watchAll(ctx, due, max(left, oneLook))
	if err == nil && (outlasts || step.Gate != "") {
		return p.halt(ctx, due)
	}
	if err := p.steer(ctx, due, err); err != nil {
		return err
	}
	for _, pl := range due {
		pl.progress.Since = time.Time{}
	}
	return nil
}

// pauseSince is since when a pause lasts that follows a share, now that the share has
// settled: one that a former run has begun goes on. It is written down with the share, so
// that a run which is killed in the pause takes no time from the next one. Zero: no pause
// follows, or somebody has ended it.
func (p *Promotion) pauseSince(pl *placement, next release.Progress) time.Time {
	switch {
	case next.Step().Kind != release.StepPause, !pl.start.Shares, next.At == pl.start.Passed:
		return time.Time{}
	case next.Since.IsZero():
		return pl.cluster.Now().UTC()
	}
	return next.Since
}

// halt writes down that the run ends in a pause: also where a cluster's own is over, which
// waits for the others with the share that it has.
func (p *Promotion) halt(ctx context.Context, due []*placement) error {
	all := slices.DeleteFunc(p.active(), func(pl *placement) bool {
		return !slices.Contains(due, pl) && (!pl.start.Shares || pl.stage == promotion.Untouched)
	})
	_, err := fleet.All(all, func(pl *placement) (struct{}, error) {
		next := pl.progress
		next.Paused = true
		if next.Since.IsZero() && next.At == pl.start.Passed { // somebody has ended it here, and not on the others yet
			next.Since = pl.start.PassedSince
		}
		return struct{}{}, p.save(ctx, pl, next)
	})
	if err != nil {
		return err
	}
	return errPaused
}

// waiting is a cluster whose pause nobody has ended; the first one where there is none.
func (p *Promotion) waiting() *placement {
	all := p.active()
	i := slices.IndexFunc(all, func(pl *placement) bool {
		return pl.live != nil && pl.progress.Waits(pl.cluster.Now(), release.RequestIn(pl.live.Data))
	})
	return all[max(i, 0)]
}

// paused is what a run that has ended in a pause says.
func (p *Promotion) paused(ctx context.Context) error {
	p.done.Status, p.done.Moved = release.MainPaused, false
	first := p.active()[0]
	p.done.PromotedAt = first.main.PromotedAt
	if len(first.main.Previous) > 0 {
		p.done.Previous = first.main.Previous[0]
	}
	p.done.Service = cmp.Or(first.router.Applied(), first.found.Service)
	waits := p.waiting()
	p.done.Reason = release.PauseText(waits.cluster.Name(), p.req.Service.Namespace, p.req.Service.Application, &waits.progress)
	for _, pl := range p.active() {
		if pl.split == nil {
			p.see(ctx, pl)
		}
		p.step(ctx, pl, release.EventPaused, pl.has(p.req.To)+", and is paused")
		pl.events.end(ctx)
	}
	return nil
}
