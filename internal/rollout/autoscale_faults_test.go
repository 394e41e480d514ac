package rollout_test

import (
	"context"
	"fmt"
	"slices"
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

// autoscaledLife is what can become of a release with an autoscaler.
func autoscaledLife() []killedStep {
	return []killedStep{
		{"create", func(ctx context.Context, p *process) error { return p.create(ctx, p.scaled("v1", 2, 2, 4)) }, func(l *life) release.Spec { return l.scaled("v1", 2, 2, 4) }, 6},
		{"back from the autoscaler", func(ctx context.Context, p *process) error { return p.change(ctx, p.fixed("v1", 1)) }, func(l *life) release.Spec { return l.fixed("v1", 1) }, 6},
		{"to the autoscaler", func(ctx context.Context, p *process) error { return p.change(ctx, p.scaled("v1", 1, 2, 5)) }, func(l *life) release.Spec { return l.scaled("v1", 1, 2, 5) }, 7},
		{"terminate", func(ctx context.Context, p *process) error { return p.terminate(ctx, "v1") }, nil, 14},
	}
}

// TestOneFaultAtEveryRequestWithAutoscaling lets every fault that passes happen to every request
// of what a release with an autoscaler goes through.
func TestOneFaultAtEveryRequestWithAutoscaling(t *testing.T) {
	t.Parallel()
	const apart = 6
	for name, faults := range map[string][]testcluster.Fault{
		"asked again": askedAgain, "lost reply": {testcluster.LostReply()}, "409": {testcluster.Conflict()},
	} {
		counted := (*testcluster.Request).Write
		if name == "asked again" {
			counted = anyRequest
		}
		for k := 1; k <= apart; k++ {
			t.Run(fmt.Sprintf("%s at %d", name, k), func(t *testing.T) {
				t.Parallel()
				l := newLife(t, testcluster.Shared(t))
				hits := 0
				for _, step := range autoscaledLife() {
					l.proxy.Reset()
					hitting := &faulty{k: k, apart: apart, counts: counted, faults: faults, repeats: map[string]int{}}
					l.proxy.SetFault(hitting.on)
					if err := step.do(t.Context(), l.process(t)); err != nil {
						t.Fatalf("%s: %v\n%s", step.name, err, l.log())
					}
					l.proxy.SetFault(nil)
					hits += len(hitting.hit)
					l.leaves(step.name, step.spec)
				}
				if hits < 4 {
					t.Errorf("only %d requests were hit", hits)
				}
			})
		}
	}
}

func (l *life) leaves(after string, spec func(*life) release.Spec) {
	l.t.Helper()
	if spec != nil {
		l.wantCompanions(spec(l))
	} else if left := l.objects(); len(left) > 0 {
		l.t.Errorf("after %s there are %v", after, left)
	}
}

// TestKilledAfterEveryWriteWithAutoscaling ends the process after each of its
// writes: the same apply finds its way from there, and the number of pods has
// never gone below what it is on either side.
func TestKilledAfterEveryWriteWithAutoscaling(t *testing.T) {
	t.Parallel()
	for i, killed := range autoscaledLife() {
		t.Run(killed.name, func(t *testing.T) {
			t.Parallel()
			testcluster.EveryDeath(t, killed.writes, func(t *testing.T, k int) bool { return killAt(t, i, k, i) })
		})
	}
	// The user has changed their mind: what was begun is undone.
	t.Run("not to the autoscaler after all", func(t *testing.T) {
		t.Parallel()
		testcluster.EveryDeath(t, autoscaledLife()[2].writes, func(t *testing.T, k int) bool { return killAt(t, 2, k, 1) })
	})
}

// killAt kills the i-th step of the life after its k-th write, goes on with the
// then-th, and says whether there were that many writes.
func killAt(t *testing.T, i, k, then int) bool {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	steps := autoscaledLife()
	for _, step := range steps[:i] {
		must(t, step.do(t.Context(), l.process(t)))
	}
	last, was := l.killAfter(k, steps[i])
	if !was {
		return false
	}
	t.Logf("killed after write %d: %s", k, last)
	var c *counts
	least := int32(0)
	if i > 0 && steps[then].spec != nil {
		c, least = l.watchCounts("v1"), 1
	}
	if err := steps[then].do(t.Context(), l.process(t)); err != nil {
		t.Fatalf("after write %d: %v\n%s", k, err, l.log())
	}
	l.leaves(steps[then].name, steps[then].spec)
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if slices.Min(c.asked) < least || slices.Min(c.ready) < least {
			t.Errorf("after write %d it was asked to have %v pods, and had %v", k, c.asked, c.ready)
		}
	}
	return true
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
	err := step.do(ctx, l.process(l.t))
	l.proxy.SetFault(nil)
	if last, was = death.Last(); !was {
		must(l.t, err)
	}
	return last, was
}
