package testcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// clockTolerance is how much sooner than the drain time a pod's deletion may
// seem to come, but for a third of that time: two watches do not deliver at quite
// the same moment, on a busy machine least of all.
const clockTolerance = 400 * time.Millisecond

// MainWatch records which pods a Service sent traffic to, from every event of
// its EndpointSlices, and when those pods were deleted. It never polls, so that
// no moment is missed.
type MainWatch struct {
	cluster   *Cluster
	namespace string
	service   string

	mu      sync.Mutex
	slices  map[string]*discoveryv1.EndpointSlice
	pods    map[string]*corev1.Pod
	backend map[types.UID]*backend
	deleted map[types.UID]deletion
	history []Endpoints
	lost    error // a watch that could not go on: nothing is certain any more
}

// Endpoints are the pods that were ready behind the Service from a time on.
type Endpoints struct {
	Time            time.Time
	ResourceVersion uint64
	Pods            []string // sorted
}

// backend is a pod that is, or was, ready behind the Service. Resource versions
// order events of different kinds, as times cannot.
type backend struct {
	name   string
	left   time.Time // zero while it is behind the Service
	leftAt uint64    // resource version
}

// deletion is when a pod's deletion was asked for.
type deletion struct {
	time time.Time
	at   uint64 // resource version
}

// WatchMain starts to record what is behind a Service, which need not exist
// yet. It ends with the test.
func (c *Cluster) WatchMain(t testing.TB, namespace, service string) *MainWatch {
	t.Helper()
	w := &MainWatch{
		cluster: c, namespace: namespace, service: service,
		slices:  map[string]*discoveryv1.EndpointSlice{},
		pods:    map[string]*corev1.Pod{},
		backend: map[types.UID]*backend{},
		deleted: map[types.UID]deletion{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })

	// The slices come first, so that a pod that is deleted right away is known
	// to have been behind the Service.
	slicesNow, err := w.listSlices(ctx)
	if err != nil {
		t.Fatalf("list endpoint slices: %v", err)
	}
	podsNow, err := w.listPods(ctx)
	if err != nil {
		t.Fatalf("list pods: %v", err)
	}
	for i := range slicesNow.Items {
		w.apply(watch.Event{Type: watch.Added, Object: &slicesNow.Items[i]})
	}
	for i := range podsNow.Items {
		w.apply(watch.Event{Type: watch.Added, Object: &podsNow.Items[i]})
	}
	client := c.client
	w.follow(ctx, t, &running, slicesNow.ResourceVersion, func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.LabelSelector = w.selector()
		return client.DiscoveryV1().EndpointSlices(namespace).Watch(ctx, options)
	})
	w.follow(ctx, t, &running, podsNow.ResourceVersion, func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return client.CoreV1().Pods(namespace).Watch(ctx, options)
	})
	return w
}

// NeverEmpty fails the test if, since the Service first had a ready pod, there
// was a moment at which it had none.
func (w *MainWatch) NeverEmpty(t testing.TB) {
	t.Helper()
	w.catchUp(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report(t, w.emptyMoments())
}

// Check fails the test if [MainWatch.NeverEmpty] would, or if a pod was deleted
// while it was ready behind the Service, or sooner than drain after it had left.
// (A rolling update within a release does the former, by design: use NeverEmpty
// there.) Check before the Service itself is deleted.
func (w *MainWatch) Check(t testing.TB, drain time.Duration) {
	t.Helper()
	w.catchUp(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report(t, append(w.emptyMoments(), w.earlyDeletions(drain)...))
}

// History is every change of the pods behind the Service so far.
func (w *MainWatch) History() []Endpoints {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.history)
}

// Pods are the names of the pods that are ready behind the Service now, sorted.
func (w *MainWatch) Pods(t testing.TB) []string {
	t.Helper()
	w.catchUp(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.history) == 0 {
		return nil
	}
	return w.history[len(w.history)-1].Pods
}

func (w *MainWatch) selector() string { return discoveryv1.LabelServiceName + "=" + w.service }

func (w *MainWatch) listSlices(ctx context.Context) (*discoveryv1.EndpointSliceList, error) {
	return w.cluster.client.DiscoveryV1().EndpointSlices(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: w.selector()})
}

func (w *MainWatch) listPods(ctx context.Context) (*corev1.PodList, error) {
	return w.cluster.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
}

// follow applies a watch's events. When the API server ends a watch, as it
// does now and then, it goes on from the last event.
func (w *MainWatch) follow(ctx context.Context, t testing.TB, running *sync.WaitGroup, from string, start cache.WatchFuncWithContext) {
	t.Helper()
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{WatchFuncWithContext: start})
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	running.Go(func() {
		defer watcher.Stop()
		for event := range watcher.ResultChan() {
			w.apply(event)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() == nil && w.lost == nil {
			w.lost = errors.New("the watch ended for good")
		}
	})
}

