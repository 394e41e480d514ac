package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// mainService is the path of the application's own address.
const mainService = "/services/" + application + "$"

// unready has pods that never become ready by themselves.
var unready = config{version: "v1", image: "demo/unready", keep: 1}

// when lets a fault happen to the first request whose method and path match,
// and says when that came.
func (w *workspace) when(method, pattern string, fault testcluster.Fault) <-chan struct{} {
	seen, path := make(chan struct{}), regexp.MustCompile(pattern)
	var first sync.Once
	w.proxy.SetFault(func(r *testcluster.Request, _ int) (happens testcluster.Fault) {
		if r.Method == method && path.MatchString(r.Path) {
			first.Do(func() { happens = fault; close(seen) })
		}
		return happens
	})
	return seen
}

// reach waits for something that an execution must come to, although it may have
// ended since.
func (x *execution) reach(what string, seen <-chan struct{}) {
	x.w.t.Helper()
	select {
	case <-seen:
	case <-x.Exited():
	}
	select {
	case <-seen:
	default:
		x.w.t.Fatalf("it ended with %d before %s:\n%s", x.Code(), what, x.text())
	}
}

// waiting waits until the release's pods run, unready, and the provider follows them.
func (x *execution) waiting() {
	x.w.t.Helper()
	eventually(x.w.t, "unready pods that are watched", func() error {
		pods, err := x.w.pods()
		if err != nil || len(pods) != 2 || pods[0].Status.Phase != corev1.PodRunning || x.w.proxy.OpenWatches() < 3 {
			return errors.Join(err, fmt.Errorf("%d pods, %d watches\n%s", len(pods), x.w.proxy.OpenWatches(), x.text()))
		}
		return nil
	})
}

func (w *workspace) pods() ([]corev1.Pod, error) {
	list, err := w.cluster.Client().CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// makeReady says of every pod that it is ready, as a kubelet does whose probes
// succeed at last, until the execution has ended.
func (x *execution) makeReady() {
	x.w.t.Helper()
	client := x.w.cluster.Client().CoreV1().Pods(x.w.namespace)
	eventually(x.w.t, "the end of what waits for ready pods", func() error {
		select {
		case <-x.Exited():
			return nil
		default:
		}
		pods, err := x.w.pods()
		for _, pod := range pods {
			if pod.DeletionTimestamp != nil || len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].Ready {
				continue
			}
			pod.Status.ContainerStatuses[0].Ready = true
			for i := range pod.Status.Conditions {
				pod.Status.Conditions[i].Status = corev1.ConditionTrue
			}
			_, updateErr := client.UpdateStatus(x.w.t.Context(), &pod, metav1.UpdateOptions{})
			err = errors.Join(err, updateErr)
		}
		return errors.Join(err, errors.New(x.text()))
	})
}

// ends waits for the end of a signalled command, and returns how it ended. All
// that a run in haste could wait for instead, pods, limits and clean-ups, would
// take longer than any command may.
func (x *execution) ends(why string) int {
	x.w.t.Helper()
	began := time.Now()
	code := x.wait()
	x.w.t.Logf("%s: it ended with %d after %s", why, code, time.Since(began).Round(time.Millisecond))
	return code
}

// scaledDown fails the test unless the release has been asked for no pods.
func (w *workspace) scaledDown(name string) {
	w.t.Helper()
	d, err := w.cluster.Client().AppsV1().Deployments(w.namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	if err != nil || *d.Spec.Replicas != 0 {
		w.t.Errorf("%s has not been asked to scale down: %d replicas, %v", name, *d.Spec.Replicas, err)
	}
}

// resumes applies the configuration whose start was cut off, and makes its pods
// ready this time.
func (w *workspace) resumes(c config) {
	w.t.Helper()
	x := w.startApply(c)
	x.makeReady()
	if code := x.wait(); code != 0 {
		w.t.Fatalf("the next apply ended with %d:\n%s", code, x.text())
	}
	w.planIsEmpty()
	w.check(standing{releases: []string{w.name()}, main: w.name()})
}

func TestInterruptInACreate(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t).hasty()
	x := w.startApply(unready)
	x.waiting()
	x.signal(syscall.SIGINT)
	x.ends("SIGINT while pods start")

	d := w.deployment()
	if status := d.attribute(t, "status"); d.Status != "" || status != "cancelled" {
		t.Fatalf("the state has it as %q with status %q, want untainted and cancelled\n%s", d.Status, status, x.text())
	}
	if len(w.state("switchback_main_deployment")) != 0 {
		t.Error("what depends on it was made all the same")
	}
	w.scaledDown(w.name())
	plan := w.start("plan", "-no-color", "-input=false")
	code := plan.wait()
	if code != 0 || !strings.Contains(plan.text(), "switchback_deployment.api will be updated in-place") ||
		!strings.Contains(plan.text(), `"cancelled" -> "started"`) {
		t.Fatalf("the plan is not to resume in place:\n%s", plan.text())
	}
	w.resumes(unready)
}

func TestSecondInterruptInACreate(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t).hasty()
	x := w.startApply(unready)
	x.waiting()
	patched := w.when(http.MethodPatch, "/configmaps/", testcluster.Blackhole()) // the first one's clean-up hangs
	x.signal(syscall.SIGINT)
	x.reach("the clean-up", patched)
	x.signal(syscall.SIGINT)
	if code := x.ends("a second SIGINT"); code == 0 {
		t.Errorf("it succeeded:\n%s", x.text())
	}
	w.proxy.SetFault(nil)
	w.resumes(unready)
}

