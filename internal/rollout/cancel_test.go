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
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// quota lets no more pods be made.
func quota(pods int) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(pods), resource.DecimalSI)}},
	}
}

// beating is a process whose heart beats often.
func (l *life) beating(t *testing.T) *process {
	p := l.process(t)
	timing := faultyTiming()
	timing.Beat, timing.Expiry = 100*time.Millisecond, testcluster.Hang // on a busy machine a beat may be late
	p.engine = rollout.New(timing)
	return p
}

// patient is a process that takes nobody for dead.
func (l *life) patient(t *testing.T) *process {
	p := l.process(t)
	timing := faultyTiming()
	timing.Expiry = testcluster.Hang
	p.engine = rollout.New(timing)
	return p
}

// unready is a v1 whose pods never become ready.
func (l *life) unready() release.Spec { return l.spec("v1", "demo/unready-api") }

// starting begins to create a version that never becomes ready, and returns
// when it waits.
func (l *life) starting(ctx context.Context, t *testing.T, p *process, spec release.Spec) <-chan outcome {
	t.Helper()
	applied, result := l.applied(), make(chan outcome, 1)
	go func() {
		done, err := p.engine.Deploy(ctx, p.on, spec)
		result <- outcome{done, err}
	}()
	select {
	case <-applied:
	case got := <-result:
		t.Fatalf("it ended without a wait: %+v", got)
	}
	l.proxy.SetFault(nil)
	return result
}

type outcome struct {
	done rollout.Deployed
	err  error
}

func TestCancelOfALiveStart(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"cancel", "stop"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.unready()
			id := release.ID{Namespace: l.namespace, Name: spec.Content.Name()}
			result := l.starting(t.Context(), t, l.beating(t), spec)

			p := l.patient(t)
			request := rollout.ActionRequest{ID: id, Clusters: p.on, Progress: func(line string) { t.Log(line) }}
			act := p.engine.Cancel
			if verb == "stop" {
				act = p.engine.Stop
			}
			if _, err := act(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			got := <-result
			if got.err != nil || got.done.Status != release.StatusCancelled || got.done.Owner == "" {
				t.Errorf("the create ended as %+v, %v", got.done, got.err)
			}
			if len(got.done.Notices) != 1 || !strings.Contains(got.done.Notices[0].Detail, `cancelled on cluster "prod" by process `) {
				t.Errorf("it tells %+v", got.done.Notices)
			}
			fresh := l.process(t)
			o := observe.Releases(t.Context(), fresh.on, id)[0]
			want := release.StatusCancelled
			if verb == "stop" {
				want = release.StatusStopped
			}
			if o.Record.Status != want || o.Record.Custody != release.CustodyOwned || o.Record.Busy() || *o.Workload.Spec.Replicas != 0 {
				t.Errorf("it stands as %+v with %d replicas", o.Record, *o.Workload.Spec.Replicas)
			}
			// Once more is no matter.
			if _, err := act(t.Context(), request); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// An update that brings a release back up ends as cancelled, too.
func TestCancelOfALiveUpdate(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.unready()
	interrupted, interrupt := context.WithCancel(t.Context())
	result := l.starting(interrupted, t, l.process(t), spec)
	interrupt()
	first := <-result
	if first.err != nil || first.done.Status != release.StatusCancelled {
		t.Fatalf("the interrupted create: %+v, %v", first.done, first.err)
	}

	b, again := l.beating(t), make(chan outcome, 1)
	applied := l.applied()
	go func() {
		done, err := b.engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: first.done.Owner, Keep: b.on})
		again <- outcome{done, err}
	}()
	<-applied
	l.proxy.SetFault(nil)
	p := l.process(t)
	id := release.ID{Namespace: l.namespace, Name: spec.Content.Name()}
	if _, err := p.engine.Cancel(t.Context(), rollout.ActionRequest{ID: id, Clusters: p.on}); err != nil {
		t.Fatal(err)
	}
	got := <-again
	var by *release.CancelledError
	if !errors.As(got.err, &by) || got.done.Status != release.StatusCancelled {
		t.Errorf("the update ended as %+v, %v", got.done, got.err)
	}
}

// What a dead process was starting is cancelled without it: it is in no state,
// and the next create of it goes on.
func TestCancelOfADeadStart(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx, kill := context.WithCancel(t.Context())
	result := l.starting(ctx, t, l.process(t), l.unready())
	l.proxy.SetFault(testcluster.Dead)
	kill()
	<-result
	l.proxy.SetFault(nil)

	p := l.process(t)
	id := release.ID{Namespace: l.namespace, Name: l.unready().Content.Name()}
	if _, err := p.engine.Cancel(t.Context(), rollout.ActionRequest{ID: id, Clusters: p.on, Progress: func(line string) { t.Log(line) }}); err != nil {
		t.Fatal(err)
	}
	fresh := l.process(t)
	o := observe.Releases(t.Context(), fresh.on, id)[0]
	if o.Record.Status != release.StatusCancelled || o.Record.Custody != release.CustodyAbandoned || o.Record.Busy() || *o.Workload.Spec.Replicas != 0 {
		t.Errorf("it stands as %+v with %d replicas", o.Record, *o.Workload.Spec.Replicas)
	}
}

func TestCancelIsRefused(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	if _, err := p.engine.Stop(t.Context(), p.action("v2")); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{
		"v1": `has status "started", and nothing is under way that can be cancelled`,
		"v2": `has status "stopped"`,
		"v9": "there is no such deployment",
	} {
		if _, err := p.engine.Cancel(t.Context(), p.action(version)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", version, err)
		}
	}
	l.stands("v1", release.StatusStarted, 2)
	l.stands("v2", release.StatusStopped, 0)
}

// A restart that is cancelled goes back to the pods that were there.
func TestCancelOfALiveRestart(t *testing.T) {
	t.Parallel()
	l := application(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	pods, before := l.pods("v1"), l.workload("v1")
	// The new pods are not let in, and the process has patience.
	if _, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(t.Context(), quota(4), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b := l.process(t)
	timing := faultyTiming()
	timing.Beat, timing.Expiry, timing.Grace = 100*time.Millisecond, testcluster.Hang, testcluster.Hang
	b.engine = rollout.New(timing)
	result := make(chan error, 1)
	go func() { _, err := b.engine.Restart(t.Context(), b.action("v1")); result <- err }()
	testcluster.Eventually(t, testcluster.Hang, "the restart to be asked for", func() error {
		if l.workload("v1").Generation == before.Generation {
			return errors.New("it is not")
		}
		return nil
	})
	p := l.patient(t)
	if done, err := p.engine.Cancel(t.Context(), p.action("v1")); err != nil || done.Status != release.StatusStarted {
		t.Errorf("cancel: %+v, %v", done, err)
	}
	var by *release.CancelledError
	if err := <-result; !errors.As(err, &by) {
		t.Errorf("the restart ended as %v", err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the former pods alone", func() error {
		if now := l.pods("v1"); !slices.Equal(pods, now) {
			return fmt.Errorf("there are %v, were %v", now, pods)
		}
		return nil
	})
	l.stands("v1", release.StatusStarted, 2)
	main.Check(t, faultyDrain)
	l.statuses.allowed(l)
}
