package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// beside is the same application for another process, with a wire and a state of
// its own.
func (l *life) beside(t *testing.T) *life {
	t.Helper()
	other := *l
	other.proxy, other.owners = l.cluster.Proxy(t), map[string]string{}
	return &other
}

// TestLoserDoesNotStopTheWinner: a process is away while another one adopts the
// release that it was starting, and finishes it. When it is back, it leaves it
// alone, whatever it would have done otherwise.
func TestLoserDoesNotStopTheWinner(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "update", "interrupted create"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			other := l.beside(t)
			if verb == "update" {
				must(t, l.apply(t.Context(), t, interruptedStart))
			}
			reached, back := make(chan struct{}), make(chan struct{})
			var once sync.Once
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+l.name("v3")) {
					return testcluster.Fault{}.BeforeReply(func() { once.Do(func() { close(reached); <-back }) })
				}
				return testcluster.Fault{}
			})
			ended := make(chan error, 1)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			go func() {
				p := l.process(t)
				if verb == "update" {
					p.owners["v3"] = l.record("v3").Owner
					ended <- p.update(ctx, p.desired("v3", nil), false)
					return
				}
				ended <- p.create(ctx, p.desired("v3", nil))
			}()
			comesTo(t, reached, ended)
			must(t, other.once(t).create(t.Context(), other.desired("v3", nil)))
			if verb == "interrupted create" {
				interrupt()
			}
			close(back)
			err := <-ended
			var taken *release.TakenOverError
			if !errors.As(err, &taken) || !taken.Claimed {
				t.Errorf("it ends with: %v", err)
			}
			other.stands("v3", release.StatusStarted, 2)
			if l.record("v3").Owner != other.owners["v3"] {
				t.Error("it is not the other one's any more")
			}
		})
	}
}

// TestOlderCheckpointDoesNotOverwriteANewerPointer: a checkpoint meets a label,
// and its process is away between asking for the Lease and writing again. Another
// one of the same state moves main on meanwhile.
func TestOlderCheckpointDoesNotOverwriteANewerPointer(t *testing.T) {
	t.Parallel()
	l := application(t)
	must(t, l.once(t).create(t.Context(), l.desired("v3", nil)))
	other := l.beside(t)
	reached, back := make(chan struct{}), make(chan struct{})
	var label, leaves sync.Once
	var labelled atomic.Bool
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && strings.HasSuffix(r.Path, "/configmaps/api-switchback") {
			label.Do(func() {
				_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Patch(t.Context(), "api-switchback", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"x"}}}`), metav1.PatchOptions{})
				if err != nil {
					t.Error(err)
				}
				labelled.Store(true)
			})
		}
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/leases/api-switchback") && labelled.Load() {
			return testcluster.Fault{}.BeforeReply(func() { leaves.Do(func() { close(reached); <-back }) })
		}
		return testcluster.Fault{}
	})
	ended := make(chan error, 1)
	go func() { ended <- l.once(t).promote(t.Context(), "v2", 1) }()
	comesTo(t, reached, ended)
	must(t, other.once(t).promote(t.Context(), "v3", 1))
	close(back)
	if err := <-ended; !errors.Is(err, ownership.ErrLockLost) {
		t.Errorf("it ends with: %v", err)
	}
	p := l.process(t)
	o := observe.Mains(t.Context(), p.on, l.namespace, "api", "api")[0]
	if o.Main.Deployment != l.name("v3") || o.Main.Progress != nil || !slices.Equal(o.Main.Previous, []string{l.name("v1")}) {
		t.Errorf("the pointer says %+v", o.Main)
	}
}

// held is an application's Lease in the hands of somebody who keeps it.
func (l *life) held(t *testing.T, by string) {
	t.Helper()
	leases, long, now := l.cluster.Client().CoordinationV1().Leases(l.namespace), int32(3600), metav1.NowMicro()
	testcluster.Eventually(t, testcluster.Hang, "the Lease to change hands", func() error {
		lease, err := leases.Get(t.Context(), "api-switchback", metav1.GetOptions{})
		if err != nil {
			return err
		}
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &by, LeaseDurationSeconds: &long, RenewTime: &now}
		_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
		return err
	})
}

// TestWhatCouldNotBeStoppedIsTold: a release fails, and is to be stopped, while
// another run holds the application's Lease for long.
func TestWhatCouldNotBeStoppedIsTold(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "update", "interrupted create"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			l.held(t, "process 1 on elsewhere, which bakes")
			p, timing := l.process(t), faultyTiming()
			timing.Settle, timing.Cleanup = 12*time.Second, 6*time.Second
			p.engine = rollout.New(timing)
			spec := p.desired("v3", broken)
			l.names = map[string]string{"v3": spec.Content.Name()}
			var err error
			switch verb {
			case "create":
				err = p.create(t.Context(), spec)
			case "update":
				must(t, l.apply(t.Context(), t, interruptedStart))
				l.names["v3"] = l.desired("v3", nil).Content.Name()
				ctx, cancel := context.WithTimeoutCause(t.Context(), 15*time.Second, errors.New("the time is up"))
				defer cancel()
				l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
					if r.Method == http.MethodPatch && strings.Contains(r.Path, "/services/") {
						return testcluster.Blackhole()
					}
					return testcluster.Fault{}
				})
				p.owners["v3"] = l.record("v3").Owner
				err = p.update(ctx, p.desired("v3", nil), false)
			default:
				ctx, interrupt := context.WithCancel(t.Context())
				result := l.starting(ctx, t, p, spec)
				interrupt()
				got := <-result
				err = got.err
				for _, n := range got.done.Notices {
					err = errors.Join(err, errors.New(n.Detail))
				}
			}
			if d := l.workload("v3"); *d.Spec.Replicas != 2 {
				t.Fatalf("it asks for %d pods: it was to be left with some", *d.Spec.Replicas)
			}
			if err != nil && strings.Contains(err.Error(), "has been asked to scale down") {
				t.Errorf("it says that it has been asked to scale down: %v", err)
			}
			for _, want := range []string{"could not be stopped", "its 2 pods keep running", "process 1 on elsewhere, which bakes"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q: %v", want, err)
				}
			}
			if r := l.record("v3"); r.Busy() || r.Status == release.StatusStarting {
				t.Errorf("its record is %+v", r)
			}
		})
	}
}

// TestAddressThatWasThereStaysOnTheWayBack: nothing tells any more who had the
// traffic, and the promotion fails after it has moved it.
func TestAddressThatWasThereStaysOnTheWayBack(t *testing.T) {
	t.Parallel()
	l := application(t)
	client := l.cluster.Client().CoreV1()
	_, err := client.Services(l.namespace).Patch(t.Context(), "api", types.MergePatchType, []byte(`{"spec":{"selector":{"canary":"yes"}}}`), metav1.PatchOptions{})
	must(t, err)
	before, err := client.Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	must(t, err)
	must(t, client.ConfigMaps(l.namespace).Delete(t.Context(), "api-switchback", metav1.DeleteOptions{}))
	var switched atomic.Bool
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") {
			switched.Store(true)
		}
		if switched.Load() && r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/api-switchback") && strings.Contains(string(r.Body), `\"at\":3`) {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "no more writes")
		}
		return testcluster.Fault{}
	})
	p := l.process(t)
	_, err = p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), To: p.name("v2"), Owner: p.main, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
	})
	l.proxy.SetFault(nil)
	if err == nil || !switched.Load() {
		t.Fatalf("switched %t, it ends with: %v", switched.Load(), err)
	}
	after, err := client.Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil || after.UID != before.UID || !maps.Equal(after.Spec.Selector, before.Spec.Selector) {
		t.Errorf("the address is %v: %v", after.Spec.Selector, err)
	}
}

