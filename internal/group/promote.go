package group

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Engine moves groups over one engine of rollouts. It is safe for concurrent
// use.
type Engine struct{ rollout *rollout.Engine }

// New makes an engine.
func New(over *rollout.Engine) *Engine { return &Engine{rollout: over} }

// Request moves a group.
type Request struct {
	Name    string
	Owner   string                            // the state's token; empty for a new group
	Members map[string]rollout.PromoteRequest // less Member; one without an Owner claims its address anew
	Plan    release.GroupPlan
	Scope   release.FailureScope

	// Canary is how the traffic of those members moves that have a route. Those of a wave
	// have each share of it together. Who has none moves when they get all of it.
	Canary release.Canary
}

// Promote moves every member of the group to the release that it asks for: none
// before all are ready, wave by wave, and nothing of the old sides is let go of
// before the last wave has baked. What a failure means for the others is the
// scope's to say; a new group, and whatever is interrupted, goes back as a whole.
//
// After an error, the result says of each member where its traffic is.
func (e *Engine) Promote(ctx context.Context, req Request) (Result, error) {
	r := e.begin(req)
	var all []*rollout.Promotion
	for _, m := range r.members {
		all = append(all, m.Promotion)
	}
	err := e.rollout.Together(ctx, all, r.promote)
	return r.result(ctx, err)
}

// run is one Promote.
type run struct {
	req     Request
	owner   string
	members map[string]*member
	passed  bool // an earlier run had begun to let go of the old sides

	paused    bool  // it has come to its end in a pause
	halted    bool  // it stays where it is, unfinished
	cancelled bool  // it was interrupted when it could be cancelled
	refused   error // it was interrupted when it could not
}

// member is the promotion of one application.
type member struct {
	*rollout.Promotion
	place place
	gated bool  // the run ends in a pause of its own
	err   error // what it failed with
}

// place is where a member is on its way.
type place int

const (
	waits    place = iota // for its turn
	skipped               // does not begin any more
	moved                 // may have moved
	returned              // has gone back, or has tried to
)

// begun says that its traffic may have moved, in this run or one before.
func (m *member) begun() bool { return m.place == moved || m.place == returned }

// moves says that its traffic moves, or has been moved by a run that this one goes on
// with.
func (m *member) moves() bool { return slices.ContainsFunc(m.Courses(), promotion.Course.Moves) }

// skip keeps it from beginning.
func (m *member) skip() {
	if m.place == waits {
		m.place = skipped
	}
}

func (e *Engine) begin(req Request) *run {
	r := &run{req: req, owner: req.Owner, members: map[string]*member{}}
	move := moveOf(req.Members)
	if r.owner == "" {
		var clusters []rollout.Cluster
		for _, member := range req.Members {
			clusters = append(clusters, member.Clusters...)
		}
		r.owner = ownership.NewOwner(clusters)
	}
	bakes := map[string]time.Duration{}
	for _, wave := range req.Plan.Waves {
		for _, name := range wave.Members() {
			bakes[name] = wave.Bake
		}
	}
	for name, asked := range req.Members {
		asked.Canary = release.Canary{} // what cannot be shared moves at once
		if asked.Route != nil {
			asked.Canary = req.Canary
		}
		asked.Member, asked.Bake = rollout.Member{Group: req.Name, Name: name, Move: move, Token: r.owner}, bakes[name]
		r.members[name] = &member{Promotion: e.rollout.NewPromotion(asked)}
	}
	return r
}

// moveOf names what is asked of all members together.
func moveOf(members map[string]rollout.PromoteRequest) string {
	to := map[string]string{}
	for name, asked := range members {
		to[name] = asked.To
	}
	return release.MoveOf(to)
}

// promote is the whole of it, under the Leases.
func (r *run) promote(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(r.members))
	if errs := r.each(ctx, names, (*rollout.Promotion).Look); len(errs) > 0 {
		r.note(errs)
		return r.failure(ctx)
	}
	r.resume()
	if errs := r.each(ctx, names, until(release.StepShift)); len(errs) > 0 {
		r.retreat(ctx, r.waveOf(errs), errs)
		r.skipAll() // nobody begins before all are ready
	}
	for i := range r.req.Plan.Waves {
		if r.goesOn() {
			r.wave(ctx, i)
		}
	}
	switch {
	case r.halted:
	case r.paused:
		r.note(r.rest(ctx))
	default:
		r.note(r.finalize(ctx))
	}
	return r.failure(ctx)
}

// goesOn says that the run has not come to its end.
func (r *run) goesOn() bool { return !r.halted && !r.paused }

