package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What a promotion does differently, and tells, as part of a group.

// Member is a promotion's place in a group; the zero value is none.
type Member struct {
	Group string // its name
	Name  string // what the group calls the promotion
	Move  string // what the group asks for together: see release.MoveOf
	Token string // the group's, for what it claims anew; empty: a new one
}

// disown gives an address back to whom it was taken over from, where the claim of
// it did not last: a create that fails leaves no state, and so nobody with its
// token.
func (p *Promotion) disown(pl *placement) {
	if p.req.Owner == "" {
		pl.main.Owner, pl.main.ClaimedAt, pl.main.Group, pl.main.Member = pl.seen.Owner, pl.seen.ClaimedAt, pl.seen.Group, pl.seen.Member
	}
}

// Courses are what the promotion has to do with the traffic, by cluster. They are
// known after Look.
func (p *Promotion) Courses() []promotion.Course {
	all := make([]promotion.Course, len(p.placements))
	for i, pl := range p.placements {
		all[i] = pl.start.Course
	}
	return all
}

// Ready waits, for a bounded time, until the release can take the traffic: once more,
// for who waits for its turn after Advance has found it ready.
func (p *Promotion) Ready(ctx context.Context) error {
	return p.ready(ctx, slices.DeleteFunc(p.active(), func(pl *placement) bool { return pl.start.There }))
}

// ShiftTo advances it until it has a share of the traffic, ahead of the pause that follows.
func (p *Promotion) ShiftTo(ctx context.Context, percent int) error {
	return p.advance(ctx, func(next *release.Progress) bool {
		return next.Beyond(percent) || next.Step().Kind == release.StepPause && next.Weight(next.At) == percent
	})
}

// PauseAt advances it past the pause with a share of the traffic. Where the run is to
// end there, Paused says so of the error.
func (p *Promotion) PauseAt(ctx context.Context, percent int) error {
	return p.advance(ctx, func(next *release.Progress) bool { return next.Beyond(percent) })
}

// Pauses says that it has something to do before it gets more than a share.
func (p *Promotion) Pauses(percent int) bool {
	return slices.ContainsFunc(p.active(), func(pl *placement) bool {
		next, decision := upcoming(pl.start, pl.progress)
		return decision == promotion.Do && !next.Beyond(percent)
	})
}

// Paused says that an error is none: a run has come to its end in a pause.
func Paused(err error) bool { return errors.Is(err, errPaused) }

// Watch watches it for a while, with what it has of the traffic.
func (p *Promotion) Watch(ctx context.Context, d time.Duration) error {
	return p.watchAll(ctx, p.active(), d)
}

// ByShares says that its traffic is moved by shares on some cluster.
func (p *Promotion) ByShares() bool {
	return slices.ContainsFunc(p.placements, func(pl *placement) bool { return pl.start.Shares })
}

// Tries says that its traffic moves to what was not main lately, from something that was.
func (p *Promotion) Tries() bool {
	return slices.ContainsFunc(p.placements, func(pl *placement) bool { return pl.moves() && !pl.start.Back && pl.from() != "" })
}

// Touched says that an earlier run has moved some of its traffic, and this one goes on
// from there.
func (p *Promotion) Touched() bool {
	return slices.ContainsFunc(p.placements, func(pl *placement) bool {
		return pl.stage >= promotion.Shifted && pl.start.Course != promotion.Returns
	})
}

// Resumed says that somebody lets it go on from the pause in which a run has left it.
func (p *Promotion) Resumed() bool {
	return slices.ContainsFunc(p.placements, func(pl *placement) bool { return pl.saw.Resumed })
}

// Resume lets it go on from that pause on all clusters, because somebody has asked so of
// one of those that pause together. It writes nothing: it begins anew on what was seen.
func (p *Promotion) Resume() {
	for _, pl := range p.placements {
		if open := pl.saw.Main.Progress; open != nil && open.Paused && !pl.saw.Resumed {
			pl.saw.Resumed = true
			pl.begins(promotion.Begin(p.wanted(pl), pl.saw))
		}
	}
}

// Rest ends the run of a promotion that moves in a pause of its group. Where it is not in
// one of its own, it waits for the others.
func (p *Promotion) Rest(ctx context.Context) error {
	err := p.on(ctx, p.active(), func(pl *placement) error {
		if pl.progress.Paused || !pl.moves() {
			return nil
		}
		next, _ := upcoming(pl.start, pl.progress)
		return p.save(ctx, pl, next.Holding())
	})
	if err != nil {
		return err
	}
	return p.paused(ctx)
}

// Omit takes a kind of step out of what is still to be done: an earlier run has done it.
func (p *Promotion) Omit(kind release.StepKind) {
	for _, pl := range p.placements {
		pl.progress.Steps = slices.DeleteFunc(slices.Clone(pl.progress.Steps), func(step release.Step) bool { return step.Kind == kind })
	}
}

// Where asks every cluster which release has the traffic: an empty one where
// none has, or where it does not answer.
func (p *Promotion) Where(ctx context.Context) map[string]string {
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	where := map[string]string{}
	found, _ := fleet.All(p.placements, func(pl *placement) (string, error) {
		now, err := pl.look(clean)
		name, _ := now.Split.Stable()
		return name, err
	})
	for i, pl := range p.placements {
		where[pl.cluster.Name()] = found[i]
	}
	return where
}

// Request is what the promotion was asked for.
func (p *Promotion) Request() PromoteRequest { return p.req }
