package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// failing is a release of a life whose image is not there: its pods wait, and
// nothing but the test writes their statuses from then on.
func (l *life) failing(replicas int32, h release.Health) release.Spec {
	spec := l.spec("v1", "demo/missing-api")
	spec.Replicas, spec.Health = replicas, h
	return spec
}

// podsOf waits for so many pods of a release to have statuses of containers.
func (l *life) podsOf(spec release.Spec, count int) []corev1.Pod {
	l.t.Helper()
	var pods *corev1.PodList
	testcluster.Eventually(l.t, testcluster.Hang, "the pods of "+spec.Name(), func() (err error) {
		pods, err = l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + spec.Name()})
		if err != nil {
			return err
		}
		if len(pods.Items) != count || slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return len(p.Status.ContainerStatuses) == 0 }) {
			return fmt.Errorf("%d pods, of %d", len(pods.Items), count)
		}
		return nil
	})
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods.Items
}

// waiting has a container wait for a reason; reason "" lets it run and be ready.
func (l *life) waiting(pod corev1.Pod, reason, message string) {
	l.t.Helper()
	s := &pod.Status
	status := corev1.ConditionFalse
	s.Phase, s.ContainerStatuses[0].Ready = corev1.PodPending, false
	s.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	if reason == "" {
		status = corev1.ConditionTrue
		s.Phase, s.ContainerStatuses[0].Ready = corev1.PodRunning, true
		s.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	}
	for i, c := range s.Conditions {
		if c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
			s.Conditions[i].Status = status
		}
	}
	pod.ResourceVersion = ""
	if _, err := l.cluster.Client().CoreV1().Pods(l.namespace).UpdateStatus(l.t.Context(), &pod, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) && l.t.Context().Err() == nil { // gone with its release, or with the test
		l.t.Error(err)
	}
}

// step is something that happens to a release's pods, so long after its failure
// was first seen.
type step struct {
	at   time.Duration
	then func()
}

// play does the steps, each at its time.
func play(ctx context.Context, began time.Time, steps ...step) {
	for _, s := range steps {
		select {
		case <-time.After(time.Until(began.Add(s.at))):
			s.then()
		case <-ctx.Done():
			return
		}
	}
}

// start deploys in the background.
func (p *process) start(ctx context.Context, spec release.Spec) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, testcluster.Hang)
		defer cancel()
		ended <- p.create(ctx, spec)
	}()
	return ended
}

const seconds = time.Second

// TestAMomentsTroubleIsNoFailure: what is certain is one after the grace, and
// what heals before that is none, also where the next pod has the same.
func TestAMomentsTroubleIsNoFailure(t *testing.T) {
	t.Parallel()
	late(t, seconds, func(unit time.Duration) bool {
		l := newLife(t, testcluster.Shared(t))
		spec := l.failing(2, release.Health{FailFastGrace: new(8 * unit)})
		first := time.Now() // the first trouble begins later
		ended := l.process(t).start(t.Context(), spec)
		pods := l.podsOf(spec, 2)
		began := time.Now()
		l.waiting(pods[1], "ContainerCreating", "")
		var second, healed, over time.Time
		play(t.Context(), began,
			step{4 * unit, func() { second = time.Now(); l.waiting(pods[1], "ErrImagePull", "not found") }},
			step{5 * unit, func() { l.waiting(pods[0], "", ""); healed = time.Now() }},
			step{9 * unit, func() { l.waiting(pods[1], "", ""); over = time.Now() }},
		)
		err := <-ended
		if err != nil && (healed.Sub(first) >= 7*unit || over.Sub(second) >= 7*unit) {
			return false // a busy machine made troubles of them
		}
		if err != nil {
			t.Fatalf("two moments of trouble, of %s each and %s in all, were a failure: %v", 5*unit, 9*unit, err)
		}
		return true
	})
}

// TestTheGraceIsThatOfOneTrouble, whatever it is called: a kubelet tries and backs
// off in turn, and a registry's words are others each time.
func TestTheGraceIsThatOfOneTrouble(t *testing.T) {
	t.Parallel()
	const grace = 4 * seconds
	for name, broken := range map[string]bool{"without a break": false, "with one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.failing(1, release.Health{FailFastGrace: new(grace)})
			p := l.process(t)
			ended := p.start(t.Context(), spec)
			pod := l.podsOf(spec, 1)[0]
			began := time.Now()
			var since atomic.Pointer[time.Time] // the present trouble's
			since.Store(&began)
			playing, stop := context.WithCancel(t.Context())
			defer stop()
			go func() {
				for i := 0; playing.Err() == nil; i++ { // so that it would never end, if each word were a trouble of its own
					reason := []string{"ErrImagePull", "ImagePullBackOff"}[i%2]
					if broken && i >= 3 && i < 6 { // it is none for a moment
						reason = "ContainerCreating"
					}
					play(playing, began, step{time.Duration(i+1) * 300 * time.Millisecond, func() {
						if broken && i == 6 {
							since.Store(new(time.Now()))
						}
						l.waiting(pod, reason, fmt.Sprintf("trace %d: not found", i))
					}})
				}
			}()
			err := <-ended
			took := time.Since(*since.Load())
			stop()
			var failure *rollout.StartError
			if !errors.As(err, &failure) || failure.Err != nil {
				t.Fatalf("it ended with %v", err)
			}
			if took < grace {
				t.Errorf("it took %s, with a grace of %s", took, grace)
			}
		})
	}
}

