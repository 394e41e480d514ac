package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// TestCanaryBackInParts: who has lost pods gets back at once what those that are left carry,
// and the rest with the others.
func TestCanaryBackInParts(t *testing.T) {
	t.Parallel()
	c := withRoutes(t)
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"after a breach":     breachBesideFew,
		"and is called off":  calledOffBesideFew,
		"and none is left":   noneIsLeft,
		"somebody goes back": goesBackToFew,
		"after a kill":       killedBesideFew,
		"it is scaled up":    fewAreScaledUp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// wantSeenReady waits until a process's own view of the cluster has so many ready pods
// behind a version's Service: it may be a moment behind what the cluster says.
func (l *life) wantSeenReady(p *process, version string, want int) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "what the run sees", func() error {
		endpoints, err := traffic.Endpoints(l.t.Context(), p.on[0].View(l.namespace), l.name(version), nil)
		if err != nil {
			return err
		}
		up := 0
		for _, ready := range endpoints {
			if ready {
				up++
			}
		}
		if up != want {
			return fmt.Errorf("%d of %d are ready", up, len(endpoints))
		}
		return nil
	})
}

// fourEach is a life with v1 behind a route and v2 beside it, both with four pods.
func fourEach(t *testing.T, c *testcluster.Cluster) (*life, *process) {
	t.Helper()
	return onScaledRoute(t, c, 4, steps(75))
}

// mostly is a canary that gives v2 75 %, and watches it for long.
func mostly() release.Canary {
	return release.Canary{Steps: []release.CanaryStep{{Weight: 75, Pause: longBake}}}
}

// losePods takes two pods from v1, and returns when the controllers know.
func (l *life) losePods() {
	l.t.Helper()
	const lost = 2
	l.setReady("v1", lost, corev1.ConditionFalse)
	client := l.cluster.Client()
	testcluster.Eventually(l.t, testcluster.Hang, "that the controllers know", func() error {
		d := l.workload("v1")
		want := int(*d.Spec.Replicas) - lost
		found, err := client.DiscoveryV1().EndpointSlices(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + l.name("v1")})
		if err != nil {
			return err
		}
		behind := 0
		for i := range found.Items {
			for _, e := range found.Items[i].Endpoints {
				if *e.Conditions.Ready {
					behind++
				}
			}
		}
		if int(d.Status.ReadyReplicas) != want || behind != want {
			return fmt.Errorf("%d pods are ready, %d of them behind its Service", d.Status.ReadyReplicas, behind)
		}
		return nil
	})
}

// waitsFor says that a line of progress tells that v1 has half of the traffic until more of
// its pods are ready.
func waitsFor(line string) bool {
	return strings.Contains(line, "2 of the 4 pods of") && strings.Contains(line, "are ready: it has 50 %")
}

// wantShares fails the test unless v2 has been given these shares.
func (l *life) wantShares(want ...int) {
	l.t.Helper()
	if got := l.writtenShares("v2"); !slices.Equal(got, want) {
		l.t.Errorf("v2 had the shares %v, want %v", got, want)
	}
}

// breachBesideFew: v2 fails while half of v1's pods are lost.
func breachBesideFew(t *testing.T, c *testcluster.Cluster) {
	l, p := fourEach(t, c)
	l.proxy.Reset()
	waited := 0
	done, err := p.sharing(t.Context(), "v2", mostly(), func(line string) {
		switch {
		case strings.HasPrefix(line, "watching"):
			l.losePods()
			l.wantSeenReady(p, "v1", 2)
			l.crashLoop("v2")
		case waitsFor(line):
			waited++
			l.wantMainDirection(p, release.DirectionBack)
			l.allReady("v1", corev1.ConditionTrue)
		}
	})
	if len(bakeErrorsIn(err)) == 0 || done.Status != release.MainRolledBack || waited != 1 {
		t.Errorf("it ends as %s, after %d waits: %v", done.Status, waited, err)
	}
	l.wantShares(75, 50, 0)
	l.wantMain("v1")
	l.wantSplit(p, release.Split{l.name("v1"): 100})
}

func bakeErrorsIn(err error) []*rollout.BakeError {
	var breach *rollout.BakeError
	if errors.As(err, &breach) {
		return []*rollout.BakeError{breach}
	}
	return nil
}

// wantMainDirection fails the test unless the open promotion says where it is going.
func (l *life) wantMainDirection(p *process, want release.Direction) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "a Read that sees the direction", func() error {
		if open := p.look().Main.Progress; open == nil || open.Direction != want {
			return fmt.Errorf("it says %+v", open)
		}
		return nil
	})
}

// calledOffWaiting promotes v2, which fails when v1 has lost two pods. When the way back waits
// for these, meanwhile happens, and then somebody presses Ctrl-C.
func (l *life) calledOffWaiting(t *testing.T, p *process, meanwhile func()) (rollout.Promoted, error) {
	t.Helper()
	l.proxy.Reset()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	return p.sharing(ctx, "v2", mostly(), func(line string) {
		switch {
		case strings.HasPrefix(line, "watching"):
			l.losePods()
			l.wantSeenReady(p, "v1", 2)
			l.crashLoop("v2")
		case waitsFor(line):
			meanwhile()
			interrupt()
		}
	})
}