// until is the promotion of a member up to a kind of step.
func until(kind release.StepKind) func(*rollout.Promotion, context.Context) error {
	return func(p *rollout.Promotion, ctx context.Context) error { return p.Advance(ctx, kind) }
}

// skipAll keeps whoever still waits from beginning.
func (r *run) skipAll() {
	for _, m := range r.members {
		m.skip()
	}
}

// resume takes over what an earlier run has moved: it goes back, too, if this
// one fails, unless that one had begun to let go of the old sides.
func (r *run) resume() {
	for _, m := range r.members {
		r.passed = r.passed || slices.Contains(m.Courses(), promotion.Finishes)
	}
	for name, m := range r.members {
		switch {
		case r.committed(name):
			m.Omit(release.StepAnalyse) // that run has watched it
			m.Omit(release.StepPause)
		case !r.passed && (m.Touched() || slices.Contains(m.Courses(), promotion.Resumes)):
			m.place = moved
		}
	}
	r.goOn()
}

// waveOf is the first wave of those that failed.
func (r *run) waveOf(failed map[string]error) int {
	return slices.IndexFunc(r.req.Plan.Waves, func(w release.GroupWave) bool {
		return slices.ContainsFunc(w.Members(), func(name string) bool { return failed[name] != nil })
	})
}

// wave moves one wave, batch after batch, and watches it.
func (r *run) wave(ctx context.Context, i int) {
	r.tellWave(ctx, i, release.EventWaveStarted)
	for n, share := range r.req.Canary.Shares() {
		r.shift(ctx, i, share, n == 0)
		if r.pause(ctx, i, share); !r.goesOn() {
			return
		}
	}
	r.bake(ctx, i)
	r.tellWave(ctx, i, release.EventWaveMoved)
}

// shift moves one share of a wave's traffic, batch after batch.
func (r *run) shift(ctx context.Context, i, share int, first bool) {
	for b, batch := range r.req.Plan.Waves[i].Batches {
		batch = slices.DeleteFunc(r.stillTo(batch), func(name string) bool { return !r.members[name].due(share, first) })
		late := slices.DeleteFunc(slices.Clone(batch), func(name string) bool {
			return first && i+b == 0 || !first && r.members[name].place == moved
		})
		if batch = r.ready(ctx, i, late, batch); len(batch) == 0 {
			continue
		}
		for _, name := range batch {
			r.members[name].place = moved
		}
		errs := r.each(ctx, batch, func(p *rollout.Promotion, ctx context.Context) error {
			return p.ShiftTo(ctx, r.members[p.Request().Member.Name].next(share))
		})
		if len(errs) > 0 {
			r.retreat(ctx, i, errs)
		}
	}
}

// tellWave tells it on the addresses of those that move with the wave.
func (r *run) tellWave(ctx context.Context, i int, reason release.EventReason) {
	for _, name := range r.req.Plan.Waves[i].Members() {
		m := r.members[name]
		if begins := reason == release.EventWaveStarted && m.place == waits; !r.halted && (begins || m.place == moved) {
			m.TellWave(ctx, reason, i+1, len(r.req.Plan.Waves))
		}
	}
}

// stillTo are those of a batch that may begin.
func (r *run) stillTo(batch []string) []string {
	return slices.DeleteFunc(slices.Clone(batch), func(name string) bool { p := r.members[name].place; return p != waits && p != moved })
}

// ready looks once more at those whose turn has come after some time, and returns those
// of a batch that may begin.
func (r *run) ready(ctx context.Context, wave int, late, batch []string) []string {
	errs := r.each(ctx, late, (*rollout.Promotion).Ready)
	if len(errs) == 0 {
		return batch
	}
	r.retreat(ctx, wave, errs)
	return r.stillTo(slices.DeleteFunc(batch, func(name string) bool { return errs[name] != nil }))
}

// moved are those that may have moved and have not gone back, batch after batch.
func (r *run) moved() [][]string {
	var all [][]string
	for _, wave := range r.req.Plan.Waves {
		for _, batch := range wave.Batches {
			if batch = slices.DeleteFunc(slices.Clone(batch), func(name string) bool { return r.members[name].place != moved }); len(batch) > 0 {
				all = append(all, batch)
			}
		}
	}
	return all
}

// finalize lets go of the old sides of all that have moved and stay. Nobody does
// before every one of them has written down that it does not go back any more.
func (r *run) finalize(ctx context.Context) map[string]error {
	stay := slices.DeleteFunc(slices.Concat(r.moved()...), func(name string) bool { return r.members[name].err != nil })
	if errs := r.each(ctx, stay, until(release.StepRename)); len(errs) > 0 {
		return errs
	}
	return r.each(ctx, stay, until(""))
}