// apply takes one event into account.
func (w *MainWatch) apply(event watch.Event) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.Type == watch.Bookmark {
		return
	}
	switch object := event.Object.(type) {
	case *discoveryv1.EndpointSlice:
		if event.Type == watch.Deleted {
			delete(w.slices, object.Name)
		} else {
			w.slices[object.Name] = object
		}
		w.recompute(now, version(object.ResourceVersion))
	case *corev1.Pod:
		if event.Type == watch.Deleted {
			delete(w.pods, object.Name)
		} else {
			w.pods[object.Name] = object
		}
		if event.Type == watch.Deleted || object.DeletionTimestamp != nil {
			w.podDeleted(object, now)
		}
	case runtime.Object:
		w.lost = fmt.Errorf("the watch reported %s: %v", event.Type, object)
	}
}

// recompute derives the ready pods from the slices.
func (w *MainWatch) recompute(now time.Time, at uint64) {
	ready := map[types.UID]string{}
	for _, slice := range w.slices {
		for _, endpoint := range slice.Endpoints {
			if target := endpoint.TargetRef; target != nil && (endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready) {
				ready[target.UID] = target.Name
			}
		}
	}
	for uid, name := range ready {
		b := w.backend[uid]
		if b == nil {
			b = &backend{name: name}
			w.backend[uid] = b
		}
		b.left, b.leftAt = time.Time{}, 0
	}
	for uid, b := range w.backend {
		if _, still := ready[uid]; !still && b.left.IsZero() {
			b.left, b.leftAt = now, at
		}
	}
	names := slices.Sorted(maps.Values(ready))
	switch {
	case len(w.history) == 0 && len(names) == 0: // not begun
	case len(w.history) > 0 && slices.Equal(w.history[len(w.history)-1].Pods, names): // nothing new
	default:
		w.history = append(w.history, Endpoints{Time: now, ResourceVersion: at, Pods: names})
	}
}

// podDeleted notes when a pod's deletion was asked for: the first that is seen
// of it. All pods are noted, since the event of the slice that a pod was in may
// come later than the pod's own.
func (w *MainWatch) podDeleted(pod *corev1.Pod, now time.Time) {
	if _, known := w.deleted[pod.UID]; !known {
		w.deleted[pod.UID] = deletion{time: now, at: version(pod.ResourceVersion)}
	}
}

func (w *MainWatch) emptyMoments() []string {
	var found []string
	for i, e := range w.history {
		if len(e.Pods) > 0 {
			continue
		}
		lasted := "until now"
		if i+1 < len(w.history) {
			lasted = "for " + w.history[i+1].Time.Sub(e.Time).Round(time.Millisecond).String()
		}
		found = append(found, fmt.Sprintf("at %s (resource version %d) Service %s had no ready pod, %s; before that %s",
			e.Time.Format("15:04:05.000"), e.ResourceVersion, w.service, lasted, strings.Join(w.history[i-1].Pods, ", ")))
	}
	return found
}

func (w *MainWatch) earlyDeletions(drain time.Duration) []string {
	var found []string
	for uid, b := range w.backend {
		d, deleted := w.deleted[uid]
		if !deleted {
			continue
		}
		waited := d.time.Sub(b.left)
		switch {
		case b.leftAt == 0 || d.at < b.leftAt:
			found = append(found, fmt.Sprintf("pod %s was deleted at %s (resource version %d) while it was behind Service %s",
				b.name, d.time.Format("15:04:05.000"), d.at, w.service))
		case waited < drain-min(clockTolerance, drain*2/3):
			found = append(found, fmt.Sprintf("pod %s was deleted %s after it had left Service %s, sooner than %s",
				b.name, waited.Round(time.Millisecond), w.service, drain))
		}
	}
	slices.Sort(found)
	return found
}

func (w *MainWatch) report(t testing.TB, found []string) {
	t.Helper()
	if w.lost != nil {
		t.Errorf("what was behind Service %s is not known: %v", w.service, w.lost)
	}
	if len(w.history) == 0 {
		t.Errorf("Service %s never had a ready pod", w.service)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// catchUp waits until the watches have delivered everything up to now: until
// what they built up is what a LIST returns.
func (w *MainWatch) catchUp(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Hang) // also in a clean-up
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		same, err := w.upToDate(ctx)
		if same {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the watch of Service %s does not catch up with the API server: %v", w.service, err)
		}
	}
}

func (w *MainWatch) upToDate(ctx context.Context) (bool, error) {
	slicesNow, err := w.listSlices(ctx)
	if err != nil {
		return false, err
	}
	podsNow, err := w.listPods(ctx)
	if err != nil {
		return false, err
	}
	want, have := map[types.UID]string{}, map[types.UID]string{}
	for _, s := range slicesNow.Items {
		want[s.UID] = s.ResourceVersion
	}
	for _, p := range podsNow.Items {
		want[p.UID] = p.ResourceVersion
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return true, nil // the report says so
	}
	for _, s := range w.slices {
		have[s.UID] = s.ResourceVersion
	}
	for _, p := range w.pods {
		have[p.UID] = p.ResourceVersion
	}
	return maps.Equal(want, have), nil
}

func version(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}
