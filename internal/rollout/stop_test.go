package rollout_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// action asks something of a release as somebody who has no configuration does.
func (p *process) action(version string) rollout.ActionRequest {
	return rollout.ActionRequest{
		ID: release.ID{Namespace: p.namespace, Name: p.name(version)}, Clusters: p.on,
		Progress: func(line string) { p.t.Log(line) },
	}
}

// desired is the specification of a version with two pods, or as many as the
// life's releases have, changed.
func (l *life) desired(version string, change func(*release.Spec)) release.Spec {
	spec := l.spec(version, "demo/api")
	spec.Replicas = cmp.Or(l.replicas, 2)
	if change != nil {
		change(&spec)
	}
	return spec
}

func stopped(spec *release.Spec) { spec.DesiredState = release.DesiredStopped }

func triggered(by string) func(*release.Spec) {
	return func(spec *release.Spec) { spec.RestartTriggers = map[string]string{"secret": by} }
}

func (p *process) create(ctx context.Context, spec release.Spec) error {
	defer p.done()
	done, err := p.engine.Deploy(ctx, p.on, spec)
	if err == nil {
		p.owners[spec.Content.Version] = done.Owner
		if done.Status != spec.DesiredState.Goal() {
			err = fmt.Errorf("it ended as %s", done.Status)
		}
	}
	return err
}

func (p *process) update(ctx context.Context, spec release.Spec, restart bool) error {
	defer p.done()
	done, err := p.engine.Update(ctx, rollout.UpdateRequest{
		Spec: spec, Owner: p.owners[spec.Content.Version], Keep: p.on, TakeBack: []string{"spec.replicas"}, Restart: restart,
	})
	if err == nil && done.Status != spec.DesiredState.Goal() {
		err = fmt.Errorf("it ended as %s", done.Status)
	}
	return err
}

func (l *life) workload(version string) *appsv1.Deployment {
	l.t.Helper()
	d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func (l *life) pods(version string) []types.UID {
	l.t.Helper()
	list, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)})
	if err != nil {
		l.t.Fatal(err)
	}
	var uids []types.UID
	for _, pod := range list.Items {
		uids = append(uids, pod.UID)
	}
	slices.Sort(uids)
	return uids
}

func (l *life) record(version string) *release.Record {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	record, err := release.ParseRecord(cm.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	return record
}

// stands fails the test unless a release has this status, so many pods, no
// drift, and nobody at work on it.
func (l *life) stands(version string, status release.Status, pods int) {
	l.t.Helper()
	r := l.record(version)
	if r.Status != status || r.Busy() || r.CancelRequested != "" {
		l.t.Errorf("%s is %+v, want status %q", version, r, status)
	}
	if status == release.StatusCancelled { // asked for, not waited for
		testcluster.Eventually(l.t, testcluster.Hang, "the pods to go", func() error {
			if n := len(l.pods(version)); n != pods {
				return fmt.Errorf("%s has %d pods, want %d", version, n, pods)
			}
			return nil
		})
	}
	if n := len(l.pods(version)); n != pods {
		l.t.Errorf("%s has %d pods, want %d", version, n, pods)
	}
	spec := l.desired(version, nil)
	spec.DesiredState = status.Desired()
	wanted, err := workload.Deployment(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	if drift := workload.Drift(l.workload(version), wanted, r.Baseline["Deployment"], nil); len(drift) > 0 && status.Finished() {
		l.t.Errorf("%s has drift: %v", version, drift)
	}
}

// watchReady follows the pods of a release and returns how few of them were
// ready and not being deleted at any moment since.
func (l *life) watchReady(version string) (fewest func() int) {
	l.t.Helper()
	selector := metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)}
	list, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), selector)
	if err != nil {
		l.t.Fatal(err)
	}
	ready := map[types.UID]bool{}
	isReady := func(pod *corev1.Pod) bool {
		return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}
	for i := range list.Items {
		ready[list.Items[i].UID] = isReady(&list.Items[i])
	}
	count := func() (n int) {
		for _, is := range ready {
			if is {
				n++
			}
		}
		return n
	}
	selector.ResourceVersion = list.ResourceVersion
	w, err := l.cluster.Client().CoreV1().Pods(l.namespace).Watch(l.t.Context(), selector)
	if err != nil {
		l.t.Fatal(err)
	}
	var mu sync.Mutex
	least := count()
	go func() {
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			mu.Lock()
			ready[pod.UID] = event.Type != watch.Deleted && isReady(pod)
			least = min(least, count())
			mu.Unlock()
		}
	}()
	l.t.Cleanup(w.Stop)
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return least
	}
}

