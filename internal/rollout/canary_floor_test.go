package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// autoscaledRoute is a life with v1 behind a route, with eight pods that its autoscaler has
// decided on, and v2 made after that. Both may go down to two.
func autoscaledRoute(t *testing.T, c *testcluster.Cluster, canary release.Canary) (*life, *process) {
	t.Helper()
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.create(t.Context(), l.scaled("v1", 8, 2, 10)))
	_, err := p.sharing(t.Context(), "v1", canary, nil)
	must(t, err, p.create(t.Context(), l.scaled("v2", 2, 2, 10)))
	return l, p
}

// wantFloor fails the test where a version's autoscaler does not have such a floor, or does
// not say that two are typed, or a Read takes another floor for what it should be.
func (l *life) wantFloor(p *process, version string, floor int32) {
	l.t.Helper()
	h := l.autoscaler(version)
	raised := floor
	if floor == 2 {
		raised = 0
	}
	if workload.Floor(h) != floor || workload.FromAutoscaler(h).Min != 2 || workload.RaisedFloor(h) != raised {
		l.t.Errorf("%s may go down to %d pods, want %d; it says that %d are typed and that it is held at %d\n%s",
			version, workload.Floor(h), floor, workload.FromAutoscaler(h).Min, workload.RaisedFloor(h), l.log())
	}
	testcluster.Eventually(l.t, testcluster.Hang, "a Read that sees the floor", func() error {
		o := observe.Releases(l.t.Context(), []ownership.Cluster{p.on[0]}, release.ID{Namespace: l.namespace, Name: l.name(version)})[0]
		if o.Floor != raised {
			return fmt.Errorf("it says %d (%s)", o.Floor, fmt.Sprint(o.Err))
		}
		return nil
	})
}

// floorsFollowShares: an autoscaler leaves the new release what its share takes, and the
// former one what it has, until the end.
func floorsFollowShares(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25, 50)
	l, p := autoscaledRoute(t, c, canary)
	if has := *l.workload("v2").Spec.Replicas; has != 2 {
		t.Errorf("v2 starts with %d pods", has)
	}
	l.wantFloor(p, "v1", 2)
	l.paused(p, canary)
	l.wantFloor(p, "v1", 8)
	l.wantFloor(p, "v2", 2) // its share takes no more
	l.autoscale("v1", 10)   // it has more to do
	l.resume(p)
	l.pointerWaits(p, false)
	p = l.process(t)
	l.paused(p, canary)
	l.wantFloor(p, "v1", 8)
	l.wantFloor(p, "v2", 5)
	l.wantSplit(p, release.Split{l.name("v1"): 50, l.name("v2"): 50})
	if d := l.workload("v2"); d.Status.ReadyReplicas != 5 {
		t.Errorf("%d pods of v2 are ready", d.Status.ReadyReplicas)
	}
	// A change in place leaves it alone; what is typed anew counts at the end.
	spec := l.scaled("v2", 2, 2, 9)
	must(t, p.change(t.Context(), spec))
	l.wantFloor(p, "v2", 5)
	l.resume(p)
	l.pointerWaits(p, false)
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	if has := *l.workload("v2").Spec.Replicas; has != 9 {
		t.Errorf("v2 has %d pods at the end: v1 has 10, and it may have 9", has)
	}
	l.wantFloor(p, "v1", 2)
	l.wantFloor(p, "v2", 2)
	l.wantMain("v2", "v1")
}

// floorsOfWholeReleases are held, too: the new one has all of its pods from the start, and an
// autoscaler that finds both idle takes none that are needed.
func floorsOfWholeReleases(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25, 50)
	canary.Scales = false
	l, p := autoscaledRoute(t, c, canary)
	if has := *l.workload("v2").Spec.Replicas; has != 8 {
		t.Errorf("v2 starts with %d pods", has)
	}
	l.paused(p, canary)
	l.wantFloor(p, "v1", 8)
	l.wantFloor(p, "v2", 2) // its share takes no more
	if open := p.look().Main.Progress; open.Schema != release.ProgressSchemaFloors {
		t.Errorf("its progress has schema %d, which a provider takes that sets no floor back", open.Schema)
	}
	l.autoscale("v2", 2) // it has little to do in a long pause
	l.resume(p)
	l.pointerWaits(p, false)
	p = l.process(t)
	l.paused(p, canary)
	l.wantFloor(p, "v1", 8)
	l.wantFloor(p, "v2", 4)
	if d := l.workload("v2"); d.Status.ReadyReplicas != 4 {
		t.Errorf("%d pods of v2 are ready", d.Status.ReadyReplicas)
	}
	l.resume(p)
	l.pointerWaits(p, false)
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	if has := *l.workload("v2").Spec.Replicas; has != 8 {
		t.Errorf("v2 has %d pods at the end, and v1 had 8", has)
	}
	l.wantFloor(p, "v1", 2)
	l.wantFloor(p, "v2", 2)
	l.wantMain("v2", "v1")
}

