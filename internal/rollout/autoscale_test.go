package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// There are no metrics on the test cluster: its autoscaler keeps the number of
// pods within bounds, and the tests decide like one within them.

// fixed and scaled are specs of a version with a fixed number of pods, and with
// one that an autoscaler decides.
func (l *life) fixed(version string, replicas int32) release.Spec {
	spec := l.spec(version, "demo/api")
	spec.Replicas = replicas
	return spec
}

func (l *life) scaled(version string, replicas, least, most int32) release.Spec {
	spec := l.fixed(version, replicas)
	spec.Autoscaling = &release.Autoscaling{Min: least, Max: most, CPU: new(int32(50))}
	return spec
}

// change is an update whose plan has shown no drift.
func (p *process) change(ctx context.Context, spec release.Spec) error {
	defer p.done()
	_, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: spec, Owner: p.owners[spec.Content.Version], Keep: p.on})
	return err
}

// autoscale decides on a number of pods as an autoscaler does, and waits until
// they are there.
func (l *life) autoscale(version string, replicas int32) {
	l.t.Helper()
	deployments, name := l.cluster.Client().AppsV1().Deployments(l.namespace), l.name(version)
	scale, err := deployments.GetScale(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	scale.Spec.Replicas, scale.ResourceVersion = replicas, ""
	if _, err := deployments.UpdateScale(l.t.Context(), name, scale, metav1.UpdateOptions{FieldManager: "kube-controller-manager"}); err != nil {
		l.t.Fatal(err)
	}
	testcluster.Eventually(l.t, testcluster.Hang, fmt.Sprintf("%d pods", replicas), func() error {
		if d := l.workload(version); d.Status.ReadyReplicas != replicas || d.Status.Replicas != replicas {
			return fmt.Errorf("%+v", d.Status)
		}
		return nil
	})
}

// counts records every number of pods that a workload was asked to have, and
// had ready.
type counts struct {
	mu      sync.Mutex
	asked   []int32 // without repetitions
	ready   []int32
	version string // resource version of what was seen last
}

func (l *life) watchCounts(version string) *counts {
	l.t.Helper()
	c := &counts{}
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + l.name(version)}
	list, err := l.cluster.Client().AppsV1().Deployments(l.namespace).List(l.t.Context(), options)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range list.Items {
		c.see(&list.Items[i])
	}
	options.ResourceVersion = list.ResourceVersion
	w, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Watch(context.Background(), options)
	if err != nil {
		l.t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for event := range w.ResultChan() {
			if d, ok := event.Object.(*appsv1.Deployment); ok && event.Type != watch.Deleted {
				c.see(d)
			}
		}
	})
	l.t.Cleanup(func() { w.Stop(); running.Wait() })
	return c
}

func (c *counts) see(d *appsv1.Deployment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = d.ResourceVersion
	if d.Spec.Replicas == nil {
		c.asked = append(c.asked, -1)
	} else if n := len(c.asked); n == 0 || c.asked[n-1] != *d.Spec.Replicas {
		c.asked = append(c.asked, *d.Spec.Replicas)
	}
	if n := len(c.ready); n == 0 || c.ready[n-1] != d.Status.ReadyReplicas {
		c.ready = append(c.ready, d.Status.ReadyReplicas)
	}
}

// wantCounts fails the test unless the workload was asked for these numbers of
// pods since the watch began, in this order, and never had fewer ready than least.
func (l *life) wantCounts(c *counts, version string, least int32, want ...int32) {
	l.t.Helper()
	now := l.workload(version).ResourceVersion
	testcluster.Eventually(l.t, testcluster.Hang, "the watch to catch up", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.version < now && len(c.version) <= len(now) {
			return fmt.Errorf("it is at %s, not %s", c.version, now)
		}
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.asked, want) {
		l.t.Errorf("%s was asked to have %v pods, want %v\n%s", version, c.asked, want, l.log())
	}
	if fewest := slices.Min(c.ready); fewest < least {
		l.t.Errorf("%s had %v pods ready, want never fewer than %d", version, c.ready, least)
	}
}

