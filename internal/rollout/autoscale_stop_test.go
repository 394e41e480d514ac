package rollout_test

import (
	"context"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// scaledAs is what stands of v1 in the tests of this file: 2 to 9 pods, 3 to
// start with.
func (l *life) scaledAs(desired release.DesiredState) release.Spec {
	spec := l.scaled("v1", 3, 2, 9)
	spec.DesiredState = desired
	return spec
}

func (l *life) autoscaler(version string) *autoscalingv2.HorizontalPodAutoscaler {
	l.t.Helper()
	h, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
	must(l.t, err)
	return h
}

// A stop is not the autoscaler's business: the number that it had decided on is
// what a start goes back to, and it goes on from there.
func TestStopAndStartWithAutoscaling(t *testing.T) {
	t.Parallel()
	type way struct {
		stop, start func(context.Context, *process) error
	}
	for name, way := range map[string]way{
		"by itself": {stop: acting((*rollout.Engine).Stop), start: acting((*rollout.Engine).Start)},
		"as an update": {
			stop:  func(ctx context.Context, p *process) error { return p.change(ctx, p.scaledAs(release.DesiredStopped)) },
			start: func(ctx context.Context, p *process) error { return p.change(ctx, p.scaledAs(release.DesiredStarted)) },
		},
		"stopped as an update, started by itself": {
			stop:  func(ctx context.Context, p *process) error { return p.change(ctx, p.scaledAs(release.DesiredStopped)) },
			start: acting((*rollout.Engine).Start),
		},
		"adopted": {
			stop:  func(ctx context.Context, p *process) error { return p.create(ctx, p.scaledAs(release.DesiredStopped)) },
			start: func(ctx context.Context, p *process) error { return p.create(ctx, p.scaledAs(release.DesiredStarted)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
			must(t, l.once(t).create(ctx, l.scaledAs(release.DesiredStarted)))
			l.autoscale("v1", 5)
			before := l.autoscaler("v1")
			c := l.watchCounts("v1")
			for range 2 { // again is no matter
				must(t, l.apply(ctx, t, way.stop))
				l.wantCompanions(l.scaledAs(release.DesiredStopped))
				if pods := l.pods("v1"); len(pods) > 0 {
					t.Errorf("stopped, it has %d pods", len(pods))
				}
			}
			if d := l.workload("v1"); workload.ScaledReplicas(d) != 5 || workload.FirstReplicas(d) != 3 {
				t.Errorf("stopped, it is said to have had %d pods, and %d at first", workload.ScaledReplicas(d), workload.FirstReplicas(d))
			}
			for range 2 {
				must(t, l.apply(ctx, t, way.start))
				l.wantCompanions(l.scaledAs(release.DesiredStarted))
				if n := l.workload("v1").Status.ReadyReplicas; n != 5 {
					t.Errorf("the start did not wait for its pods: %d are ready", n)
				}
			}
			l.wantCounts(c, "v1", 0, 5, 0, 5)
			if after := l.autoscaler("v1"); after.UID != before.UID {
				t.Error("it is another autoscaler")
			}
			l.autoscale("v1", 7) // and nobody sets that back
			must(t, l.once(t).change(ctx, l.scaledAs(release.DesiredStarted)))
			l.wantCounts(c, "v1", 0, 5, 0, 5, 7)
			if n := workload.ScaledReplicas(l.workload("v1")); n != 0 {
				t.Errorf("started, it still keeps that it had %d pods", n)
			}
		})
	}
}

// acting is a verb that somebody without a configuration uses on v1.
func acting(verb func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)) func(context.Context, *process) error {
	return func(ctx context.Context, p *process) error {
		_, err := verb(p.engine, ctx, p.action("v1"))
		return err
	}
}

// Somebody who scales up what is stopped does not make it forget its number.
func TestScalingUpWhatIsStoppedWithAutoscalingIsDrift(t *testing.T) {
	t.Parallel()
	for _, then := range release.DesiredStates() {
		t.Run(string(then), func(t *testing.T) {
			t.Parallel()
			l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
			must(t, l.once(t).create(ctx, l.scaledAs(release.DesiredStarted)))
			l.autoscale("v1", 5)
			must(t, l.once(t).change(ctx, l.scaledAs(release.DesiredStopped)))
			// As many as the autoscaler wants at least: with fewer it asks for more, and where
			// the stop comes in between it asks again.
			_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(ctx, l.name("v1"), types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{FieldManager: "kubectl"})
			must(t, err)
			wanted, err := workload.Deployment(l.scaledAs(release.DesiredStopped))
			must(t, err)
			drift := workload.Drift(l.workload("v1"), wanted, l.record("v1").Baseline["Deployment"], nil)
			if len(drift) != 1 || drift[0].Field != workload.ReplicasField || drift[0].Expected != "0" {
				t.Errorf("drift is %+v", drift)
			}
			must(t, l.once(t).change(ctx, l.scaledAs(then)))
			l.wantCompanions(l.scaledAs(then))
			must(t, l.once(t).change(ctx, l.scaledAs(release.DesiredStarted)))
			if n := *l.workload("v1").Spec.Replicas; n < 5 {
				t.Errorf("it is started with %d pods, want 5 or, with the autoscaler back, more", n)
			}
		})
	}
}

// What is stopped can come under an autoscaler, and leave it.
func TestAutoscalingOfWhatIsStopped(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	fixed := l.fixed("v1", 1)
	fixed.DesiredState = release.DesiredStopped
	must(t, l.once(t).create(ctx, l.scaledAs(release.DesiredStopped)))
	l.wantCompanions(l.scaledAs(release.DesiredStopped))
	must(t, l.once(t).change(ctx, fixed))
	l.wantCompanions(fixed)
	must(t, l.once(t).change(ctx, l.scaledAs(release.DesiredStopped)))
	l.wantCompanions(l.scaledAs(release.DesiredStopped))
	c := l.watchCounts("v1")
	must(t, l.once(t).change(ctx, l.scaledAs(release.DesiredStarted)))
	l.wantCounts(c, "v1", 0, 0, 3)
	l.wantCompanions(l.scaledAs(release.DesiredStarted))
	l.autoscale("v1", 4)
	must(t, l.once(t).change(ctx, fixed), l.once(t).change(ctx, l.fixed("v1", 1))) // both at once
	l.wantCounts(c, "v1", 0, 0, 3, 4, 0, 1)
	l.wantCompanions(l.fixed("v1", 1))
}

// A number of pods that is left to others is still none of a stopped release's.
func TestStopWithAutoscalingWhereReplicasAreIgnored(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	ignoring := func(desired release.DesiredState) release.Spec {
		spec := l.scaledAs(desired)
		spec.IgnoreDrift = []string{workload.ReplicasField}
		return spec
	}
	must(t, l.once(t).create(ctx, ignoring(release.DesiredStarted)))
	l.autoscale("v1", 5)
	c := l.watchCounts("v1")
	must(t, l.once(t).change(ctx, ignoring(release.DesiredStopped)), l.once(t).change(ctx, ignoring(release.DesiredStarted)))
	l.wantCounts(c, "v1", 0, 5, 0, 5)
}

// stopAndStart is a stop and a start of what an autoscaler has given 5 pods.
func stopAndStart() []killedStep {
	stop := func(l *life) release.Spec { return l.scaledAs(release.DesiredStopped) }
	start := func(l *life) release.Spec { return l.scaledAs(release.DesiredStarted) }
	create := func(ctx context.Context, p *process) error {
		if err := p.create(ctx, p.scaledAs(release.DesiredStarted)); err != nil {
			return err
		}
		p.autoscale("v1", 5)
		return nil
	}
	return []killedStep{
		{"create", create, start, 4},
		{"stop", acting((*rollout.Engine).Stop), stop, 9},
		{"start", acting((*rollout.Engine).Start), start, 5},
		{"stop as an update", func(ctx context.Context, p *process) error { return p.change(ctx, stop(p.life)) }, stop, 17},
		{"start as an update", func(ctx context.Context, p *process) error { return p.change(ctx, start(p.life)) }, start, 8},
	}
}

// TestStopAndStartWithAutoscalingKilledAfterEveryWrite: whatever was begun, and
// whatever is asked for then, the number of pods is not lost.
func TestStopAndStartWithAutoscalingKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	steps := stopAndStart()
	round{
		steps: steps,
		kills: []killedIn{
			{steps[1].name, 1, []int{1, 2}, 1}, // an update leaves it stopped
			{steps[2].name, 2, []int{2, 3}, 1},
			{steps[3].name, 3, []int{3, 4}, 3},
			{steps[4].name, 4, []int{4, 1}, 3},
		},
		begin:  func(t *testing.T) *life { return newLife(t, testcluster.Shared(t)) },
		stands: func(l *life, done killedStep) { l.t.Helper(); l.leaves(done.name, done.spec) },
		after: func(l *life) {
			l.t.Helper()
			must(l.t, l.apply(l.t.Context(), l.t, acting((*rollout.Engine).Start)), l.once(l.t).change(l.t.Context(), l.scaledAs(release.DesiredStarted)))
			l.wantCompanions(l.scaledAs(release.DesiredStarted))
			if n := *l.workload("v1").Spec.Replicas; n != 5 {
				l.t.Errorf("it has %d pods in the end, want the 5 that it had\n%s", n, l.log())
			}
		},
	}.killed(t, 6)
}

// What a promotion retains without pods comes back with those that it had.
func TestRetainedStoppedWithAutoscaling(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	must(t, l.once(t).create(ctx, l.scaledAs(release.DesiredStarted)), l.once(t).promote(ctx, "v1", 1))
	l.autoscale("v1", 5)
	must(t, l.once(t).create(ctx, l.fixed("v2", 2)))
	l.once(t).keeping("v2", oneStopped)
	c := l.watchCounts("v1")
	must(t, l.once(t).terminate(ctx, "v1"))
	l.stands("v1", release.StatusStopped, 0)
	l.once(t).keeping("v2", release.Keep{Count: 1, State: release.DesiredStarted})
	l.stands("v1", release.StatusStarted, 5)
	l.once(t).keeping("v2", oneStopped)
	must(t, l.once(t).create(ctx, l.scaledAs(release.DesiredStarted)), l.once(t).promote(ctx, "v1", 1))
	l.wantCounts(c, "v1", 0, 5, 0, 5, 0, 5)
	l.autoscaler("v1")
}
