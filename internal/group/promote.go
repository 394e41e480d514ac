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
}

// Promote moves every member of the group to the release that it asks for: none
// before all are ready, wave by wave, and nothing of the old sides is let go of
// before the last wave has baked. What a failure means for the others is the
// scope's to say; a new group, and whatever is interrupted, goes back as a whole.
//
// After an error, the result says of each member where its traffic is.
func (e *Engine) Promote(ctx context.Context, req Request) (Result, error) {
	r := e.begin(req)
	err := e.rollout.Together(ctx, slices.Collect(maps.Values(r.members)), r.promote)
	return r.result(ctx, err)
}

// run is one Promote.
type run struct {
	req     Request
	owner   string
	members map[string]*rollout.Promotion
	passed  bool // an earlier run had begun to let go of the old sides

	moved     [][]string       // who may have moved and has not gone back, batch after batch
	begun     map[string]bool  // who may have moved
	back      map[string]bool  // who has gone back, or has tried to
	skipped   map[string]bool  // who does not begin any more
	errs      map[string]error // why, by member
	halted    bool             // it stays where it is, unfinished
	cancelled bool             // it was interrupted when it could be cancelled
	refused   error            // it was interrupted when it could not
}

func (e *Engine) begin(req Request) *run {
	r := &run{
		req: req, owner: req.Owner, members: map[string]*rollout.Promotion{},
		begun: map[string]bool{}, back: map[string]bool{}, skipped: map[string]bool{}, errs: map[string]error{},
	}
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
	for name, member := range req.Members {
		member.Member, member.Bake = rollout.Member{Group: req.Name, Name: name, Token: r.owner}, bakes[name]
		r.members[name] = e.rollout.NewPromotion(member)
	}
	return r
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
		for _, name := range names { // nobody begins before all are ready
			r.skipped[name] = !r.begun[name]
		}
	}
	for i := range r.req.Plan.Waves {
		if !r.halted {
			r.wave(ctx, i)
		}
	}
	if !r.halted {
		r.note(r.finalize(ctx))
	}
	return r.failure(ctx)
}

// until is the promotion of a member up to a kind of step.
func until(kind release.StepKind) func(*rollout.Promotion, context.Context) error {
	return func(p *rollout.Promotion, ctx context.Context) error { return p.Advance(ctx, kind) }
}

// moves says that a member's traffic moves, or has been moved by a run that this one
// goes on with.
func moves(p *rollout.Promotion) bool {
	return slices.ContainsFunc(p.Courses(), promotion.Course.Moves)
}

// resume takes over what an earlier run has moved: it goes back, too, if this
// one fails, unless that one had begun to let go of the old sides.
func (r *run) resume() {
	for _, p := range r.members {
		r.passed = r.passed || slices.Contains(p.Courses(), promotion.Finishes)
	}
	if r.passed {
		for name, p := range r.members {
			if r.committed(name) {
				p.Omit(release.StepAnalyse) // that run has watched it
			}
		}
		return
	}
	for _, wave := range r.req.Plan.Waves {
		for _, batch := range wave.Batches {
			r.mayHaveMoved(slices.DeleteFunc(slices.Clone(batch), func(name string) bool { return !slices.Contains(r.members[name].Courses(), promotion.Resumes) }))
		}
	}
}

// waveOf is the first wave of those that failed.
func (r *run) waveOf(failed map[string]error) int {
	return slices.IndexFunc(r.req.Plan.Waves, func(w release.GroupWave) bool {
		return slices.ContainsFunc(w.Members(), func(name string) bool { return failed[name] != nil })
	})
}

// wave moves one wave, batch after batch, and watches it.
func (r *run) wave(ctx context.Context, i int) {
	wave := r.req.Plan.Waves[i]
	r.tellWave(ctx, i, release.EventWaveStarted)
	for b, batch := range wave.Batches {
		if batch = r.ready(ctx, i, i+b > 0, r.stillTo(batch)); len(batch) == 0 {
			continue
		}
		r.mayHaveMoved(batch)
		if errs := r.each(ctx, batch, until(release.StepAnalyse)); len(errs) > 0 {
			r.retreat(ctx, i, errs)
		}
	}
	r.bake(ctx, i)
	r.tellWave(ctx, i, release.EventWaveMoved)
}

// tellWave tells it on the addresses of those that move with the wave.
func (r *run) tellWave(ctx context.Context, i int, reason release.EventReason) {
	for _, name := range r.req.Plan.Waves[i].Members() {
		if started := reason == release.EventWaveStarted; !r.halted && !r.skipped[name] && !r.back[name] && (started || r.begun[name]) {
			r.members[name].TellWave(ctx, reason, i+1, len(r.req.Plan.Waves))
		}
	}
}

// stillTo are those of a batch that may begin.
func (r *run) stillTo(batch []string) []string {
	return slices.DeleteFunc(slices.Clone(batch), func(name string) bool { return r.skipped[name] || r.back[name] })
}

// ready looks once more at those whose turn has come after some time, and
// returns who is ready.
func (r *run) ready(ctx context.Context, wave int, again bool, batch []string) []string {
	if !again || len(batch) == 0 {
		return batch
	}
	errs := r.each(ctx, batch, (*rollout.Promotion).Ready)
	if len(errs) == 0 {
		return batch
	}
	r.retreat(ctx, wave, errs)
	return r.stillTo(slices.DeleteFunc(batch, func(name string) bool { return errs[name] != nil }))
}

// mayHaveMoved notes a batch that is about to move, or was moved by an earlier
// run.
func (r *run) mayHaveMoved(batch []string) {
	batch = slices.DeleteFunc(slices.Clone(batch), func(name string) bool { return r.begun[name] })
	for _, name := range batch {
		r.begun[name] = true
	}
	if len(batch) > 0 {
		r.moved = append(r.moved, batch)
	}
}

// finalize lets go of the old sides of all that have moved and stay. Nobody does
// before every one of them has written down that it does not go back any more.
func (r *run) finalize(ctx context.Context) map[string]error {
	stay := slices.DeleteFunc(slices.Concat(r.moved...), func(name string) bool { return r.errs[name] != nil })
	if errs := r.each(ctx, stay, until(release.StepRename)); len(errs) > 0 {
		return errs
	}
	return r.each(ctx, stay, until(""))
}
