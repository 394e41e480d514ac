package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// scaling is a canary whose candidate has only the pods that its share takes.
func scaling(shares ...int) release.Canary {
	c := steps(shares...)
	c.Scales = true
	return c
}

// gated is scaling that pauses after each share, until somebody lets it go on.
func gated(shares ...int) release.Canary {
	c := scaling(shares...)
	for i := range c.Steps {
		c.Steps[i].Pause, c.Steps[i].Gate = 0, release.GateManual
	}
	return c
}

// make creates a version with so many pods.
func (p *process) make(version string, replicas int32) error {
	defer p.done()
	done, err := p.engine.Deploy(p.t.Context(), p.on, p.fixed(version, replicas))
	p.owners[version] = done.Owner
	return err
}

// wantPods fails the test where a version does not have so many of its pods, ready, or a
// Read does not take that for what it should be.
func (l *life) wantPods(p *process, version string, pods, all int32) {
	l.t.Helper()
	share := pods
	if pods == all {
		share = 0
	}
	testcluster.Eventually(l.t, testcluster.Hang, fmt.Sprintf("%d of %d pods of %s", pods, all, version), func() error {
		d := l.workload(version)
		o := observe.Releases(l.t.Context(), []ownership.Cluster{p.on[0]}, release.ID{Namespace: l.namespace, Name: l.name(version)})[0]
		if *d.Spec.Replicas != pods || d.Status.ReadyReplicas != pods || workload.StartedReplicas(d) != all || o.Share != share {
			return fmt.Errorf("it has %d, %d are ready, of %d; a Read says %d (%s)", *d.Spec.Replicas, d.Status.ReadyReplicas, workload.StartedReplicas(d), o.Share, fmt.Sprint(o.Err))
		}
		return nil
	})
}

// onScaledRoute is a life with v1 behind a route, and v2 made after that.
func onScaledRoute(t *testing.T, c *testcluster.Cluster, replicas int32, canary release.Canary) (*life, *process) {
	t.Helper()
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.make("v1", replicas))
	_, err := p.sharing(t.Context(), "v1", canary, nil)
	must(t, err, p.make("v2", replicas))
	return l, p
}

// paused promotes to v2 until it is paused.
func (l *life) paused(p *process, canary release.Canary) {
	l.t.Helper()
	done, err := p.sharing(l.t.Context(), "v2", canary, nil)
	if must(l.t, err); done.Status != release.MainPaused {
		l.t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
}

// podsBeforeWeight: what a share takes is ready before its weight is written.
func podsBeforeWeight(t *testing.T, c *testcluster.Cluster) {
	canary := scaling(20, 40, 60, 80, 90)
	l, p := onScaledRoute(t, c, 3, canary)
	l.wantPods(p, "v1", 3, 3)
	l.wantPods(p, "v2", 1, 3)
	var ready []int32
	_, err := p.sharing(t.Context(), "v2", canary, func(line string) {
		if strings.Contains(line, "moving") {
			ready = append(ready, l.workload("v2").Status.ReadyReplicas)
		}
	})
	must(t, err)
	if !slices.Equal(ready, []int32{1, 2, 2, 3, 3, 3}) {
		t.Errorf("ahead of the shares, %v pods were ready", ready)
	}
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 20, 40, 60, 80, 90, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantPods(p, "v2", 3, 3)
	l.wantPods(p, "v1", 3, 3)
	l.wantMain("v2", "v1")
}

// replicasInAPause change how many pods the share takes, and neither the share nor the pause.
func replicasInAPause(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25, 40)
	l, p := onScaledRoute(t, c, 4, canary)
	l.paused(p, canary)
	for _, tt := range []struct{ all, pods int32 }{{4, 1}, {8, 2}, {4, 1}} {
		must(t, p.change(t.Context(), l.fixed("v2", tt.all)))
		l.wantPods(p, "v2", tt.pods, tt.all)
	}
	l.autoscale("v1", 8) // the former one has more to do
	p = l.process(t)
	l.paused(p, canary)
	l.wantPods(p, "v2", 2, 4)
	l.wantSplit(p, release.Split{l.name("v1"): 75, l.name("v2"): 25})
	l.autoscale("v1", 4)
	l.resume(p)
	l.pointerWaits(p, false)
	l.paused(p, canary)
	l.wantPods(p, "v2", 2, 4) // none are taken away
	must(t, p.change(t.Context(), l.fixed("v2", 10)))
	l.wantPods(p, "v2", 4, 10)
	l.resume(p)
	l.pointerWaits(p, false)
	_, err := p.sharing(t.Context(), "v2", canary, nil)
	must(t, err)
	l.wantPods(p, "v2", 10, 10)
	l.wantMain("v2", "v1")
}

