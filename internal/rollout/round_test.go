package rollout_test

import (
	"context"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// killedStep is one step of a life that goes on also where a process is killed
// in it.
type killedStep struct {
	name string
	do   func(context.Context, *process) error
	spec func(*life) release.Spec // what stands then; nil: nothing

	writes int // that it has
}

// round is a life that goes through its steps again and again, and is killed in them.
type round struct {
	steps  []killedStep
	kills  []killedIn
	begin  func(*testing.T) *life               // where the first step begins
	watch  func(*life, killedIn) (check func()) // from the kill on; nil: nothing
	stands func(l *life, done killedStep)       // fails the test unless that is done
	twice  bool                                 // what nobody has disturbed is done once more: again is no matter
	after  func(*life)                          // what is done then, so that the second step, and every kill's own way, begin there; nil: nothing
}

// killedIn is a step that is killed, and those that another process does then, who
// take turns.
type killedIn struct {
	name string
	step int
	then []int
	way  int // the first of the steps that lead there, where the round has an after
}

// anywhere is the next step of what an after has left.
const anywhere = -1

type roundLife struct {
	*life
	next int // the step that follows what stands
}

// killed kills the steps of a round after each of their writes, in so many lives. A
// life that nobody disturbs goes through all steps first: where a step begins in it, it
// begins in the others.
func (r round) killed(t *testing.T, lives int) {
	t.Helper()
	places, begun := &places{}, make([]beginning, len(r.steps))
	known := r.begin(t)
	for i, step := range r.steps {
		begun[i] = known.beginning()
		begun[i].data = nil // which has that life's tokens
		places.same(t, known, step.name)
		must(t, known.apply(t.Context(), t, step.do))
	}
	var cuts []testcluster.Cut
	for _, k := range r.kills {
		cuts = append(cuts, testcluster.Cut{Name: k.name, Writes: r.steps[k.step].writes})
	}
	begin := func(t *testing.T) *roundLife { return &roundLife{life: r.begin(t)} }
	testcluster.EveryDeathInLives(t, lives, cuts, begin, func(t *testing.T, l *roundLife, i, k int) bool {
		kill := r.kills[i]
		l.in(t)
		place := r.steps[kill.step].name
		if l.next == anywhere {
			l.next = kill.way
		}
		l.comesTo(r, kill.step)
		l.again(begun[kill.step])
		if !places.are(l.life, place) {
			// Labels for kubectl depend on what was killed: nobody disturbs the next round.
			if l.next = kill.step; r.after != nil {
				l.next = 1
			} else {
				l.does(r)
			}
			l.comesTo(r, kill.step)
			l.again(begun[kill.step])
		}
		places.same(t, l.life, place)
		what, hit := l.killAfter(k, r.steps[kill.step])
		then, check := kill.step, func() {}
		if hit {
			then = kill.then[k%len(kill.then)]
			if r.watch != nil {
				check = r.watch(l.life, kill)
			}
			t.Logf("killed after %s, then %s", what, r.steps[then].name)
			if err := l.apply(t.Context(), t, r.steps[then].do); err != nil {
				t.Fatalf("after write %d, %s: %v\n%s", k, what, err, l.log())
			}
		} else if r.twice {
			_ = l.apply(t.Context(), t, r.steps[then].do) // there may be nothing to remove any more
		}
		r.stands(l.life, r.steps[then])
		check()
		l.follows(r, then)
		if r.after != nil {
			r.after(l.life)
			l.next = anywhere
		}
		return hit
	})
}

// comesTo does all steps ahead of one, undisturbed.
func (l *roundLife) comesTo(r round, step int) {
	l.t.Helper()
	for l.next != step {
		l.does(r)
	}
}

// does does the next step.
func (l *roundLife) does(r round) {
	l.t.Helper()
	must(l.t, l.apply(l.t.Context(), l.t, r.steps[l.next].do))
	l.follows(r, l.next)
}

// follows notes that a step is done.
func (l *roundLife) follows(r round, step int) {
	l.next = (step + 1) % len(r.steps)
}

// killAfter ends a process after the k-th write of a step, and says which that
// was, if there were that many.
func (l *life) killAfter(k int, step killedStep) (last string, was bool) {
	l.t.Helper()
	ctx, kill := context.WithCancel(l.t.Context())
	defer kill()
	l.proxy.Reset()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	err := l.apply(ctx, l.t, step.do)
	l.proxy.SetFault(nil)
	if last, was = death.Last(); !was {
		must(l.t, err)
	}
	return last, was
}
