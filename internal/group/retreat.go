package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// each does a step of several members at once, and returns who failed.
func (r *run) each(ctx context.Context, names []string, step func(*rollout.Promotion, context.Context) error) map[string]error {
	return fleet.Failed(names, func(name string) error { return step(r.members[name].Promotion, ctx) })
}

func (r *run) note(errs map[string]error) {
	for name, err := range errs {
		r.members[name].err = err
	}
}

// scope is how much goes back. A new group has no state that could tell a part
// of it, and whoever interrupts wants all of it back.
func (r *run) scope(ctx context.Context) release.FailureScope {
	if r.req.Owner == "" || ownership.Interrupted(ctx) {
		return release.ScopeGroup
	}
	return r.req.Scope
}

// retreat is what follows when members have failed in a wave.
func (r *run) retreat(ctx context.Context, wave int, failed map[string]error) {
	r.note(failed)
	if r.lost(ctx, failed) {
		r.halt(failed) // what becomes of them is up to whoever has their Leases
		return
	}
	if ownership.Interrupted(ctx) && !r.cancelled && r.refused == nil {
		r.refused = release.CheckGroup(release.ActionCancel, r.req.Name, r.standing())
		r.cancelled = r.refused == nil
	}
	names := slices.Sorted(maps.Keys(failed))
	todo := r.req.Plan.Retreat(r.scope(ctx), wave, r.moved(), names)
	for _, name := range todo.Skip {
		r.members[name].skip()
	}
	for _, batch := range todo.Back {
		batch = slices.DeleteFunc(batch, r.committed)
		errs := r.each(ctx, batch, func(p *rollout.Promotion, ctx context.Context) error {
			name := p.Request().Member.Name
			cause := failed[name]
			if cause == nil {
				cause = &followError{group: r.req.Name, failed: names}
			}
			err := p.Return(ctx, cause)
			now := p.Done().Status
			if errors.Is(err, cause) && failed[name] == nil && (now == release.MainRolledBack || now == release.MainRollingBack) {
				return nil
			}
			return err
		})
		r.note(errs)
		for _, name := range batch {
			r.members[name].place = returned
		}
	}
}

// lost says that somebody else has taken over what the group holds.
func (r *run) lost(ctx context.Context, failed map[string]error) bool {
	for _, err := range failed {
		if errors.Is(ownership.Lost(ctx, err), ownership.ErrLockLost) {
			return true
		}
	}
	return false
}

// committed says that there is no way back for a member: an earlier run had begun
// to let go of the old sides, and had moved this one by then.
func (r *run) committed(name string) bool {
	courses := r.members[name].Courses()
	return r.passed && (slices.Contains(courses, promotion.Resumes) || slices.Contains(courses, promotion.Finishes))
}

// standing are the members' statuses while the group moves.
func (r *run) standing() map[string]release.MainStatus {
	now := map[string]release.MainStatus{}
	for name, m := range r.members {
		switch {
		case m.begun():
			now[name] = release.MainRunning
		case !m.moves():
			now[name] = release.MainFinalized
		default:
			now[name] = release.MainWaiting
		}
	}
	return now
}

// followError is why a member goes back that did not fail itself.
type followError struct {
	group  string
	failed []string
}

func (e *followError) Error() string {
	return fmt.Sprintf("the group %q went back, because of %s", e.group, strings.Join(e.failed, ", "))
}

// interrupted tells the user's Ctrl-C from every other end.
