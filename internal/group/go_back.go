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
	Plan    release.GroupPlan                // in which those go back that have a former main: see release.GroupAsked.BackPlan
}

// GoBack takes all of the members back, or none: none before all can take the traffic,
// and where one cannot be moved, the others are put where they were. A live run that
// moves the group is asked first to take back what it watches, and waited for.
func (e *Engine) GoBack(ctx context.Context, req GoBackRequest) (Result, error) {
	r := &run{req: Request{Name: req.Name, Plan: req.Plan, Scope: release.ScopeGroup}, members: map[string]*member{}}
	firsts := map[string]*member{}
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
		if req.Members[name].Undoes {
			firsts[name] = r.members[name]
		}
		p := r.members[name].Promotion
		all = append(all, p)
		asking.Go(func() { p.AskBack(ctx) })
	}
	asking.Wait()
	err := e.rollout.Together(ctx, all, func(ctx context.Context) error { return r.back(ctx, firsts) })
	return r.result(ctx, err)
}

// back takes back, first, those that have no former main to go to: behind an adopted rule,
// that takes no pods of ours. Where one cannot be, nobody else moves.
func (r *run) back(ctx context.Context, firsts map[string]*member) error {
	everybody := r.members
	defer func() { r.members = everybody }()
	for name := range firsts {
		firsts[name].place = returned
	}
	if errs := r.each(ctx, slices.Sorted(maps.Keys(firsts)), (*rollout.Promotion).Undo); len(errs) > 0 {
		r.note(errs)
		return r.failure(ctx)
	}
	r.members = maps.Clone(everybody)
	maps.DeleteFunc(r.members, func(name string, _ *member) bool { return firsts[name] != nil })
	if len(r.members) == 0 {
		return nil
	}
	return r.promote(ctx)
}
