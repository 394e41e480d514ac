package rollout_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

var (
	oneStarted = release.Keep{Count: 1, State: release.DesiredStarted}
	oneStopped = release.Keep{Count: 1, State: release.DesiredStopped}
)

// keeping promotes a version and fails the test unless that succeeds, without a
// notice.
func (p *process) keeping(version string, keep release.Keep) {
	p.t.Helper()
	done, err := p.promoteKeeping(p.t.Context(), version, keep)
	if err != nil || len(done.Notices) > 0 {
		p.t.Fatalf("promote %s: %+v, %v\n%s", version, done.Notices, err, p.log())
	}
}

func (p *process) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.log())
	}
}

// isKept fails the test unless a version is retained like that.
func (l *life) isKept(version string, status release.Status, pods int) {
	l.t.Helper()
	l.stands(version, status, pods)
	if r := l.record(version); r.Custody != release.CustodyRetained {
		l.t.Errorf("%s is %s, want it retained", version, r.Custody)
	}
	if n := workload.StartedReplicas(l.workload(version)); n != cmp.Or(l.replicas, 2) {
		l.t.Errorf("%s would be started with %d pods", version, n)
	}
}

// isGone fails the test if anything is left of a version.
func (l *life) isGone(version string) {
	l.t.Helper()
	for _, object := range l.objects() {
		if strings.HasSuffix(object, "/"+l.name(version)) {
			l.t.Errorf("%s is still there", object)
		}
	}
}

// backed is an application whose v1 is main again after v2, which nobody's
// state has any more.
func backed(t *testing.T) *life {
	t.Helper()
	l := application(t)
	p := l.process(t)
	p.keeping("v2", oneStarted)
	p.keeping("v1", oneStarted)
	p.must(p.terminate(t.Context(), "v2"))
	l.isKept("v2", release.StatusStarted, 2)
	return l
}

// What was main is stopped when its resource is deleted, after the drain, and
// comes back with the pods that it had.
func TestRetainStopped(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	p.keeping("v2", oneStopped)
	l.stands("v1", release.StatusStarted, 2) // somebody's state has it
	objects := l.objects()
	p.must(p.terminate(ctx, "v1"))
	l.isKept("v1", release.StatusStopped, 0)
	if got := l.objects(); !slices.Equal(got, objects) {
		t.Errorf("there are %v, want %v", got, objects)
	}
	main.Check(t, faultyDrain)

	before := l.workload("v1")
	p = l.process(t)
	p.must(p.create(ctx, l.desired("v1", nil)))
	if after := l.workload("v1"); after.UID != before.UID {
		t.Error("the way back made another Deployment")
	}
	l.stands("v1", release.StatusStarted, 2)
	p.keeping("v1", oneStopped)
	p.must(p.terminate(ctx, "v2"))
	l.isKept("v2", release.StatusStopped, 0)
	main.Check(t, faultyDrain)

	p.must(p.unmain(ctx))
	l.isGone("v2")
	p.must(p.terminate(ctx, "v1"))
	if got := l.objects(); len(got) > 0 {
		t.Errorf("left in the cluster: %v", got)
	}
}

// Where Terraform destroys the old one before main moves, the promotion stops it.
func TestCondemnedIsRetainedStopped(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	if err := p.terminate(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "carries traffic") {
		t.Fatalf("the delete says %v", err)
	}
	l.stands("v1", release.StatusStarted, 2)
	p.keeping("v2", oneStopped)
	l.isKept("v1", release.StatusStopped, 0)
	main.Check(t, faultyDrain)
}

