package group

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// GoBackRequest takes members of a group back without a configuration.
type GoBackRequest struct {
	Name    string
	Members map[string]rollout.GoBackRequest // less Member; those that stay are not in it
	Plan    release.GroupPlan                // in which they go back: see release.GroupAsked.BackPlan
}

// GoBack takes all of the members back, or none: none before all can take the traffic,
// and where one cannot be moved, the others are put where they were. A live run that
// moves the group is asked first to take back what it watches, and waited for.
func (e *Engine) GoBack(ctx context.Context, req GoBackRequest) (Result, error) {
	r := &run{req: Request{Name: req.Name, Plan: req.Plan, Scope: release.ScopeGroup}, members: map[string]*member{}}
	to := map[string]string{}
	for name, asked := range req.Members {
		to[name] = asked.To
	}
	for name, asked := range req.Members {
		asked.Member = rollout.Member{Group: req.Name, Name: name, Move: release.MoveOf(to)}
		r.req.Owner, r.owner = asked.Owner, asked.Owner // which all of them have
		r.members[name] = &member{Promotion: e.rollout.NewWayBack(asked)}
	}
	var all []*rollout.Promotion
	var asking sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		p := r.members[name].Promotion
		all = append(all, p)
		asking.Go(func() { p.AskBack(ctx) })
	}
	asking.Wait()
	err := e.rollout.Together(ctx, all, r.promote)
	return r.result(ctx, err)
}
