package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestOnlyAnEventTells: some causes are in no status. They end the wait all the
// same, once they have lasted.
func TestOnlyAnEventTells(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.failing(1, release.Health{FailFastGrace: new(1 * seconds)})
	ended := l.process(t).start(t.Context(), spec)
	pod := l.podsOf(spec, 1)[0]
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse})
	l.waiting(pod, "ContainerCreating", "")
	about := corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
	stranger := about
	stranger.UID = "another"
	write := func(ref corev1.ObjectReference) {
		t.Helper()
		_, err := l.cluster.Client().CoreV1().Events(l.namespace).Create(t.Context(), &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}, InvolvedObject: ref, Type: corev1.EventTypeWarning, Reason: "FailedMount",
			Message: `MountVolume.SetUp failed for volume "keys" : secret "keys" not found`, Count: 1, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(stranger)
	select {
	case err := <-ended:
		t.Fatalf("an event about an earlier pod of this name ended it: %v", err)
	case <-time.After(4 * seconds):
	}
	written := time.Now()
	write(about)
	err := <-ended
	var failure *rollout.StartError
	if !errors.As(err, &failure) || failure.Verdict.Findings[0].Cause != health.CauseVolumeSource {
		t.Fatalf("it ended with %v", err)
	}
	if took := time.Since(written); took < 1*seconds {
		t.Errorf("it took %s after the event, with a grace of 1 s", took)
	}
}

// TestCrashLimit is at which restart the release has failed.
func TestCrashLimit(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.spec("v1", "demo/crash-api") // it has been restarted three times
	spec.Health = release.Health{CrashLimit: 5, LogTail: new(int32(0))}
	ended := l.process(t).start(t.Context(), spec)
	pod := l.podsOf(spec, 1)[0]
	restarted := func(times int32) {
		t.Helper()
		live, err := l.cluster.Client().CoreV1().Pods(l.namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
		if err == nil {
			live.Status.ContainerStatuses[0].RestartCount = times
			_, err = l.cluster.Client().CoreV1().Pods(l.namespace).UpdateStatus(t.Context(), live, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	restarted(4)
	select {
	case err := <-ended:
		t.Fatalf("four restarts ended it: %v", err)
	case <-time.After(3 * seconds):
	}
	restarted(5)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "was restarted 5 times") {
		t.Errorf("it ended with %v", err)
	}
	if h := l.recordOf(spec.Name()).Health; h.CrashLimit != 5 {
		t.Errorf("the record has %+v, so that an action would go by another limit", h)
	}
}

// TestMinReady: a pod counts once it has been ready for so long, with every
// strategy.
func TestMinReady(t *testing.T) {
	t.Parallel()
	for _, strategy := range release.Strategies() {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.spec("v1", "demo/api")
			spec.Health.MinReady = 3 * seconds
			if strategy != release.StrategyBlueGreen {
				spec.Strategy = strategy
			}
			began := time.Now()
			if err := l.once(t).create(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < 2*seconds {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestBakeShowsTheLog of what did not do its work with traffic on it.
func TestBakeShowsTheLog(t *testing.T) {
	t.Parallel()
	l := inBake(t)
	p := l.process(t)
	node := &writing{Cluster: p.on[0], log: func(context.Context, *corev1.PodLogOptions) (string, error) {
		return "connecting to postgres://api:hunter2@db/shop\npanic: no database\n", nil
	}}
	p.on = []rollout.Cluster{node}
	_, err := p.promoteBaking(t.Context(), "v2", baking{d: longBake, seen: func() { l.crashLoop("v2") }})
	want := fmt.Sprintf("Log (container %s, previous run, last", "api")
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "postgres://***@db/shop") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it says %v", err)
	}
}