// application is a life whose v1 is main, and whose v2 is not.
func application(t *testing.T) *life {
	t.Helper()
	return applicationWith(t, 2)
}

// single is an application with one pod of each release: for what is done so
// often that every pod counts.
func single(t *testing.T) *life {
	t.Helper()
	singles.Do(func() {
		l := applicationWith(t, 1)
		singles.main, singles.owners, singles.copy = l.main, l.owners, l.cluster.Copy(t, l.namespace)
	})
	if singles.copy == nil {
		t.Fatal("the test that made what this one begins with has failed")
	}
	l := newLife(t, testcluster.Shared(t))
	l.replicas, l.main, l.owners = 1, singles.main, maps.Clone(singles.owners)
	singles.copy.Into(t, l.cluster, l.namespace, nil)
	l.statuses = l.watchStatuses()
	return l
}

// singles is what every single is a copy of.
var singles struct {
	sync.Once
	copy   *testcluster.Copy // nil: not made
	main   string            // its owner token
	owners map[string]string // those of the releases, by version
}

func applicationWith(t *testing.T, replicas int32) *life {
	t.Helper()
	l := newLife(t, testcluster.Shared(t))
	l.replicas = replicas
	l.statuses = l.watchStatuses()
	p := l.process(t)
	defer p.end()
	if err := errors.Join(p.create(t.Context(), l.desired("v1", nil)), p.promote(t.Context(), "v1", 1), p.create(t.Context(), l.desired("v2", nil))); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestSingleIsWhatItsVerbsMake compares a copy with what it is of.
func TestSingleIsWhatItsVerbsMake(t *testing.T) {
	t.Parallel()
	made, copied := applicationWith(t, 1), single(t)
	places := &places{}
	places.same(t, made, "")
	places.same(t, copied, "")
	owned := func(l *life) map[string][]metav1.ManagedFieldsEntry {
		found := map[string][]metav1.ManagedFieldsEntry{}
		for _, version := range []string{"v1", "v2"} {
			for _, f := range l.workload(version).ManagedFields {
				if f.Subresource == "" && strings.HasPrefix(f.Manager, "switchback") {
					f.Time = nil
					found[version] = append(found[version], f)
				}
			}
			slices.SortFunc(found[version], func(a, b metav1.ManagedFieldsEntry) int { return strings.Compare(a.Manager, b.Manager) })
		}
		return found
	}
	if !reflect.DeepEqual(owned(made), owned(copied)) {
		t.Errorf("the copy has other owners: %v, not %v", owned(copied), owned(made))
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	ways := map[string]struct{ stop, start func() error }{
		"by itself": {
			func() error { _, err := p.engine.Stop(ctx, p.action("v2")); return err },
			func() error { _, err := p.engine.Start(ctx, p.action("v2")); return err },
		},
		"as an update": {
			func() error { return p.update(ctx, l.desired("v2", stopped), false) },
			func() error { return p.update(ctx, l.desired("v2", nil), false) },
		},
	}
	for name, way := range ways {
		before, objects, owner := l.workload("v2"), l.objects(), l.record("v2").Owner
		for range 2 { // again is no matter
			if err := way.stop(); err != nil {
				t.Fatalf("stop %s: %v", name, err)
			}
			l.stands("v2", release.StatusStopped, 0)
			if d := l.workload("v2"); *d.Spec.Replicas != 0 || workload.StartedReplicas(d) != 2 || d.UID != before.UID {
				t.Errorf("stopped %s: %d replicas, %d when started", name, *d.Spec.Replicas, workload.StartedReplicas(d))
			}
		}
		if got := l.objects(); !slices.Equal(got, objects) {
			t.Errorf("stopped %s: there are %v, want %v", name, got, objects)
		}
		for range 2 {
			if err := way.start(); err != nil {
				t.Fatalf("start %s: %v", name, err)
			}
			l.stands("v2", release.StatusStarted, 2)
		}
		if !maps.Equal(before.Spec.Template.Annotations, l.workload("v2").Spec.Template.Annotations) || l.record("v2").Owner != owner {
			t.Errorf("started %s: the template or the owner is another one", name)
		}
	}
	main.Check(t, faultyDrain)
	l.statuses.allowed(l)
}

func TestStopOfWhatCarriesTrafficIsRefused(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	before, pods := l.record("v1"), l.pods("v1")
	var carries *release.CarriesError
	for what, stop := range map[string]func() error{
		"by itself":    func() error { _, err := p.engine.Stop(ctx, p.action("v1")); return err },
		"as an update": func() error { return p.update(ctx, l.desired("v1", stopped), false) },
		"adopted": func() error {
			return l.once(t).create(ctx, l.desired("v1", stopped))
		},
	} {
		if err := stop(); !errors.As(err, &carries) || !strings.Contains(err.Error(), "it is the main deployment") {
			t.Errorf("%s: %v", what, err)
		}
		l.stands("v1", release.StatusStarted, 2)
		if now := l.record("v1"); now.Owner != before.Owner || now.Custody != before.Custody || now.Reason != "" {
			t.Errorf("%s: the record is %+v, was %+v", what, now, before)
		}
	}
	// A Service of somebody else's is traffic, too; and what cannot be told is.
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{release.LabelDeployment: l.name("v2")}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.Stop(ctx, p.action("v2")); !errors.As(err, &carries) || !strings.Contains(err.Error(), "Service "+l.namespace+"/theirs selects its pods") {
		t.Errorf("selected by another Service: %v", err)
	}
	if err := l.cluster.Client().CoreV1().Services(l.namespace).Delete(ctx, "theirs", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/services") && !r.Watch() {
			return testcluster.Reject(403, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	if _, err := p.engine.Stop(ctx, p.action("v2")); !errors.As(err, &carries) || !strings.Contains(err.Error(), "cannot be told") {
		t.Errorf("where Services may not be listed: %v", err)
	}
	l.proxy.SetFault(nil)
	l.stands("v2", release.StatusStarted, 2)
	if !slices.Equal(pods, l.pods("v1")) {
		t.Error("main's pods were replaced")
	}
	main.Check(t, faultyDrain)
}

// A release that was main a moment ago keeps its pods for the drain.
func TestStopDrainsWhatWasMain(t *testing.T) {
	t.Parallel()
	l := application(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	p := l.process(t)
	if err := p.promote(t.Context(), "v2", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.Stop(t.Context(), p.action("v1")); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStopped, 0)
	main.Check(t, faultyDrain)

	// What its configuration stops cannot be main until it is started, and then it can.
	must(t, p.update(t.Context(), l.desired("v1", stopped), false))
	var unready *release.NotReadyError
	if err := p.promote(t.Context(), "v1", 1); !errors.As(err, &unready) || !strings.Contains(err.Error(), `desired_state = "started"`) {
		t.Errorf("promotion of a stopped release: %v", err)
	}
	// Going back to it as a retained one starts it.
	if err := p.terminate(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	if r := l.record("v1"); r.Custody != release.CustodyRetained || r.Status != release.StatusStopped {
		t.Errorf("the former main is %s and %s", r.Custody, r.Status)
	}
	back := l.process(t)
	if err := errors.Join(back.create(t.Context(), l.desired("v1", nil)), back.promote(t.Context(), "v1", 1)); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStarted, 2)
	main.Check(t, faultyDrain)
}

func TestStopThatDoesNotEndIsTold(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	// A finalizer of somebody else's keeps one pod.
	list, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name("v2")})
	if err != nil {
		t.Fatal(err)
	}
	pod := list.Items[0].Name
	finalizer := func(list string) {
		t.Helper()
		_, err := l.cluster.Client().CoreV1().Pods(l.namespace).Patch(t.Context(), pod, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+list+`}}`), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	finalizer(`["example.com/stays"]`)
	var stop *release.StopError
	late(t, 2*time.Second, func(moment time.Duration) bool { // in which it sees what there is
		ctx, over := testcluster.Deadline(t, errors.New("it is late"))
		go func() {
			testcluster.Eventually(t, testcluster.Hang, "one pod to be left", func() error {
				if d, left := l.workload("v2"), l.pods("v2"); *d.Spec.Replicas > 0 || d.Status.Replicas > 0 || len(left) != 1 {
					return fmt.Errorf("there are %v, and %+v", left, d.Status)
				}
				return nil
			})
			time.AfterFunc(moment, over)
		}()
		_, err = p.engine.Stop(ctx, p.action("v2"))
		return err == nil || errors.As(err, &stop) && len(stop.Pods) > 0
	})
	if stop == nil || !slices.Equal(stop.Pods, []string{pod}) || !strings.Contains(err.Error(), "it is late") {
		t.Errorf("got %v", err)
	}
	if r := l.record("v2"); r.Status != release.StatusStopError || !strings.Contains(r.Reason, pod) || r.Busy() {
		t.Errorf("the record is %+v", r)
	}
	finalizer(`null`)
	if _, err := l.process(t).engine.Stop(t.Context(), p.action("v2")); err != nil {
		t.Fatal(err)
	}
	l.stands("v2", release.StatusStopped, 0)
	l.statuses.allowed(l)
}

func TestCreateStopped(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	p := l.process(t)
	if err := p.create(t.Context(), l.desired("v1", stopped)); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStopped, 0)
	if got := l.objects(); slices.Contains(got, "Lease/api-switchback") || len(got) != 5 { // with the history and, for two pods, a PodDisruptionBudget
		t.Errorf("there are %v", got)
	}
	if r := l.record("v1"); r.Custody != release.CustodyOwned {
		t.Errorf("it is %s", r.Custody)
	}
	if _, err := p.engine.Start(t.Context(), p.action("v1")); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStarted, 2)
	// Asked for as stopped by another state, what runs idle is adopted and stopped.
	if err := l.once(t).create(t.Context(), l.desired("v1", stopped)); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStopped, 0)
}

// Somebody scales a stopped release up: that is drift, and is taken back.
func TestScalingUpWhatIsStoppedIsDrift(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	if _, err := p.engine.Stop(t.Context(), p.action("v2")); err != nil {
		t.Fatal(err)
	}
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(t.Context(), l.name("v2"), types.MergePatchType, []byte(`{"spec":{"replicas":1}}`), metav1.PatchOptions{FieldManager: "kubectl"})
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := workload.Deployment(l.desired("v2", stopped))
	if err != nil {
		t.Fatal(err)
	}
	drift := workload.Drift(l.workload("v2"), wanted, l.record("v2").Baseline["Deployment"], nil)
	if len(drift) != 1 || drift[0].Field != "spec.replicas" || drift[0].Expected != "0" || drift[0].Actual != "1" {
		t.Errorf("drift is %v", drift)
	}
	if err := p.update(t.Context(), l.desired("v2", stopped), false); err != nil {
		t.Fatal(err)
	}
	l.stands("v2", release.StatusStopped, 0)
}