// floorsComeBack where the traffic goes back.
func floorsComeBack(t *testing.T, c *testcluster.Cluster) {
	canary := scaling(50)
	canary.Steps[0].Pause = longBake
	l, p := autoscaledRoute(t, c, canary)
	_, err := p.sharing(t.Context(), "v2", canary, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.wantFloor(l.process(t), "v1", 8)
			l.wantFloor(l.process(t), "v2", 4)
			l.allReady("v2", "False")
		}
	})
	if err == nil {
		t.Fatal("it succeeds")
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantFloor(p, "v1", 2)
	l.wantFloor(p, "v2", 2)
}

// floorsFollowGrowth: the new release gets its share of what the former one gets more while
// a run watches.
func floorsFollowGrowth(t *testing.T, c *testcluster.Cluster) {
	canary := scaling(50)
	canary.Steps[0].Pause = longBake
	l, p := autoscaledRoute(t, c, canary)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	watches, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := p.sharing(ctx, "v2", canary, func(line string) {
			if strings.HasPrefix(line, "watching") {
				close(watches)
			}
		})
		ended <- err
	}()
	<-watches
	l.wantFloor(p, "v2", 4)
	l.autoscale("v1", 10)
	testcluster.Eventually(t, testcluster.Hang, "half of ten pods", func() error {
		if d, h := l.workload("v2"), l.autoscaler("v2"); *d.Spec.Replicas != 5 || d.Status.ReadyReplicas != 5 || workload.Floor(h) != 5 {
			return fmt.Errorf("it has %d, %d are ready, and its autoscaler leaves it %d", *d.Spec.Replicas, d.Status.ReadyReplicas, workload.Floor(h))
		}
		return nil
	})
	l.wantFloor(p, "v1", 8) // as the first share has found it
	l.autoscale("v1", 8)
	interrupt()
	if err := <-ended; err == nil {
		t.Error("it was not called off")
	}
	l.wantFloor(p, "v2", 5) // nothing is taken away
	l.wantSplit(p, release.Split{l.name("v1"): 100})
}

// floorsEndWithTheAddress that is taken away in a pause.
func floorsEndWithTheAddress(t *testing.T, c *testcluster.Cluster) {
	canary := gated(50)
	l, p := autoscaledRoute(t, c, canary)
	l.paused(p, canary)
	l.wantFloor(p, "v2", 4)
	must(t, p.unmain(t.Context()))
	for _, version := range []string{"v1", "v2"} {
		if h := l.autoscaler(version); workload.Floor(h) != 2 || workload.RaisedFloor(h) != 0 {
			t.Errorf("%s may go down to %d pods", version, workload.Floor(h))
		}
	}
}

// somebodysFloor that was set by hand is left alone, and is drift.
func somebodysFloor(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25, 50)
	l, p := autoscaledRoute(t, c, canary)
	l.paused(p, canary)
	scalers := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace)
	for _, version := range []string{"v1", "v2"} {
		_, err := scalers.Patch(t.Context(), l.name(version), types.MergePatchType, []byte(`{"spec":{"minReplicas":1}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		must(t, err)
	}
	l.resume(p)
	l.pointerWaits(p, false)
	l.paused(p, canary)
	if d := l.workload("v2"); d.Status.ReadyReplicas != 4 {
		t.Errorf("%d pods of v2 are ready", d.Status.ReadyReplicas)
	}
	l.resume(p)
	l.pointerWaits(p, false)
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	for _, version := range []string{"v1", "v2"} {
		h := l.autoscaler(version)
		if workload.Floor(h) != 1 || workload.RaisedFloor(h) != 0 {
			t.Errorf("%s may go down to %d pods", version, workload.Floor(h))
		}
		o := observe.Releases(t.Context(), []ownership.Cluster{p.on[0]}, release.ID{Namespace: l.namespace, Name: l.name(version)})[0]
		drift := workload.Drift(h, workload.Autoscaler(l.scaled(version, 2, 2, 10)), o.Record.Baseline["HorizontalPodAutoscaler"], nil)
		if len(drift) != 1 || drift[0].Field != "spec.minReplicas" || drift[0].Manager != "kubectl-edit" {
			t.Errorf("the drift of %s is %v", version, drift)
		}
	}
}

// oneOfThemIsAutoscaled: the other one has a fixed number of pods.
func oneOfThemIsAutoscaled(t *testing.T, c *testcluster.Cluster) {
	canary := gated(50)
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.make("v1", 6))
	_, err := p.sharing(t.Context(), "v1", canary, nil)
	must(t, err, p.create(t.Context(), l.scaled("v2", 2, 2, 10)))
	l.paused(p, canary)
	l.wantFloor(p, "v2", 3)
	l.resume(p)
	l.pointerWaits(p, false)
	_, err = p.sharing(t.Context(), "v2", canary, nil)
	must(t, err, p.make("v3", 4))
	l.wantFloor(p, "v2", 2)
	if has := *l.workload("v2").Spec.Replicas; has != 6 {
		t.Errorf("v2 has %d pods", has)
	}
	done, err := p.sharing(t.Context(), "v3", canary, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s", done.Status)
	}
	l.wantFloor(p, "v2", 6)
	l.wantPods(p, "v3", 3, 4)
}
