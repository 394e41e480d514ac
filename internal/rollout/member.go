package rollout

import (
	"context"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
)

// What a promotion does differently, and tells, as part of a group.

// Member is a promotion's place in a group; the zero value is none.
type Member struct {
	Group string // its name
	Name  string // what the group calls the promotion
	Token string // the group's, for what it claims anew; empty: a new one
}

// disown gives an address back to whom it was taken over from, where the claim of
// it did not last: a create that fails leaves no state, and so nobody with its
// token.
func (p *Promotion) disown(s *side) {
	if p.req.Owner == "" && p.req.Found == nil {
		s.main.Owner, s.main.ClaimedAt, s.main.Group, s.main.Member = s.seen.Owner, s.seen.ClaimedAt, s.seen.Group, s.seen.Member
	}
}

// Moves says whether the promotion moves traffic, or goes on with one that has.
// It is known after Look.
func (p *Promotion) Moves() bool {
	return slices.ContainsFunc(p.sides, func(s *side) bool { return s.moves })
}

// Resumed says that an earlier run has moved the traffic, and that this one may
// still take it back. It is known after Look.
func (p *Promotion) Resumed() bool {
	return slices.ContainsFunc(p.sides, func(s *side) bool { return s.resumed })
}

// Passed says that an earlier run had begun to let go of the old side, so that
// there is no way back. It is known after Look.
func (p *Promotion) Passed() bool {
	return slices.ContainsFunc(p.sides, func(s *side) bool {
		cp := s.seen.Checkpoint
		return cp != nil && s.there && cp.To == p.req.To && cp.From != cp.To && !cp.Open()
	})
}

// Commit writes down that the promotion does not go back any more. A group does
// that for all of its members before it finalizes the first.
func (p *Promotion) Commit(ctx context.Context) error {
	_, err := fleet.All(p.sides, func(s *side) (struct{}, error) {
		if s.main.Checkpoint == nil || !s.main.Checkpoint.Open() {
			return struct{}{}, nil
		}
		s.main.Checkpoint.Before = nil
		return struct{}{}, p.save(ctx, s)
	})
	return err
}

// Where asks every cluster which release has the traffic: an empty one where
// none has, or where it does not answer.
func (p *Promotion) Where(ctx context.Context) map[string]string {
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	where := map[string]string{}
	found, _ := fleet.All(p.sides, func(s *side) (string, error) {
		split, err := s.router.Observe(clean)
		name, _ := split.Stable()
		return name, err
	})
	for i, s := range p.sides {
		where[s.cluster.Name()] = found[i]
	}
	return where
}

// Request is what the promotion was asked for.
func (p *Promotion) Request() PromoteRequest { return p.req }