// TestRefusedSwitchTouchesNothing: the switch meets a field of somebody else's.
// Nothing was overwritten, and nothing is taken away.
func TestRefusedSwitchTouchesNothing(t *testing.T) {
	t.Parallel()
	l := application(t)
	client := l.cluster.Client().CoreV1()
	_, err := client.Services(l.namespace).Patch(t.Context(), "api", types.MergePatchType, []byte(`{"spec":{"selector":{"canary":"yes"}}}`), metav1.PatchOptions{FieldManager: "somebody"})
	must(t, err)
	must(t, client.ConfigMaps(l.namespace).Delete(t.Context(), "api-switchback", metav1.DeleteOptions{}))
	before, err := client.Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	must(t, err)
	l.main = ""
	if err = l.once(t).promote(t.Context(), "v2", 1); len(release.FieldConflicts(err)) == 0 {
		t.Fatalf("it ends with: %v", err)
	}
	after, err := client.Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil || after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the address was touched: %v, %v", after.Spec, err)
	}
}

// TestTypoInASelectorIsNeverPrevious: somebody mistypes the main Service's
// selector. The repair leaves what was main before alone.
func TestTypoInASelectorIsNeverPrevious(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"v2", "v3"} {
		t.Run(map[string]string{"v2": "repair", "v3": "bump"}[to], func(t *testing.T) {
			t.Parallel()
			l := application(t)
			must(t, l.once(t).promote(t.Context(), "v2", 1))
			if err := l.once(t).terminate(t.Context(), "v1"); err != nil {
				t.Fatal(err)
			}
			if to == "v3" {
				must(t, l.once(t).create(t.Context(), l.desired("v3", nil)))
			}
			typo := l.name("v1")[:len(l.name("v1"))-1] + "z"
			patch := fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, release.LabelDeployment, typo)
			_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			must(t, err)
			p := l.process(t)
			done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
				Service: p.service(), To: p.name(to), Owner: p.main, Keep: release.Keep{Count: 1}, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
			})
			must(t, err)
			o := observe.Mains(t.Context(), p.on, l.namespace, "api", "api")[0]
			kept := "v1"
			if to == "v3" {
				kept = "v2"
			}
			if len(o.Main.Previous) == 0 || o.Main.Previous[0] != l.name(kept) || slices.Contains(o.Main.Previous, typo) || done.Previous != l.name(kept) {
				t.Errorf("previous is %v, and %s is told", o.Main.Previous, done.Previous)
			}
			if n := len(l.pods(kept)); n != 2 {
				t.Errorf("%s, the way back, has %d pods", kept, n)
			}
		})
	}
}

