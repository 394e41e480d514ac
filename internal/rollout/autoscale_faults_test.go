package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

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
					if err := l.apply(t.Context(), t, step.do); err != nil {
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
	steps := autoscaledLife()
	round{
		steps: steps,
		kills: []killedIn{
			{steps[0].name, 0, []int{0}, 0},
			{steps[1].name, 1, []int{1}, 0},
			{"not to the autoscaler after all", 2, []int{1}, 0}, // the user has changed their mind: what was begun is undone
			{steps[2].name, 2, []int{2}, 0},
			{steps[3].name, 3, []int{3}, 0},
		},
		begin:  func(t *testing.T) *life { return newLife(t, testcluster.Shared(t)) },
		stands: func(l *life, done killedStep) { l.t.Helper(); l.leaves(done.name, done.spec) },
		watch: func(l *life, k killedIn) func() {
			if k.step == 0 || steps[k.then[0]].spec == nil {
				return func() {}
			}
			c := l.watchCounts("v1")
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				if slices.Min(c.asked) < 1 || slices.Min(c.ready) < 1 {
					l.t.Errorf("it was asked to have %v pods, and had %v", c.asked, c.ready)
				}
			}
		},
	}.killed(t, 5)
}