// A change of keep_previous applies to what is retained already, in both
// directions, and again is no matter.
func TestKeepChangesInPlace(t *testing.T) {
	t.Parallel()
	l := backed(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	for range 2 {
		for range 2 {
			l.once(t).keeping("v1", oneStopped)
			l.isKept("v2", release.StatusStopped, 0)
		}
		for range 2 {
			l.once(t).keeping("v1", oneStarted)
			l.isKept("v2", release.StatusStarted, 2)
		}
	}
	l.once(t).keeping("v1", oneStopped)
	l.once(t).keeping("v1", release.Keep{State: release.DesiredStopped})
	l.isGone("v2")
	l.stands("v1", release.StatusStarted, 2)
	main.Check(t, faultyDrain)
}

// at is a process on a cluster whose clock says something else.
func (p *process) at(ahead time.Duration) *process {
	for i, c := range p.on {
		p.on[i] = shifted{c.(wiredCluster), ahead}
	}
	return p
}

type shifted struct {
	wiredCluster
	ahead time.Duration
}

func (s shifted) Now() time.Time { return s.wiredCluster.Now().Add(s.ahead) }

func TestKeepForATime(t *testing.T) {
	t.Parallel()
	l := backed(t)
	const ttl = 48 * time.Hour
	keep := release.Keep{Count: 1, TTL: ttl, State: release.DesiredStopped}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	l.once(t).keeping("v1", keep)
	l.isKept("v2", release.StatusStopped, 0)
	l.process(t).at(ttl-time.Minute).keeping("v1", keep)
	l.isKept("v2", release.StatusStopped, 0)
	l.process(t).at(ttl+time.Minute).keeping("v1", keep)
	l.isGone("v2")
	l.stands("v1", release.StatusStarted, 2)
	main.Check(t, faultyDrain)

	// What somebody's state has is not collected; its own delete finds that its
	// time is over.
	p := l.process(t).at(2 * ttl)
	p.must(p.create(t.Context(), l.desired("v2", nil)))
	p.keeping("v2", keep)
	p = l.process(t).at(4 * ttl)
	p.keeping("v2", keep)
	l.stands("v1", release.StatusStarted, 2)
	p.must(p.terminate(t.Context(), "v1"))
	l.isGone("v1")
}

// What a provider wrote that noted no times is kept for the whole ttl, from the
// first apply that has one.
func TestKeepForATimeThatNobodyNoted(t *testing.T) {
	t.Parallel()
	l := backed(t)
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(t.Context(), "api-switchback", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	main, err := release.ParseMain(cm.Data)
	if err != nil || len(main.Left) != 1 {
		t.Fatalf("%+v, %v", main, err)
	}
	main.Left = nil
	if cm.Data, err = main.Marshal(); err == nil {
		_, err = maps.Update(t.Context(), cm, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	keep := release.Keep{Count: 1, TTL: time.Hour, State: release.DesiredStarted}
	l.process(t).at(24*time.Hour).keeping("v1", keep)
	l.isKept("v2", release.StatusStarted, 2)
	l.process(t).at(25*time.Hour+time.Minute).keeping("v1", keep)
	l.isGone("v2")
}

// A retained release that a Service of somebody's sends traffic to is not
// stopped.
func TestRetainedWithTrafficIsNotStopped(t *testing.T) {
	t.Parallel()
	l := backed(t)
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "canary"},
		Spec:       corev1.ServiceSpec{Selector: release.Selector(l.name("v2")), Ports: []corev1.ServicePort{{Port: 80}}},
	}
	services := l.cluster.Client().CoreV1().Services(l.namespace)
	if _, err := services.Create(t.Context(), svc, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	done, err := l.once(t).promoteKeeping(t.Context(), "v1", oneStopped)
	if err != nil || len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "the Service "+l.namespace+"/canary selects its pods") {
		t.Errorf("the promotion says %+v, %v", done.Notices, err)
	}
	l.isKept("v2", release.StatusStarted, 2)
	if err := services.Delete(t.Context(), "canary", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.once(t).keeping("v1", oneStopped)
	l.isKept("v2", release.StatusStopped, 0)
}

// What is retained and does not start is told, holds nothing up, and stays.
func TestRetainedThatDoesNotStart(t *testing.T) {
	t.Parallel()
	l := backed(t)
	l.once(t).keeping("v1", oneStopped)
	quotas := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace)
	if _, err := quotas.Create(t.Context(), quota(2), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the quota to be counted", func() error {
		q, err := quotas.Get(t.Context(), "full", metav1.GetOptions{})
		if err == nil && q.Status.Used.Pods().Value() != 2 {
			err = fmt.Errorf("%v are used", q.Status.Used)
		}
		return err
	})
	done, err := l.once(t).promoteKeeping(t.Context(), "v1", oneStarted)
	if err != nil || len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "it did not start") {
		t.Fatalf("the promotion says %+v, %v", done.Notices, err)
	}
	t.Log(done.Notices[0].Detail)
	r := l.record("v2")
	if r.Custody != release.CustodyRetained || r.Status != release.StatusStopping || r.Reason == "" || r.Busy() || *l.workload("v2").Spec.Replicas != 0 {
		t.Errorf("v2 is %+v", r)
	}
	if err := quotas.Delete(t.Context(), "full", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.once(t).keeping("v1", oneStarted)
	l.isKept("v2", release.StatusStarted, 2)
}

// A promotion that fails after it wrote down that traffic has moved leaves
// everything as it was: also what is kept, and since when.
func TestFailedPromotionForgetsNothing(t *testing.T) {
	t.Parallel()
	l := backed(t)
	before := l.remembered()
	p := l.process(t).at(24 * time.Hour)
	p.must(p.create(t.Context(), l.desired("v2", nil)))
	writes := 0
	var mu sync.Mutex
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
			if writes++; writes == 2 { // the commit
				return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
			}
		}
		return testcluster.Fault{}
	})
	_, err := p.promoteKeeping(t.Context(), "v2", release.Keep{})
	l.proxy.SetFault(nil)
	if err == nil || !strings.Contains(err.Error(), "not today") {
		t.Fatalf("the promotion: %v", err)
	}
	after := l.remembered()
	if after.Deployment != before.Deployment || !slices.Equal(after.Previous, before.Previous) || after.Keep() != before.Keep() ||
		!after.Left[l.name("v2")].Equal(before.Left[l.name("v2")]) || after.Progress != nil {
		t.Errorf("main was\n  %+v, and is\n  %+v", before, after)
	}
	p.must(p.terminate(t.Context(), "v2"))
	l.isKept("v2", release.StatusStarted, 2)
}

