package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// fleet is an application's namespace on each of three clusters, a, b and c.
type fleet struct {
	t      *testing.T
	on     map[string]*life
	engine *rollout.Engine
	wired  map[string]rollout.Cluster
}

func (f *fleet) clusters(names ...string) []rollout.Cluster {
	var all []rollout.Cluster
	for _, name := range names {
		all = append(all, f.wired[name])
	}
	return all
}

// again is a new process, on new connections.
func (f *fleet) again() {
	f.t.Helper()
	closed(slices.Collect(maps.Values(f.wired))) // the one before has ended
	f.engine, f.wired = rollout.New(faultyTiming()), map[string]rollout.Cluster{}
	for name, l := range f.on {
		c, err := cluster.New(cluster.Config{Name: name, UserAgent: "terraform-provider-switchback/test", ConfigPath: l.proxy.KubeconfigPath})
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(c.Close)
		f.wired[name] = wiredCluster{c}
	}
}

func newFleet(t *testing.T, clusters []*testcluster.Cluster) *fleet {
	t.Helper()
	f := &fleet{t: t, on: map[string]*life{}}
	first := newLife(t, clusters[0])
	for i, c := range clusters {
		l := first
		if i > 0 {
			l = &life{t: t, cluster: c, proxy: c.Proxy(t), namespace: first.namespace, owners: first.owners}
			if _, err := c.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		l.statuses = l.watchStatuses()
		f.on[string(rune('a'+i))] = l
	}
	f.again()
	return f
}

// allowed makes sure that no record went through what the tables do not allow.
func (f *fleet) allowed() {
	f.t.Helper()
	for _, l := range f.on {
		l.statuses.allowed(l)
	}
}

// noPods is a cluster that takes no workloads.
func noPods(r *testcluster.Request, _ int) testcluster.Fault {
	if r.Method == http.MethodPatch && strings.Contains(r.Path, "/deployments/") {
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	}
	return testcluster.Fault{}
}

// stand is the status and the custody of v1 on each cluster.
func (f *fleet) stand() string {
	f.t.Helper()
	var parts []string
	for _, name := range []string{"a", "b", "c"} {
		l, text := f.on[name], "-"
		cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(f.t.Context(), l.name("v1"), metav1.GetOptions{})
		switch {
		case err == nil:
			record, err := release.ParseRecord(cm.Data)
			if err != nil {
				f.t.Fatal(err)
			}
			text = string(record.Status) + " " + string(record.Custody)
			if record.Busy() {
				text += " busy"
			}
		case !apierrors.IsNotFound(err):
			f.t.Fatal(err)
		}
		parts = append(parts, name+": "+text)
	}
	return strings.Join(parts, ", ")
}

func (f *fleet) wantStand(want string) {
	f.t.Helper()
	if got := f.stand(); got != want {
		f.t.Errorf("v1 stands as %s\nwant %s", got, want)
	}
}

// ended is how an operation ended, as its result tells.
func ended(outcomes []rollout.Outcome) string {
	var parts []string
	for _, o := range outcomes {
		text := o.Cluster + ": " + string(o.Status)
		if o.Reason != "" {
			text += " (" + o.Reason + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// applied says on which clusters there is a workload.
func (f *fleet) applied(version string) []string {
	f.t.Helper()
	var on []string
	for _, name := range []string{"a", "b", "c"} {
		l := f.on[name]
		_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(f.t.Context(), l.name(version), metav1.GetOptions{})
		if err == nil {
			on = append(on, name)
		} else if !apierrors.IsNotFound(err) {
			f.t.Fatal(err)
		}
	}
	return on
}

// inPlaceOn makes an application that changes in place on all three clusters.
func (f *fleet) inPlaceOn(t *testing.T) (owner string) {
	t.Helper()
	for _, l := range f.on {
		l.names = map[string]string{"v1": l.rolling("v1", nil).Name()}
	}
	done, err := f.engine.Deploy(t.Context(), f.clusters("a", "b", "c"), f.on["a"].rolling("v1", nil))
	if err != nil {
		t.Fatal(err)
	}
	f.again()
	return done.Owner
}

func (f *fleet) wantVersions(want string) {
	f.t.Helper()
	var parts []string
	for _, name := range []string{"a", "b", "c"} {
		parts = append(parts, name+": "+f.on[name].workload("v1").Annotations[release.AnnotationVersion]+" "+f.on[name].record("v1").Version)
	}
	if got := strings.Join(parts, ", "); got != want {
		f.t.Errorf("workloads and records have %s\nwant %s", got, want)
	}
}

// full lets a cluster have no more pods than so many.
func (f *fleet) full(name string, pods int) {
	f.t.Helper()
	l := f.on[name]
	if _, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(f.t.Context(), quota(pods), metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
	testcluster.Eventually(f.t, testcluster.Hang, "the quota to be counted", func() error {
		q, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Get(f.t.Context(), "full", metav1.GetOptions{})
		if err == nil && len(q.Status.Used) == 0 {
			err = errors.New("it is not")
		}
		return err
	})
}

// crash has a container of the release restarted once, as soon as it runs.
func (f *fleet) crash(ctx context.Context, name, version string) {
	l := f.on[name]
	pods := l.cluster.Client().CoreV1().Pods(l.namespace)
	testcluster.Eventually(f.t, testcluster.Hang, "a ready pod to crash", func() error {
		list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)})
		if err != nil {
			return err
		}
		if d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(ctx, l.name(version), metav1.GetOptions{}); err != nil || d.Status.ReadyReplicas < 2 || d.Status.UpdatedReplicas < 2 {
			return fmt.Errorf("it is not up: %w", err)
		}
		for i := range list.Items {
			pod := &list.Items[i]
			if len(pod.Status.ContainerStatuses) == 0 || pod.DeletionTimestamp != nil || pod.Annotations[release.AnnotationContentHash] != l.workload(version).Spec.Template.Annotations[release.AnnotationContentHash] {
				continue
			}
			pod.Status.ContainerStatuses[0].RestartCount++
			_, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
			return err
		}
		return errors.New("no pod to crash")
	})
}

// settledOn waits until the engine has told that the release is up on a cluster:
// from then on it is being watched.
func (f *fleet) settledOn(t *testing.T, name, reason string) {
	t.Helper()
	l := f.on[name]
	testcluster.Eventually(t, testcluster.Hang, "the release to be up on "+name, func() error {
		events, err := l.cluster.Client().EventsV1().Events(l.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool { return e.Reason == reason && e.Regarding.Name == l.name("v1") }) {
			return fmt.Errorf("no event %q", reason)
		}
		return nil
	})
}
