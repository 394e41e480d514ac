package rollout

import (
	"context"
	"slices"

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
		now, err := pl.router.Look(clean)
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