// remembered is what the application's ConfigMap says.
func (l *life) remembered() *release.Main {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	main, err := release.ParseMain(cm.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	return main
}

// retained is an application whose v2 was main, and is retained, or only not main
// any more.
func retained(keep release.Keep, terminated bool) func(context.Context, *process) error {
	return func(ctx context.Context, p *process) error {
		_, err1 := p.promoteKeeping(ctx, "v2", keep)
		_, err2 := p.promoteKeeping(ctx, "v1", keep)
		if err := errors.Join(err1, err2); err != nil || !terminated {
			return err
		}
		return p.terminate(ctx, "v2")
	}
}

func TestRetentionKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	keep := func(keep release.Keep) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			_, err := p.promoteKeeping(ctx, "v1", keep)
			return err
		}
	}
	terminate := func(ctx context.Context, p *process) error { return p.terminate(ctx, "v2") }
	back := func(ctx context.Context, p *process) error { return p.create(ctx, p.desired("v2", nil)) } // somebody's state has it again
	killedInLives(t, 6, []killedVerb{
		{name: "retain stopped", writes: 9, do: terminate, status: release.StatusStopped, to: "stopped", back: back},
		{name: "start what is retained", writes: 11, from: "stopped", before: terminate, do: keep(oneStarted), status: release.StatusStarted, to: "started", back: back},
		{name: "stop what is retained", writes: 13, from: "started", before: func(ctx context.Context, p *process) error {
			return errors.Join(terminate(ctx, p), keep(oneStarted)(ctx, p))
		}, do: keep(oneStopped), status: release.StatusStopped, to: "stopped", back: back},
	}, retained(oneStopped, false))
}

// A lost reply, and a conflict, happen to the k-th write of each way of retaining
// and waking, and to every one some writes later: nobody may notice.
func TestRetentionWithOneFaultAtEveryWrite(t *testing.T) {
	t.Parallel()
	const apart = 10
	for _, f := range []struct {
		name  string
		fault testcluster.Fault
	}{
		{"lost reply", testcluster.LostReply()},
		{"409", testcluster.Conflict()},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for k := 1; k <= apart; k++ {
				t.Run(fmt.Sprintf("at %d", k), func(t *testing.T) {
					t.Parallel()
					l := single(t)
					p := l.process(t)
					p.must(retained(oneStopped, false)(t.Context(), p))
					main := l.cluster.WatchMain(t, l.namespace, "api")
					hit := 0
					under := func(do func(p *process)) {
						hitting := &faulty{k: k, apart: apart, counts: (*testcluster.Request).Write, faults: []testcluster.Fault{f.fault}, repeats: map[string]int{}}
						l.proxy.Reset()
						l.proxy.SetFault(hitting.on)
						do(l.process(t))
						l.proxy.SetFault(nil)
						hit += len(hitting.hit)
					}
					under(func(p *process) { p.must(p.terminate(t.Context(), "v2")) })
					l.isKept("v2", release.StatusStopped, 0)
					under(func(p *process) { p.keeping("v1", oneStarted) })
					l.isKept("v2", release.StatusStarted, 1)
					under(func(p *process) { p.keeping("v1", oneStopped) })
					l.isKept("v2", release.StatusStopped, 0)
					if hit == 0 {
						t.Error("nothing was hit")
					}
					main.Check(t, faultyDrain)
				})
			}
		})
	}
}

// Where somebody has moved the address by hand, what really had the traffic is
// what is kept for going back. What was main before that stays, too, until the
// next promotion: whoever moved it may not have told.
func TestWhatIsKeptIsWhatHadTheTraffic(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	p.keeping("v2", oneStarted)
	patch := fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, release.LabelDeployment, l.name("v1"))
	if _, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(ctx, "api", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p = l.process(t)
	p.must(p.create(ctx, l.desired("v3", nil)))
	_, err := p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), To: p.name("v3"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		TakeBack: true, // as the plan has shown it
	})
	p.must(err)
	if main := l.remembered(); !slices.Equal(main.Previous, []string{l.name("v1"), l.name("v2")}) {
		t.Errorf("main was %v", main.Previous)
	}
	p.must(p.terminate(ctx, "v2"))
	p.must(p.terminate(ctx, "v1"))
	l.isKept("v2", release.StatusStarted, 2)
	l.isKept("v1", release.StatusStarted, 2)
	p = l.process(t)
	p.must(p.create(ctx, l.desired("v4", nil)))
	p.keeping("v4", release.Keep{Count: 2, State: oneStarted.State})
	l.isGone("v2")
	l.isKept("v1", release.StatusStarted, 2)
}
