package group

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// errElsewhere ends the watch over a member because another one has failed.
var errElsewhere = errors.New("another member has failed")

// bake watches those of a wave that have moved, for as long as the wave says.
// The first that fails ends it for all, unless only that one is to go back.
func (r *run) bake(ctx context.Context, i int) {
	wave := r.req.Plan.Waves[i]
	watched := slices.DeleteFunc(wave.Members(), func(name string) bool {
		m := r.members[name]
		return m.place != moved || !m.moves() || r.committed(name)
	})
	if wave.Bake <= 0 || len(watched) == 0 {
		return
	}
	baking, end := context.WithCancelCause(ctx)
	defer end(nil)
	var one sync.Mutex
	errs := r.each(baking, watched, func(p *rollout.Promotion, baking context.Context) error {
		err := p.Advance(baking, release.StepCommit)
		switch {
		case err == nil, ctx.Err() == nil && errors.Is(context.Cause(baking), errElsewhere):
			return nil
		case r.scope(ctx) == release.ScopeMember && rollout.TakesBack(err):
			one.Lock()
			defer one.Unlock()
			r.retreat(ctx, i, map[string]error{p.Request().Member.Name: err}) // at once; the others are watched on
			return nil
		}
		end(errElsewhere)
		return err
	})
	switch {
	case len(errs) == 0:
	case ownership.Interrupted(ctx) || slices.ContainsFunc(slices.Collect(maps.Values(errs)), rollout.TakesBack):
		r.retreat(ctx, i, errs)
	default:
		r.halt(errs)
	}
}

// halt leaves everything where it is, for the next run to go on from: nothing
// has been seen that speaks against what has moved.
func (r *run) halt(errs map[string]error) {
	r.note(errs)
	r.halted = true
	r.skipAll()
}