// wantCompanions fails the test unless the namespace has these and no others,
// by kind and version, and a refresh finds no drift.
func (l *life) wantCompanions(spec release.Spec) {
	l.t.Helper()
	var want, got []string
	for _, kind := range spec.Companions() {
		want = append(want, string(kind)+"/"+spec.Content.Name())
	}
	for _, o := range l.objects() {
		if strings.HasPrefix(o, string(release.CompanionAutoscaler)) || strings.HasPrefix(o, string(release.CompanionDisruptionBudget)) {
			got = append(got, o)
		}
	}
	if !slices.Equal(got, want) {
		l.t.Errorf("there are %v, want %v\n%s", got, want, l.log())
	}
	p := l.process(l.t)
	defer p.end()
	o := observe.Releases(l.t.Context(), p.on, release.ID{Namespace: l.namespace, Name: spec.Content.Name()})[0]
	if o.Err != nil || o.Record.Status != spec.DesiredState.Goal() || o.Record.Busy() || !slices.Equal(o.Record.Companions, spec.Companions()) ||
		(o.Autoscaler != nil) != (spec.Autoscaling != nil) || (o.DisruptionBudget != nil) != (spec.LeastPods() > 1) {
		l.t.Fatalf("it is %+v %+v", o, o.Record)
	}
	for _, kind := range append([]string{"Deployment", "Service"}, companionNames(spec)...) {
		if len(o.Record.Baseline[kind]) == 0 {
			l.t.Errorf("the record has no baseline of the %s: its drift would not be seen", kind)
		}
	}
	rendered, err := workload.Deployment(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	drift := workload.Drift(o.Workload, rendered, o.Record.Baseline["Deployment"], nil)
	if o.Autoscaler != nil {
		drift = append(drift, workload.Drift(o.Autoscaler, workload.Autoscaler(spec), o.Record.Baseline["HorizontalPodAutoscaler"], nil)...)
	}
	if o.DisruptionBudget != nil {
		drift = append(drift, workload.Drift(o.DisruptionBudget, workload.DisruptionBudget(spec), o.Record.Baseline["PodDisruptionBudget"], nil)...)
	}
	if off := workload.SwitchedOff(o.Workload, spec); off != nil {
		drift = append(drift, *off)
	}
	if len(drift) > 0 {
		l.t.Errorf("drift: %+v", drift)
	}
}

func companionNames(spec release.Spec) (names []string) {
	for _, kind := range spec.Companions() {
		names = append(names, string(kind))
	}
	return names
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// The number of pods goes to the autoscaler and comes back while the release
// serves.
func TestReplicasChangeHands(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	must(t, l.once(t).create(ctx, l.fixed("v1", 4)), l.once(t).promote(ctx, "v1", 0))
	l.wantCompanions(l.fixed("v1", 4))
	main := l.cluster.WatchMain(t, l.namespace, "api")

	there := l.watchCounts("v1")
	must(t, l.once(t).change(ctx, l.scaled("v1", 1, 2, 6)))
	l.wantCompanions(l.scaled("v1", 1, 2, 6))
	l.wantCounts(there, "v1", 4, 4)
	l.autoscale("v1", 6)
	must(t, l.once(t).change(ctx, l.scaled("v1", 1, 2, 9))) // and is left alone from then on
	l.autoscale("v1", 5)
	must(t, l.once(t).change(ctx, l.scaled("v1", 3, 2, 9)))
	l.wantCounts(there, "v1", 4, 4, 6, 5)
	l.wantCompanions(l.scaled("v1", 3, 2, 9))

	back := l.watchCounts("v1")
	must(t, l.once(t).change(ctx, l.fixed("v1", 3)))
	l.wantCounts(back, "v1", 3, 5, 3)
	l.wantCompanions(l.fixed("v1", 3))
	must(t, l.once(t).change(ctx, l.fixed("v1", 1)))
	l.wantCompanions(l.fixed("v1", 1))
	main.NeverEmpty(t)
}

// An autoscaler that has never decided anything leaves the number with us: it
// comes back although our second manager still has it.
func TestReplicasComeBackUntouched(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	must(t, l.once(t).create(ctx, l.scaled("v1", 3, 2, 6)))
	l.wantCompanions(l.scaled("v1", 3, 2, 6))
	c := l.watchCounts("v1")
	must(t,
		l.once(t).change(ctx, l.scaled("v1", 3, 2, 7)),
		l.once(t).change(ctx, l.scaled("v1", 3, 2, 8)),
		l.once(t).change(ctx, l.fixed("v1", 3)),
		l.once(t).change(ctx, l.scaled("v1", 3, 4, 8)), // it has to have 4 now
		l.once(t).change(ctx, l.fixed("v1", 4)))
	l.wantCounts(c, "v1", 3, 3, 4)
	l.wantCompanions(l.fixed("v1", 4))
}

// A release that follows a main deployment begins with as many pods as that has
// by then; going back is following, too.
func TestReleaseStartsWithAsManyPodsAsMainHas(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	must(t, l.once(t).create(ctx, l.scaled("v1", 1, 2, 9)), l.once(t).promote(ctx, "v1", 2))
	if n := *l.workload("v1").Spec.Replicas; n != 2 {
		t.Errorf("v1 starts with %d pods, want the minimum, 2", n)
	}
	l.autoscale("v1", 6)

	v2, v3 := l.watchCounts("v2"), l.watchCounts("v3")
	must(t, l.once(t).create(ctx, l.scaled("v2", 1, 2, 9)), l.once(t).create(ctx, l.scaled("v3", 1, 2, 4)))
	l.wantCounts(v2, "v2", 0, 6)
	l.wantCounts(v3, "v3", 0, 4) // no more than it may
	must(t, l.once(t).promote(ctx, "v2", 2), l.once(t).terminate(ctx, "v1"))

	// v1 is retained, and nobody uses it, while v2 has more to do.
	l.autoscale("v2", 7)
	l.autoscale("v1", 2)
	v1 := l.watchCounts("v1")
	must(t, l.once(t).create(ctx, l.scaled("v1", 1, 2, 9)))
	l.wantCounts(v1, "v1", 2, 2, 7)
	must(t, l.once(t).promote(ctx, "v1", 0))
}

// Whoever stopped an autoscaled release has switched its autoscaler off.
func TestAutoscaledReleaseIsStartedAgain(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	spec := l.scaled("v1", 3, 2, 9)
	must(t, l.once(t).create(ctx, spec))
	l.autoscale("v1", 5)
	l.autoscale("v1", 0)
	if off := workload.SwitchedOff(l.workload("v1"), spec); off == nil || off.Manager != "" {
		t.Errorf("nothing is said of it: %v", off)
	}
	c := l.watchCounts("v1")
	must(t, l.once(t).change(ctx, spec))
	l.wantCounts(c, "v1", 0, 0, 3)
	if n := l.workload("v1").Status.ReadyReplicas; n != 3 {
		t.Errorf("the update did not wait for its pods: %d are ready", n)
	}
}

func TestTerminateRemovesCompanions(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("record lost %t", lost), func(t *testing.T) {
			t.Parallel()
			l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
			must(t, l.once(t).create(ctx, l.scaled("v1", 2, 2, 4)))
			if lost {
				must(t, l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(ctx, l.name("v1"), metav1.DeleteOptions{}))
			}
			must(t, l.once(t).terminate(ctx, "v1"))
			if left := l.objects(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A record that was lost says nothing of the autoscaler that nobody asks for
// any more.
func TestLostRecordHidesNoAutoscaler(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*process, context.Context, release.Spec) error{"create": (*process).create, "update": (*process).change} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
			must(t, l.once(t).create(ctx, l.scaled("v1", 2, 2, 4)),
				l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(ctx, l.name("v1"), metav1.DeleteOptions{}),
				again(l.process(t), ctx, l.fixed("v1", 1)))
			l.wantCompanions(l.fixed("v1", 1))
		})
	}
}

func TestForeignCompanionIsRefusedBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	spec := l.scaled("v1", 2, 2, 4)
	theirs := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: l.name("v1"), Labels: map[string]string{release.LabelManagedBy: "Helm"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "theirs"}, MaxReplicas: 3,
		},
	}
	_, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Create(ctx, theirs, metav1.CreateOptions{})
	must(t, err)
	err = l.once(t).create(ctx, spec)
	var foreign *release.ForeignError
	if !errors.As(err, &foreign) || foreign.Kind != "HorizontalPodAutoscaler" || foreign.Manager != "Helm" {
		t.Errorf("got %v", err)
	}
	for _, r := range l.proxy.Writes() {
		if !strings.HasPrefix(r.Path, "/apis/auth") {
			t.Errorf("written: %s", r.String())
		}
	}
	// Who does not ask for one has nothing to do with it.
	must(t, l.once(t).create(ctx, l.fixed("v1", 1)), l.once(t).terminate(ctx, "v1"))
	if _, err := l.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(l.namespace).Get(ctx, l.name("v1"), metav1.GetOptions{}); err != nil {
		t.Errorf("theirs: %v", err)
	}
}

// TestRequestsOfAnAutoscaledCreate: at most two an object and three more, also
// where it asks how many pods main has.
func TestRequestsOfAnAutoscaledCreate(t *testing.T) {
	t.Parallel()
	l, ctx := newLife(t, testcluster.Shared(t)), t.Context()
	must(t, l.once(t).create(ctx, l.scaled("v1", 2, 2, 4)), l.once(t).promote(ctx, "v1", 0))
	l.proxy.Reset()
	must(t, l.once(t).create(ctx, l.scaled("v2", 2, 2, 4)))
	const objects = 5 // record, workload, Service, autoscaler, budget
	counted := 0
	for _, r := range l.proxy.Requests() {
		_, rest, _ := strings.Cut(r.Path, "/namespaces/"+l.namespace+"/")
		list := r.Method == http.MethodGet && !strings.Contains(rest, "/")
		if rest != "" && !list && !strings.HasSuffix(r.Path, "/events") {
			counted++
		}
	}
	if counted > 2*objects+3 || counted < objects {
		t.Errorf("%d requests:\n%s", counted, l.log())
	}
	t.Logf("%d requests", counted)
}