// calledOffBesideFew: whoever presses Ctrl-C meanwhile waits no longer.
func calledOffBesideFew(t *testing.T, c *testcluster.Cluster) {
	l, p := fourEach(t, c)
	done, err := l.calledOffWaiting(t, p, func() {})
	if len(bakeErrorsIn(err)) == 0 || done.Status != release.MainRollingBack || !strings.Contains(err.Error(), "The next apply ends it") {
		t.Errorf("it ends as %s: %v", done.Status, err)
	}
	l.wantShares(75, 50, 0)
	l.wantTakenBack(l.process(t).tries("v2", "", mostly()))
	l.wantMain("v1")
	l.wantStopped(p, "was restarted 4 times")
}

// noneIsLeft: what v2 has stays with it, and the next run sees that v1 serves again.
func noneIsLeft(t *testing.T, c *testcluster.Cluster) {
	l, p := fourEach(t, c)
	done, err := l.calledOffWaiting(t, p, func() { l.allReady("v1", corev1.ConditionFalse); l.wantSeenReady(p, "v1", 0) })
	var nowhere *release.NoWayBackError
	if !errors.As(err, &nowhere) || done.Status != release.MainFailed || !strings.Contains(err.Error(), "0 of the 4 pods of "+l.name("v1")+" are ready") {
		t.Errorf("it ends as %s: %v", done.Status, err)
	}
	l.wantShares(75, 50)
	l.wantMainDirection(p, release.DirectionBack)
	l.allReady("v1", corev1.ConditionTrue)
	if _, err = l.process(t).sharing(t.Context(), "v2", mostly(), nil); err == nil {
		t.Error("v2 is tried once more, and nobody has asked for that")
	}
	l.wantShares(75, 50, 0)
	l.wantMain("v1")
}

// goesBackToFew: an action goes back from a pause.
func goesBackToFew(t *testing.T, c *testcluster.Cluster) {
	l, p := fourEach(t, c)
	l.proxy.Reset()
	done, err := p.sharing(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 75, Gate: release.GateManual}}}, nil)
	if must(t, err); done.Status != release.MainPaused {
		t.Fatalf("it ends as %s", done.Status)
	}
	l.losePods()
	p = l.process(t)
	_, err = p.engine.GoBack(t.Context(), rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), To: p.name("v1"), Owner: p.memory().Owner, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
			Progress: func(line string) {
				if waitsFor(line) {
					l.allReady("v1", corev1.ConditionTrue)
				}
			},
		},
		Was: map[string]string{"prod": p.memory().Deployment},
	})
	must(t, err)
	l.wantShares(75, 50, 0)
	l.wantMain("v1")
}

// killedBesideFew: the next run gives v1 no more than it carries either.
func killedBesideFew(t *testing.T, c *testcluster.Cluster) {
	l, p := fourEach(t, c)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	_, err := p.sharing(ctx, "v2", mostly(), func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.ConnectionReset() })
			kill()
		}
	})
	if err == nil {
		t.Fatal("it was not killed")
	}
	l.proxy.SetFault(nil)
	l.losePods()
	l.proxy.Reset()
	_, err = l.process(t).sharing(t.Context(), "v2", steps(10), func(line string) {
		if waitsFor(line) {
			l.allReady("v1", corev1.ConditionTrue)
		}
	})
	must(t, err)
	l.wantShares(50, 0, 10, 100)
	l.wantMain("v2", "v1")
}

// takePods leaves an autoscaled version so many pods, and lets its autoscaler do nothing about
// that.
func (l *life) takePods(version string, left int32) {
	l.t.Helper()
	_, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Patch(l.t.Context(), l.name(version), types.MergePatchType,
		[]byte(`{"spec":{"minReplicas":1}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	must(l.t, err)
	l.autoscale(version, left)
}

// fewAreScaledUp: somebody has taken pods away from v1, of which the promotion has found
// eight.
func fewAreScaledUp(t *testing.T, c *testcluster.Cluster) {
	canary := mostly()
	l, p := autoscaledRoute(t, c, canary)
	l.proxy.Reset()
	var asked []string
	_, err := p.sharing(t.Context(), "v2", canary, func(line string) {
		switch {
		case strings.HasPrefix(line, "watching"):
			l.takePods("v1", 4)
			l.crashLoop("v2")
		case strings.Contains(line, "pods of"):
			asked = append(asked, line)
		}
	})
	if len(bakeErrorsIn(err)) == 0 {
		t.Errorf("it ends with %v", err)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "4 of the 8 pods of "+l.name("v1")+" are ready: it has 50 %") {
		t.Errorf("it says %q", asked)
	}
	l.wantShares(75, 50, 0)
	if d := l.workload("v1"); *d.Spec.Replicas != 8 || d.Status.ReadyReplicas < 7 {
		t.Errorf("v1 has %d pods, and %d are ready", *d.Spec.Replicas, d.Status.ReadyReplicas)
	}
	l.wantMain("v1")
}