// TestMovedMeanwhileIsKeptAndTold: a plan moves traffic from v1 to v3, and
// somebody has moved it to v2 since.
func TestMovedMeanwhileIsKeptAndTold(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"by hand", "by another run", "not at all"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			must(t, l.once(t).create(t.Context(), l.desired("v3", nil)))
			switch how {
			case "by hand":
				patch := fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, release.LabelDeployment, l.name("v2"))
				_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
				must(t, err)
			case "by another run":
				must(t, l.once(t).promote(t.Context(), "v2", 1))
			}
			p := l.process(t)
			done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
				Service: p.service(), To: p.name("v3"), Owner: p.main, Keep: release.Keep{Count: 1}, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
				Planned: map[string]string{"prod": p.name("v1")},
			})
			must(t, err)
			told := slices.ContainsFunc(done.Notices, func(n rollout.Notice) bool {
				return strings.Contains(n.Detail, l.name("v1")) && strings.Contains(n.Detail, "on "+l.name("v2")+" when it was made")
			})
			if told != (how != "not at all") || how == "not at all" && len(done.Notices) > 0 {
				t.Errorf("it tells %+v", done.Notices)
			}
			if err := l.once(t).terminate(t.Context(), "v1"); err != nil { // it leaves the state
				t.Fatal(err)
			}
			if r := l.record("v1"); r.Custody != release.CustodyRetained || len(l.pods("v1")) != 2 {
				t.Errorf("v1, which the plan has left, is %s with %d pods", r.Custody, len(l.pods("v1")))
			}
			if how == "not at all" {
				return
			}
			// The next promotion decides again.
			must(t, l.once(t).promote(t.Context(), "v2", 1))
			if slices.Contains(l.objects(), "Deployment/"+l.name("v1")) {
				t.Error("v1 is kept for ever")
			}
		})
	}
}

// TestUnreadPodsAreNotGone: pods that end slowly are waited for, also where a
// list of them does not come.
func TestUnreadPodsAreNotGone(t *testing.T) {
	t.Parallel()
	faults := map[string]testcluster.Fault{"reset": testcluster.ConnectionReset()}
	for _, code := range []int{400, 401, 404, 500, 503} {
		faults[fmt.Sprint(code)] = testcluster.Reject(code, metav1.StatusReason("x"), "no")
	}
	verbs := map[string]func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error){
		"stop": (*rollout.Engine).Stop, "restart": (*rollout.Engine).Restart,
	}
	for verb, do := range verbs {
		for name, fault := range faults {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Parallel()
				l := application(t)
				l.finalizers(t, `["test.example/slow"]`)
				var refused atomic.Int64
				p := l.process(t)
				l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
					if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/pods") {
						refused.Add(1)
						return fault
					}
					return testcluster.Fault{}
				})
				result := make(chan error, 1)
				go func() { _, err := do(p.engine, t.Context(), p.action("v2")); result <- err }()
				var err error
				ended := false
				testcluster.Eventually(t, 2*time.Minute, "a list to be asked for again", func() error {
					select {
					case err = <-result:
						ended = true
						return nil
					default:
					}
					if n, left := refused.Load(), len(l.endingOf("v2")); n < 2 || left == 0 {
						return fmt.Errorf("%d lists were refused, %d pods are ending", n, left)
					}
					return nil
				})
				if ended && err == nil {
					t.Errorf("it has ended well, with %d pods ending and %d lists refused", len(l.endingOf("v2")), refused.Load())
				}
				l.proxy.SetFault(nil)
				l.finalizers(t, "null")
				if ended {
					return
				}
				testcluster.Eventually(t, 2*time.Minute, "the pods to end", func() error {
					l.finalizers(t, "null") // of those that end only now
					select {
					case err = <-result:
						return nil
					default:
						return errors.New("it still waits")
					}
				})
				if err != nil {
					t.Errorf("in the end: %v", err)
				}
			})
		}
	}
}

// endingOf are a version's pods that are on their way out.
func (l *life) endingOf(version string) []corev1.Pod {
	l.t.Helper()
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)})
	must(l.t, err)
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp == nil })
}
