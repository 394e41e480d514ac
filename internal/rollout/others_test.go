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
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// hasty is a process whose causes have no more patience than the grace.
func (l *life) hasty(t *testing.T) *process {
	t.Helper()
	p := l.process(t)
	timing := faultyTiming()
	timing.Longest = timing.Grace
	p.engine = rollout.New(timing)
	return p
}

// wantCause fails the test unless a wait ended because of a verdict with this cause
// first, and not because time was up.
func wantCause(t *testing.T, err error, cause health.Cause, tells ...string) {
	t.Helper()
	var failure *rollout.StartError
	if !errors.As(err, &failure) || failure.Err != nil {
		t.Fatalf("it ended with: %v", err)
	}
	if found := failure.Verdict.Findings; len(found) == 0 || found[0].Cause != cause {
		t.Errorf("it does not tell of %s: %+v", cause, found)
	}
	for _, text := range tells {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %q:\n%v", text, err)
		}
	}
}

// rejects lets a pod's container run since three minutes, and answer its readiness
// probe with 404 for the last two.
func (l *life) rejects(pod corev1.Pod) {
	l.t.Helper()
	before := func(d time.Duration) metav1.Time { return metav1.NewTime(time.Now().Add(-d)) }
	s := &pod.Status
	s.Phase = corev1.PodRunning
	s.ContainerStatuses[0].Started = new(true)
	s.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: before(3 * time.Minute)}}
	for i := range s.Conditions {
		s.Conditions[i].LastTransitionTime = before(4 * time.Minute)
	}
	pod.ResourceVersion = ""
	if _, err := l.cluster.Client().CoreV1().Pods(l.namespace).UpdateStatus(l.t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.happen(corev1.ObjectReference{Kind: "Pod", Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{api}"}, "Unhealthy",
		"Readiness probe failed: HTTP probe failed with statuscode: 404", warning, func(e *corev1.Event) {
			e.FirstTimestamp, e.LastTimestamp, e.Count = before(2*time.Minute), before(0), 12
		})
}

// misled is a release whose readiness probe asks for what is not there. Its pods run,
// and nothing else is wrong with them.
func (l *life) misled() release.Spec {
	spec := l.spec("v1", "demo/unready-api")
	spec.Replicas, spec.Health = 1, release.Health{LogTail: new(int32(0)), FailFastGrace: new(time.Duration(0))}
	spec.Content.Container.ReadinessProbe = &release.Probe{HTTPGet: &release.HTTPGet{Path: "/readyz", Port: "http"}}
	return spec
}

// TestAWrongReadinessPathEndsTheWait, with what the probe asks for.
func TestAWrongReadinessPathEndsTheWait(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.misled()
	ended := l.hasty(t).start(t.Context(), spec)
	l.rejects(l.podsOf(spec, 1)[0])
	wantCause(t, <-ended, health.CauseReadinessRejected, "GET /readyz on port http, which is 8080", "it answers 404", "correct the probe's path", "startup_probe")
}

// TestAReadinessPathThatComesLate is no failure: a cause of its own patience is waited
// for longer than the grace, which is none here.
func TestAReadinessPathThatComesLate(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.misled()
	ended := l.process(t).start(t.Context(), spec)
	pod := l.podsOf(spec, 1)[0]
	l.rejects(pod)
	l.wantEvent(spec.Name(), release.EventWaiting, string(health.CauseReadinessRejected))
	if !slices.ContainsFunc(l.events(), func(e eventsv1.Event) bool {
		return e.Type == corev1.EventTypeWarning && strings.Contains(e.Note, string(health.CauseReadinessRejected))
	}) {
		t.Error("it was never certain")
	}
	l.waiting(l.podsOf(spec, 1)[0], "", "")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestAPausedDeploymentEndsTheWait for a change in place, which goes back; where it
// goes on, the change succeeds.
func TestAPausedDeploymentEndsTheWait(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	pause := func(paused bool) {
		t.Helper()
		_, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Patch(t.Context(), s.name("v1"), types.StrategicMergePatchType,
			fmt.Appendf(nil, `{"spec":{"paused":%t}}`, paused), metav1.PatchOptions{FieldManager: "kubectl-rollout"})
		must(t, err)
	}
	pause(true)
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	err := s.once(t).update(ctx, s.rolling("v2", nil), false)
	wantCause(t, err, health.CausePaused, `is paused by the field manager "kubectl-rollout"`, "0 of its 2 pods have its present template",
		fmt.Sprintf("kubectl --namespace %s rollout resume deployment/%s", s.namespace, s.name("v1")))
	s.runs("v1", s.rolling("v1", nil))
	pause(false)
	if err := s.once(t).update(ctx, s.rolling("v2", nil), false); err != nil {
		t.Fatal(err)
	}
	s.runs("v2", s.rolling("v2", nil))
	s.address.NeverEmpty(t)
}

// rescales does what kubectl scale does to a release.
func (l *life) rescales(spec release.Spec, replicas int32) {
	l.t.Helper()
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), spec.Name(), types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{FieldManager: "kubectl"}, "scale")
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestScaledWhileWaiting: fewer pods than a release waits for end the wait, unless the
// number is left to others. None at all end it in any case.
func TestScaledWhileWaiting(t *testing.T) {
	t.Parallel()
	const zero = "the Deployment was scaled to 0 by somebody else (Kubernetes has not recorded who), and this release waits for "
	const one = `the Deployment was scaled to 1 by the field manager "kubectl", and this release waits for 2`
	ignored := func(spec *release.Spec) { spec.IgnoreDrift = []string{"spec.replicas"} }
	autoscaled := func(spec *release.Spec) {
		spec.Autoscaling = &release.Autoscaling{Min: 2, Max: 4, CPU: new(int32(50))}
	}
	for name, c := range map[string]struct {
		edit func(*release.Spec)
		to   int32
		says string // "": it is healthy
	}{
		"to none":                {nil, 0, zero + "2"},
		"down":                   {nil, 1, one},
		"up":                     {nil, 3, ""},
		"to none, left to them":  {ignored, 0, zero + "1"},
		"down, left to them":     {ignored, 1, ""},
		"up, left to them":       {ignored, 3, ""},
		"to none, an autoscaler": {autoscaled, 0, zero + "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.failing(2, release.Health{LogTail: new(int32(0)), FailFastGrace: new(testcluster.Hang)})
			if c.says != "" {
				spec.Health.FailFastGrace = nil
				spec.Content.Image = "demo/unready-api:v1"
			}
			if c.edit != nil {
				c.edit(&spec)
			}
			ended := l.hasty(t).start(t.Context(), spec)
			l.podsOf(spec, 2)
			l.rescales(spec, c.to)
			if c.says != "" {
				wantCause(t, <-ended, health.CauseScaled, c.says, "the attribute autoscaling", `ignore_drift = ["spec.replicas"]`)
				return
			}
			for _, pod := range l.podsOf(spec, int(c.to)) {
				l.waiting(pod, "", "")
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAPromotionSaysWhoScaledItDown, where that is why no pod takes the traffic.
func TestAPromotionSaysWhoScaledItDown(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	must(t, l.once(t).deploy(t.Context(), "v1"))
	l.rescales(l.spec("v1", "demo/api"), 0)
	testcluster.Eventually(t, testcluster.Hang, "its pods to go", func() error {
		if n := len(l.pods("v1")); n > 0 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
	p := l.process(t)
	timing := faultyTiming()
	timing.Settle = time.Second
	p.engine = rollout.New(timing)
	err := p.promote(t.Context(), "v1", 0)
	var unready *release.NotReadyError
	if !errors.As(err, &unready) || !strings.Contains(unready.Reason, "0 of its 1 pods are ready behind its Service, after waiting 1s: the Deployment was scaled to 0 by somebody else") {
		t.Errorf("it ended with: %v", err)
	}
}
