//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// route is a route with one or two releases behind it, and what has become of its
// weights.
type route struct {
	t      testing.TB
	kind   string
	name   string
	client dynamic.ResourceInterface

	mu       sync.Mutex
	first    string // the release whose share is watched; empty: the test moves it
	shifts   []shift
	accepted map[int64]time.Time // by generation: when the status said so
}

// shift is one change of a route's weights.
type shift struct {
	from, to   int // percent of the other release
	asked      time.Time
	generation int64
}

// routeOf is a route that is there, on a cluster.
func routeOf(t testing.TB, c *testnode.Cluster, kind, plural, namespace, name string) *route {
	t.Helper()
	r := &route{t: t, kind: kind, name: name, client: routesOf(t, c, plural, namespace), accepted: map[int64]time.Time{}}
	events, err := r.watch()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for t.Context().Err() == nil {
			for event := range events.ResultChan() {
				if object, ok := event.Object.(*unstructured.Unstructured); ok {
					r.see(object, time.Now())
				}
			}
			again, err := r.watch()
			if err != nil {
				pause(t, 100*time.Millisecond) // nobody is there
				continue
			}
			events = again
		}
	}()
	return r
}

// watch begins with the route as it is, and ends with the test, or when the API server
// goes away.
func (r *route) watch() (watch.Interface, error) {
	return r.client.Watch(r.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + r.name})
}

// routesOf are a namespace's routes of a kind.
func routesOf(t testing.TB, c *testnode.Cluster, plural, namespace string) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(c.REST)
	if err != nil {
		t.Fatal(err)
	}
	resource := schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: plural}
	return client.Resource(resource).Namespace(namespace)
}

// see notes what is new about the route.
func (r *route) see(object *unstructured.Unstructured, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	generation := object.GetGeneration()
	if acceptedAs(object) == generation && r.accepted[generation].IsZero() {
		r.accepted[generation] = now
	}
	if r.first == "" {
		return
	}
	s := shift{to: 100 - shareOf(object, r.first), asked: now, generation: generation}
	if n := len(r.shifts); n > 0 {
		s.from = r.shifts[n-1].to
	}
	if s.to != s.from {
		r.shifts = append(r.shifts, s)
	}
}

// follow begins to note every change of the weights: of what others get than this
// release, which has everything now.
func (r *route) follow(release string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = release
}

// sharer waits until another release than the one that is followed is behind the
// route, and returns its name.
func (r *route) sharer() (name string) {
	r.t.Helper()
	testcluster.Eventually(r.t, testcluster.Hang, "another release behind the "+r.kind, func() error {
		object, err := r.client.Get(r.t.Context(), r.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, each := range backendRefs(object) {
			if ref, _ := each.(map[string]any); ref["name"] != r.first {
				name, _ = ref["name"].(string)
			}
		}
		if name == "" {
			return errors.New("there is none")
		}
		return nil
	})
	return name
}

// backendRefs are those of a route's only rule.
func backendRefs(object *unstructured.Unstructured) []any {
	rules, _, _ := unstructured.NestedSlice(object.Object, "spec", "rules")
	if len(rules) != 1 {
		return nil
	}
	rule, _ := rules[0].(map[string]any)
	refs, _, _ := unstructured.NestedSlice(rule, "backendRefs")
	return refs
}

// shareOf is a release's percentage in the route's only rule.
func shareOf(object *unstructured.Unstructured, release string) int {
	got, all := int64(0), int64(0)
	for _, each := range backendRefs(object) {
		ref, _ := each.(map[string]any)
		weight, found, _ := unstructured.NestedInt64(ref, "weight")
		if !found {
			weight = 1
		}
		if all += weight; ref["name"] == release {
			got += weight
		}
	}
	return int(100 * got / max(all, 1))
}

// moved are the changes of the weights until now.
func (r *route) moved() []shift {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.shifts)
}

// until waits until the other release's share has been changed to a number of
// percent.
func (r *route) until(percent int) shift {
	r.t.Helper()
	var found shift
	testcluster.Eventually(r.t, testcluster.Hang, fmt.Sprintf("a weight of %d %%", percent), func() error {
		shifts := r.moved()
		at := slices.IndexFunc(shifts, func(s shift) bool { return s.to == percent })
		if at < 0 {
			return fmt.Errorf("the weights were %v", shifts)
		}
		found = shifts[at]
		return nil
	})
	return found
}