// gateOutlastsDeadline: what its pods may take to start counts from when they are asked for.
// Those of the next share have all of it, however long nobody let it go on.
func gateOutlastsDeadline(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25, 75)
	l, p := onScaledRoute(t, c, 4, canary)
	hasty := l.fixed("v2", 4)
	hasty.Health.ProgressDeadline = 15 * time.Second
	must(t, p.change(t.Context(), hasty))
	canary.Steps[0].Pause = hasty.Health.ProgressDeadline + time.Second // and then, its gate
	l.paused(p, canary)
	l.wantPods(p, "v2", 1, 4)
	for _, pods := range []int32{3, 4} {
		l.resume(p)
		p = l.process(t)
		l.pointerWaits(p, false)
		done, err := p.sharing(t.Context(), "v2", canary, nil)
		if must(t, err); (done.Status == release.MainFinalized) != (pods == 4) {
			t.Fatalf("with %d pods, it ends as %s, %s", pods, done.Status, done.Reason)
		}
		l.wantPods(p, "v2", pods, 4)
	}
	if limit := l.workload("v2").Spec.ProgressDeadlineSeconds; limit == nil || *limit != 15 {
		t.Errorf("its deadline is %v", limit)
	}
	l.wantMain("v2", "v1")
}

// aStepSaysHowMany pods its share takes, also from the start.
func aStepSaysHowMany(t *testing.T, c *testcluster.Cluster) {
	canary := gated(10)
	canary.Steps[0].Replicas = 2
	l, p := onScaledRoute(t, c, 4, canary)
	l.wantPods(p, "v2", 2, 4)
	l.paused(p, canary)
	l.wantPods(p, "v2", 2, 4)
	_, err := p.sharing(t.Context(), "v2", release.Canary{}, nil) // which is not asked for any more
	must(t, err)
	l.wantPods(p, "v2", 4, 4)
	l.wantMain("v2", "v1")
}

// allPodsForAWayBack: neither a former main nor the other side is scaled to a share.
func allPodsForAWayBack(t *testing.T, c *testcluster.Cluster) {
	canary := gated(25)
	l, p := onScaledRoute(t, c, 4, canary)
	l.paused(p, canary)
	p = l.process(t)
	must(t, p.make("v1", 4)) // the version is changed back
	l.wantPods(p, "v1", 4, 4)
	_, err := p.sharing(t.Context(), "v1", canary, nil)
	must(t, err)
	l.wantMain("v1")
	_, err = p.sharing(t.Context(), "v2", release.Canary{}, nil) // all at once
	must(t, err)
	l.wantPods(p, "v2", 4, 4)
	_, err = p.sharing(t.Context(), "v2", canary, nil)
	must(t, err, p.make("v3", 4))
	l.wantPods(p, "v1", 4, 4)
	l.wantPods(p, "v3", 1, 4)
}

// aShareThatFailsToStart goes back, and says why.
func aShareThatFailsToStart(t *testing.T, c *testcluster.Cluster) {
	canary := scaling(25, 50)
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	room := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("5")}
	_, err := c.Client().CoreV1().ResourceQuotas(l.namespace).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: room}}, metav1.CreateOptions{})
	must(t, err)
	p := l.process(t)
	must(t, p.make("v1", 4))
	_, err = p.sharing(t.Context(), "v1", canary, nil)
	must(t, err, p.make("v2", 4))
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	var failed *rollout.StartError
	if !errors.As(err, &failed) || failed.ID.Name != l.name("v2") || !strings.Contains(err.Error(), "exceeded quota") || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 25, 0}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v1")
}

// theOtherSideGrows while a run watches: the share grows with it.
func theOtherSideGrows(t *testing.T, c *testcluster.Cluster) {
	canary := scaling(25)
	canary.Steps[0].Pause = longBake
	l, p := onScaledRoute(t, c, 4, canary)
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
	l.wantPods(p, "v2", 1, 4)
	l.autoscale("v1", 12)
	l.wantPods(p, "v2", 3, 4)
	l.wantSplit(p, release.Split{l.name("v1"): 75, l.name("v2"): 25})
	interrupt()
	if err := <-ended; err == nil {
		t.Error("it was not called off")
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
}
