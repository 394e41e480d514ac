package group

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// The members of a wave have each share of their traffic together: none gets the next
// one before all of them have been watched with this one. For example: api and web go
// from v1 to v2, by 10 % and 50 %. web has nothing that could share its traffic. api
// gets 10 %, then 50 %, then api and web all. Where the run ends at 50 %, web is paused
// with nothing, and the next run goes on with both.

// errOver ends the watch over a member that only waits for others in their pause.
var errOver = errors.New("the pause is over")

// due says that the member's turn is at a share. What nothing of it is tried takes one
// step, with the first: nobody's pause keeps it. What cannot be shared moves at the end.
func (m *member) due(share int, first bool) bool {
	switch {
	case m.ByShares():
		return share > 0 || m.Request().Canary.Mirror != nil
	case m.Tries():
		return share == 100
	}
	return first
}

// next is the share up to which the member moves in its turn.
func (m *member) next(share int) int {
	if m.ByShares() {
		return share
	}
	return 100
}

// goOn lets all members go on from the pause in which a run has left them, where somebody
// has asked so of one: the pause is common.
func (r *run) goOn() {
	asked := false
	for _, m := range r.members {
		asked = asked || m.Resumed()
	}
	if !asked {
		return
	}
	for _, m := range r.members {
		m.Resume()
	}
}

// pause watches the members of a wave with a share of their traffic. Who has come further
// in an earlier run holds, and is watched meanwhile. The first that fails ends it for all,
// unless only that one is to go back.
func (r *run) pause(ctx context.Context, i, share int) {
	pausing, holding := r.pausing(i, share)
	if len(pausing) == 0 {
		return
	}
	for _, name := range pausing {
		r.members[name].place = moved
	}
	watching, end := context.WithCancelCause(ctx)
	defer end(nil)
	var one sync.Mutex
	var left atomic.Int32
	left.Store(int32(len(pausing)))
	errs := r.each(watching, slices.Concat(pausing, holding), func(p *rollout.Promotion, watching context.Context) (err error) {
		name := p.Request().Member.Name
		if slices.Contains(pausing, name) {
			err = p.PauseAt(watching, share)
			defer func() {
				if left.Add(-1) == 0 {
					end(errOver)
				}
			}()
		} else {
			err = p.Watch(watching, max(r.req.Canary.PauseAt(share), time.Nanosecond))
		}
		switch cause := context.Cause(watching); {
		case err == nil, rollout.Paused(err):
			return err
		case ctx.Err() == nil && (errors.Is(cause, errElsewhere) || errors.Is(cause, errOver)):
			return nil
		case r.scope(ctx) == release.ScopeMember && ownership.Lost(ctx, err) == nil:
			one.Lock()
			defer one.Unlock()
			r.retreat(ctx, i, map[string]error{name: err}) // at once; the others are watched on
			return nil
		}
		end(errElsewhere)
		return err
	})
	gated := slices.Collect(maps.Keys(errs))
	gated = slices.DeleteFunc(gated, func(name string) bool { return !rollout.Paused(errs[name]) })
	maps.DeleteFunc(errs, func(_ string, err error) bool { return rollout.Paused(err) })
	if len(errs) > 0 {
		r.retreat(ctx, i, errs)
	}
	for _, name := range gated {
		if m := r.members[name]; m.place == moved {
			m.gated, r.paused = true, true
		}
	}
}

// pausing are those of a wave that pause with a share, and those that hold meanwhile.
func (r *run) pausing(i, share int) (pausing, holding []string) {
	for _, name := range r.stillTo(r.req.Plan.Waves[i].Members()) {
		switch m := r.members[name]; {
		case !m.moves():
		case m.ByShares() && m.Pauses(share):
			pausing = append(pausing, name)
		case m.place == moved:
			holding = append(holding, name)
		}
	}
	return pausing, holding
}

// rest ends the run in a pause. Who moves waits, with what it has by now; who stands is
// brought to its end.
func (r *run) rest(ctx context.Context) map[string]error {
	var rests, stands []string
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		switch m := r.members[name]; {
		case m.err != nil || m.place == returned || m.place == skipped:
		case m.moves():
			rests = append(rests, name)
		default:
			stands = append(stands, name)
		}
	}
	errs := r.each(ctx, stands, until(""))
	maps.Copy(errs, r.each(ctx, rests, (*rollout.Promotion).Rest))
	return errs
}

// waitsFor is why the run has ended in a pause, as a Read tells it.
func (r *run) waitsFor() string {
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		if m := r.members[name]; m.gated {
			return release.GroupPauseText(name, m.Done().Reason)
		}
	}
	return ""
}