func TestTerminateInACreate(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t).hasty()
	x := w.startApply(unready)
	x.waiting()
	x.signal(syscall.SIGTERM)
	x.ends("SIGTERM to the process group")
	w.resumes(unready)
}

// TestInterruptInASwitch ends a promotion before, and after, the Service's
// selector was written. Main is on the old or the new release, the state says
// which, and the next apply finishes.
func TestInterruptInASwitch(t *testing.T) {
	t.Parallel()
	for _, arrives := range []bool{false, true} {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprintf("arrives=%t %s", arrives, s), func(t *testing.T) {
				t.Parallel()
				fault := testcluster.Blackhole()
				if arrives {
					ended := make(chan struct{})
					t.Cleanup(func() { close(ended) })
					fault = testcluster.Fault{}.BeforeReply(func() { <-ended }) // done, and never replied to
				}
				w := newWorkspace(t).hasty()
				watched := w.cluster.WatchMain(t, w.namespace, application)
				w.apply(config{version: "v1", keep: 1})
				v1 := w.name()
				switching := w.when(http.MethodPatch, mainService, fault)
				x := w.startApply(config{version: "v2", keep: 1})
				x.reach("the switch", switching)
				x.signal(s)
				code := x.ends(s.String() + " in the switch")
				w.proxy.SetFault(nil)

				svc, err := w.cluster.Client().CoreV1().Services(w.namespace).Get(t.Context(), application, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				points := svc.Spec.Selector["switchback.dev/deployment"]
				says := w.main().attribute(t, "deployment_id")
				t.Logf("exit code %d; main is on %s, the state says %s with status %s", code, points, says, w.main().attribute(t, "status"))
				if s == syscall.SIGINT && says != w.namespace+"/"+points {
					t.Errorf("main is on %s, but the state says %s\n%s", points, says, x.text())
				}
				if code == 0 {
					t.Errorf("an interrupted switch succeeded:\n%s", x.text())
				}
				w.apply(config{version: "v2", keep: 1})
				w.planIsEmpty()
				w.check(standing{releases: []string{v1, w.name()}, main: w.name()})
				watched.Check(t, drain)
			})
		}
	}
}

// TestInterruptInADelete: a finalizer holds what is being removed.
func TestInterruptInADelete(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t).hasty()
	w.apply(config{version: "v1", noMain: true})
	name := w.name()
	w.finalizer(name, `["test.switchback.dev/held"]`)
	deleted := w.when(http.MethodDelete, "/services/"+name, testcluster.Fault{})
	x := w.start("destroy", "-auto-approve", "-no-color", "-input=false")
	x.reach("the removal of the Service", deleted)
	x.signal(syscall.SIGINT)
	if code := x.ends("SIGINT while an object does not go away"); code == 0 {
		t.Errorf("it succeeded:\n%s", x.text())
	}
	if got := w.name(); got != name {
		t.Errorf("the state has %q", got)
	}
	w.finalizer(name, `[]`)
	again := w.start("destroy", "-auto-approve", "-no-color", "-input=false")
	if again.wait() != 0 {
		t.Fatalf("the next destroy:\n%s", again.text())
	}
	w.check(standing{})
}

func (w *workspace) finalizer(name, list string) {
	w.t.Helper()
	_, err := w.cluster.Client().AppsV1().Deployments(w.namespace).Patch(w.t.Context(), name, types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":`+list+`}}`), metav1.PatchOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestDeadlineIsNotACancel: what runs out of time fails, and says by which
// entry of the configuration.
func TestDeadlineIsNotACancel(t *testing.T) {
	t.Parallel()
	t.Run("create", func(t *testing.T) {
		t.Parallel()
		w := newWorkspace(t)
		c := unready
		w.runsOut(func(limit time.Duration) *execution {
			c.timeouts = within("create", limit)
			return w.startApply(c)
		}, "within %s, which is `timeouts.create`", "0 of 2 pods are available")
		if found := w.state("switchback_deployment"); len(found) != 0 {
			t.Errorf("a create that failed is in the state: %+v", found)
		}
	})
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		w := newWorkspace(t)
		w.apply(config{version: "v1", noMain: true, timeouts: within("delete", firstLimit)})
		name := w.name()
		w.finalizer(name, `["test.switchback.dev/held"]`)
		w.runsOut(func(limit time.Duration) *execution {
			if limit > firstLimit {
				w.givesTime("delete", firstLimit, limit)
			}
			return w.start("destroy", "-auto-approve", "-no-color", "-input=false")
		}, "within %s, which is `timeouts.delete`", `test\.switchback\.dev/held`)
		if got := w.name(); got != name {
			t.Errorf("the state has %q", got)
		}
		w.finalizer(name, `[]`)
	})
	t.Run("update", func(t *testing.T) {
		t.Parallel()
		w := newWorkspace(t)
		w.apply(config{version: "v1", keep: 1})
		v1 := w.name()
		w.runsOut(func(limit time.Duration) *execution {
			w.when(http.MethodPatch, mainService, testcluster.Blackhole())
			return w.startApply(config{version: "v2", keep: 1, mainTime: within("update", limit)})
		}, "within %s, which is `timeouts.update`")
		w.proxy.SetFault(nil)
		if got, want := w.main().attribute(t, "deployment_id"), w.namespace+"/"+v1; got != want {
			t.Errorf("deployment_id is %s, want %s", got, want)
		}
	})
}