// acceptedAs is the generation of a route that its parent has accepted.
func acceptedAs(object *unstructured.Unstructured) int64 {
	var seen struct {
		Status gatewayv1.RouteStatus `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &seen); err != nil {
		return 0
	}
	for _, parent := range seen.Status.Parents {
		found := meta.FindStatusCondition(parent.Conditions, string(gatewayv1.RouteConditionAccepted))
		if found != nil && found.Status == metav1.ConditionTrue && meta.IsStatusConditionTrue(parent.Conditions, string(gatewayv1.RouteConditionResolvedRefs)) {
			return found.ObservedGeneration
		}
	}
	return 0
}

// newRoute makes a route to a port of some releases, of which the first gets all,
// and waits until the gateway has accepted it. It is gone when the test is over.
func newRoute(t testing.TB, g testnode.Gateway, w *workspace, kind, plural, host, port string, releases []string) *route {
	t.Helper()
	r := routeOf(t, w.cluster, kind, plural, w.namespace, "split-"+plural)
	var backends []any
	for i, release := range releases {
		backends = append(backends, map[string]any{"name": release, "port": w.servicePort(release, port), "weight": int64(100 * max(0, 1-i))})
	}
	spec := map[string]any{
		"parentRefs": []any{map[string]any{"name": g.Name, "namespace": g.Namespace}},
		"rules":      []any{map[string]any{"backendRefs": backends}},
	}
	if host != "" {
		spec["hostnames"] = []any{host}
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayv1.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": r.name}, "spec": spec,
	}}
	made, err := r.client.Create(t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.remove)
	testcluster.Eventually(t, testcluster.Hang, "the gateway to accept the "+kind, func() error {
		if r.acceptedAt(made.GetGeneration()).IsZero() {
			return errors.New("it has not")
		}
		return nil
	})
	return r
}

func (r *route) acceptedAt(generation int64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted[generation]
}

// servicePort is the number of a port of a release's own Service.
func (w *workspace) servicePort(release, name string) int64 {
	w.t.Helper()
	service, err := w.cluster.Client().CoreV1().Services(w.namespace).Get(w.t.Context(), release, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, port := range service.Spec.Ports {
		if port.Name == name {
			return int64(port.Port)
		}
	}
	w.t.Fatalf("the Service %s has no port %q: %v", release, name, service.Spec.Ports)
	return 0
}

// weigh gives the second release a share.
func (r *route) weigh(percent int) {
	r.t.Helper()
	var patch []map[string]any
	for i, weight := range []int{100 - percent, percent} {
		patch = append(patch, map[string]any{"op": "replace", "path": fmt.Sprintf("/spec/rules/0/backendRefs/%d/weight", i), "value": weight})
	}
	content, err := json.Marshal(patch)
	if err != nil {
		r.t.Fatal(err)
	}
	s := shift{to: percent, asked: time.Now()}
	if done := r.moved(); len(done) > 0 {
		s.from = done[len(done)-1].to
	}
	changed, err := r.client.Patch(r.t.Context(), r.name, types.JSONPatchType, content, metav1.PatchOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	s.generation = changed.GetGeneration()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shifts = append(r.shifts, s)
}

// remove removes the route, if it is there: a release that a route leads to
// carries traffic.
func (r *route) remove() {
	err := r.client.Delete(context.WithoutCancel(r.t.Context()), r.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		r.t.Error(err)
	}
}

// mustSplit fails the test unless each shift came into effect before the next one,
// and each release got its share after that, to a percent; or to a few answers, where
// these are more: with whatever it reads, the gateway begins to count again.
//
// What failed is left out: whether anything may is the test's to say. It returns the
// answers of each shift's time, once it was in effect.
func (r *route) mustSplit(answers []answer) (settled [][]answer) {
	r.t.Helper()
	return r.mustSplitWith("v2", answers)
}

// mustSplitWith is mustSplit where another version than v2 is the other release's.
func (r *route) mustSplitWith(second string, answers []answer) (settled [][]answer) {
	r.t.Helper()
	const tolerated, few = 1.0, 10.0 // percent, answers
	shifts := r.moved()
	for i, s := range shifts {
		during := between(answers, s.asked, time.Now())
		if i+1 < len(shifts) {
			during = between(answers, s.asked, shifts[i+1].asked)
		}
		during = slices.DeleteFunc(during, func(a answer) bool { return a.err != nil })
		effect := inEffect(during, s, second)
		after := slices.DeleteFunc(during, func(a answer) bool { return a.began.Before(effect) })
		settled = append(settled, after)
		got := share(after, second)
		r.t.Logf("%s %3d %% → %3d %%: accepted after %s, in effect after %s; then %d of %d answers = %.2f %%", r.kind, s.from, s.to,
			ms(s.asked, r.acceptedAt(s.generation)), ms(s.asked, effect), answeredBy(after, second), len(after), got)
		if len(after) < 100 || math.Abs(got-float64(s.to)) > max(tolerated, 100*few/float64(len(after))) {
			r.t.Errorf("%s: of %d answers, %.2f %% came from %s with a weight of %d %%", r.kind, len(after), got, second, s.to)
		}
	}
	return settled
}

// marks are the changes of the weights, for a plot.
func (r *route) marks() (marks []mark) {
	for _, s := range r.moved() {
		marks = append(marks, mark{s.asked, fmt.Sprintf("%d %%", s.to)})
	}
	return marks
}

// share is how many percent of answers came from a version.
func share(answers []answer, version string) float64 {
	return 100 * float64(answeredBy(answers, version)) / float64(max(1, len(answers)))
}

func answeredBy(answers []answer, version string) (n int) {
	for _, a := range answers {
		if a.version == version && a.err == nil {
			n++
		}
	}
	return n
}

// inEffect tells when a shift came into effect: the moment that explains best why
// the second version answered as often before it, and as often after it, as it did
// (the likeliest change point of two Bernoulli series).
func inEffect(answers []answer, s shift, second string) time.Time {
	slices.SortFunc(answers, func(a, b answer) int { return a.began.Compare(b.began) })
	gain := func(hit bool) float64 { // of the former weight over the new one
		from, to := probability(s.from), probability(s.to)
		if hit {
			return math.Log(from) - math.Log(to)
		}
		return math.Log(1-from) - math.Log(1-to)
	}
	at, best, sum := s.asked, 0.0, 0.0
	for i, a := range answers {
		sum += gain(a.version == second)
		if sum > best {
			best, at = sum, a.began.Add(time.Microsecond)
			if i+1 < len(answers) {
				at = answers[i+1].began
			}
		}
	}
	return at
}

// probability is a weight as one; none is impossible, or a single answer on its way
// would decide everything.
func probability(percent int) float64 { return min(max(float64(percent)/100, 0.001), 0.999) }