// TestProgressDeadlineOfAnyStrategy ends the wait for what may still come, with
// the reason.
func TestProgressDeadlineOfAnyStrategy(t *testing.T) {
	t.Parallel()
	var err error
	limit := time.Duration(0)
	late(t, 2*seconds, func(d time.Duration) bool {
		limit = d
		l := newLife(t, testcluster.Shared(t))
		spec := l.spec("v1", "demo/unready-api")
		spec.Health = release.Health{ProgressDeadline: limit, LogTail: new(int32(0))}
		began := time.Now()
		err = l.once(t).create(t.Context(), spec)
		if took := time.Since(began); took < limit {
			t.Errorf("it took %s", took)
		}
		return err == nil || strings.Contains(err.Error(), `container "api"`) || d > 30*seconds
	})
	for _, text := range []string{"The wait ended because health.progress_deadline (" + limit.String() + ") has passed.", "0 of 1 pods are available", `container "api"`} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %q: %v", text, err)
		}
	}
}

// seeing sees pods that are listed live in another light than the watch does.
type seeing struct {
	rollout.Cluster
	light func(*corev1.Pod)
}

func (c seeing) List(ctx context.Context, namespace, selector string, into runtime.Object) error {
	err := c.Cluster.List(ctx, namespace, selector, into)
	if pods, ok := into.(*corev1.PodList); ok {
		for i := range pods.Items {
			c.light(&pods.Items[i])
		}
	}
	return err
}

// TestACloserLookMayOverrule what looked certain: then the wait goes on.
func TestACloserLookMayOverrule(t *testing.T) {
	t.Parallel()
	var err error
	looks, limit := 0, time.Duration(0)
	late(t, 4*seconds, func(d time.Duration) bool {
		looks, limit = 0, d
		l := newLife(t, testcluster.Shared(t))
		spec := l.failing(1, release.Health{FailFastGrace: new(200 * time.Millisecond), ProgressDeadline: limit})
		p := l.process(t)
		p.on = []rollout.Cluster{seeing{p.on[0], func(pod *corev1.Pod) {
			looks++
			for i := range pod.Status.ContainerStatuses {
				pod.Status.ContainerStatuses[i].State.Waiting.Reason = "ImageInspectError" // may heal
			}
		}}}
		err = p.create(t.Context(), spec)
		return looks > 0 || d > 30*seconds
	})
	var failure *rollout.StartError
	if !errors.As(err, &failure) || !strings.Contains(err.Error(), "health.progress_deadline ("+limit.String()+") has passed") {
		t.Fatalf("it ended with %v", err)
	}
	if cause := failure.Verdict.Findings[0].Cause; cause != health.CauseImageInspect {
		t.Errorf("it says %s", cause)
	}
	if most := 2 + int(limit/(5*seconds)); looks > most {
		t.Errorf("%d closer looks within %s", looks, limit)
	}
}

// TestWarningsAreListenedToWhereSomethingIsWrong, and nowhere else.
func TestWarningsAreListenedToWhereSomethingIsWrong(t *testing.T) {
	t.Parallel()
	asked := func(l *life) (lists, watches int) {
		for _, r := range l.proxy.Requests() {
			if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/events") && r.Query.Get("fieldSelector") == "type=Warning" {
				if r.Watch() {
					watches++
				} else {
					lists++
				}
			}
		}
		return lists, watches
	}
	for name, c := range map[string]struct {
		image string
		want  bool
	}{"at once": {"demo/api", false}, "failing": {"demo/missing-api", true}, "slow": {"demo/slow-api", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.spec("v1", c.image)
			spec.Health.LogTail = new(int32(0))
			p := l.process(t)
			if !c.want { // however long a busy machine takes
				timing := faultyTiming()
				timing.Listen = testcluster.Hang
				p.engine = rollout.New(timing)
			}
			_ = p.create(t.Context(), spec)
			if lists, watches := asked(l); (lists+watches > 0) != c.want || lists > 1 || watches > 1 {
				t.Errorf("%d lists and %d watches of warnings", lists, watches)
			}
		})
	}
}
