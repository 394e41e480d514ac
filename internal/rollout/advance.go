package rollout

import (
	"context"
	"errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Advance does, on every cluster that the promotion goes on with, the steps before
// the first one of a kind; all of them where until is empty. No cluster begins a step
// before all of them have done the one before it.
func (p *Promotion) Advance(ctx context.Context, until release.StepKind) error {
	return p.advance(ctx, func(next *release.Progress) bool { return next.Step().Kind.Reaches(until) })
}

// advance is Advance to a place that says whether it is reached.
func (p *Promotion) advance(ctx context.Context, reached func(*release.Progress) bool) error {
	for {
		at, due, err := p.due(ctx, reached)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, pl := range due {
			pl.progress.At = at
		}
		step := due[0].progress.Step()
		if skips, err := p.steered(ctx, step, due); err != nil {
			return err
		} else if skips {
			continue
		}
		if err := p.perform(ctx, step, due); err != nil {
			return err
		}
		for _, pl := range due {
			pl.progress.At = max(pl.progress.At, at+1)
		}
	}
}

// due is the earliest step that is to be done, by its place in the list, and where. It
// fails where package promotion refuses to begin.
func (p *Promotion) due(ctx context.Context, reached func(*release.Progress) bool) (at int, due []*placement, err error) {
	var decisions []promotion.Decision
	for _, pl := range p.active() {
		next, decision := upcoming(pl.start, pl.progress)
		decisions = append(decisions, decision)
		switch {
		case decision != promotion.Do, reached(&next), len(due) > 0 && next.At > at:
		case len(due) > 0 && next.At == at:
			due = append(due, pl)
		default:
			at, due = next.At, []*placement{pl}
		}
	}
	if d := promotion.Strongest(decisions...); d == promotion.Refuse || d == promotion.Return {
		if err := p.refuse(ctx); err != nil || !p.continues() {
			return 0, nil, err
		}
		return p.due(ctx, reached) // without those that are refused
	}
	return at, due, nil
}

// upcoming is what comes next on one cluster, past what has nothing to do there. What
// is passed over is not done before another step begins: see follows.
func upcoming(start promotion.Start, next release.Progress) (release.Progress, promotion.Decision) {
	decision := promotion.Next(start, &next, promotion.Pending)
	for ; decision == promotion.Skip; decision = promotion.Next(start, &next, promotion.Pending) {
		next.At++
	}
	return next, decision
}

// perform does one step on some clusters.
func (p *Promotion) perform(ctx context.Context, step release.Step, due []*placement) error {
	switch step.Kind {
	case release.StepStart:
		return p.startAgain(ctx, due)
	case release.StepRestore:
		return p.restore(ctx, due)
	case release.StepReady:
		return p.ready(ctx, due)
	case release.StepShift:
		return p.shift(ctx, due, step)
	case release.StepPause:
		return p.pause(ctx, due, step)
	case release.StepAnalyse:
		return p.analyse(ctx, due, step.For)
	case release.StepCommit:
		return p.toEnd(ctx, due, p.commit)
	case release.StepRename:
		return p.toEnd(ctx, due, p.removeRenamed)
	case release.StepStop:
		return p.stop(ctx, due)
	case release.StepCollect:
		return p.collect(ctx, due)
	}
	return nil
}

// follows is what follows an error, for all clusters.
func (p *Promotion) follows(ctx context.Context, err error) promotion.Decision {
	outcome := outcomeOf(ctx, err)
	var all []promotion.Decision
	for _, pl := range p.active() {
		all = append(all, promotion.Next(pl.start, &pl.progress, outcome))
	}
	return promotion.Strongest(all...)
}

// outcomeOf says how a step has ended that returned an error.
func outcomeOf(ctx context.Context, err error) promotion.Outcome {
	var unwatched *unwatchedError
	switch {
	case ownership.LeaseLost(ctx, err) != nil:
		return promotion.Lost
	case len(bakeErrors(err)) > 0:
		return promotion.Breached
	case askedBack(err):
		return promotion.Asked
	case ownership.Interrupted(ctx):
		return promotion.Interrupted
	case errors.As(err, &unwatched):
		return promotion.Unwatched
	}
	return promotion.Failed
}

// on does something on some clusters at once. A cluster on which it fails is left as
// it was, where the others may go on without it.
func (p *Promotion) on(ctx context.Context, placements []*placement, do func(*placement) error) error {
	_, err := fleet.All(placements, func(pl *placement) (struct{}, error) {
		err := do(pl)
		if pl.err = err; err != nil && p.continues() && ctx.Err() == nil {
			p.leave(ctx, pl, err)
		}
		return struct{}{}, err
	})
	if err == nil || !p.continues() || ctx.Err() != nil {
		return err
	}
	return p.verdict()
}

// toEnd does what follows when nothing goes back any more. Who fails is told, and
// goes on with the next run.
func (p *Promotion) toEnd(ctx context.Context, placements []*placement, do func(context.Context, *placement) error) error {
	_, err := fleet.All(placements, func(pl *placement) (struct{}, error) {
		pl.err = do(ctx, pl)
		return struct{}{}, pl.err
	})
	return err
}

// leave puts one cluster back, while the others go on without it.
func (p *Promotion) leave(ctx context.Context, pl *placement, cause error) {
	pl.fate = left
	if outcome := outcomeOf(ctx, cause); outcome == promotion.Unwatched || outcome == promotion.Lost {
		return
	}
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	if pl.stage == promotion.Recorded {
		why := nothingBefore
		if pl.theirs() {
			why = p.theirsBare(clean, pl)
		} else if pl.from() != "" && pl.from() != p.req.To {
			why = p.notServing(clean, pl)
		}
		if why != "" {
			stays := &release.NoWayBackError{Cluster: pl.cluster.Name(), ID: p.id(), Reason: why}
			pl.err = errors.Join(cause, stays, p.stayOn(clean, pl, cause, stays))
			return
		}
	}
	if stays := p.noShareBack(clean, []*placement{pl}); stays != nil {
		pl.err = errors.Join(cause, stays, p.stayOn(clean, pl, cause, stays))
		return
	}
	if err := p.returnOn(ctx, clean, pl, cause); err != nil {
		pl.err = errors.Join(cause, wentWrongToo(err))
		return
	}
	pl.err = cause
	sayTraffic(cause, "back where it was on this cluster")
}

// save writes down how far the promotion has come on one cluster, before it goes on.
func (p *Promotion) save(ctx context.Context, pl *placement, progress release.Progress, entries ...release.Entry) error {
	pl.reached(promotion.Begun)
	pl.status = progress.Status()
	progress.Holder = p.engine.keeper.Holder()
	pl.main.Progress = &progress
	if pl.main.Owner != p.done.Owner {
		pl.main.Owner, pl.main.ClaimedAt = p.done.Owner, pl.cluster.Now().UTC()
	}
	pl.main.Group, pl.main.Member = p.belongs(pl)
	pl.main = pl.main.Keeping(p.req.Keep)
	pl.main.Service, pl.main.Route, pl.main.Drain = p.req.Service.Name, pl.asks, p.req.Drain
	if p.was == nil { // going back asks for what lives
		pl.main.FirstShare = nil
		if p.req.Route != nil {
			pl.main.FirstShare = p.req.Canary.FirstShare()
		}
		pl.main.Asked = p.req.Asked.Noted(pl.cluster.Now())
	}
	act := pl.act
	if act != nil {
		entries = append([]release.Entry{*act}, entries...)
	}
	if err := p.write(ctx, pl, entries...); err != nil {
		return err
	}
	if pl.act = nil; act != nil {
		p.engine.report(ctx, pl.cluster, p.addressOf(pl), *act)
	}
	pl.progress = progress
	return nil
}

// write writes the application's ConfigMap.
func (p *Promotion) write(ctx context.Context, pl *placement, entries ...release.Entry) error {
	return p.engine.keeper.SaveMain(ctx, pl.cluster, p.req.Service.Namespace, p.req.Service.Application, &pl.live, &pl.main, entries...)
}
