//go:build e2e

package e2e_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// TestRouteComesAndGoes gives an application that has a Service alone a route, gives
// the route another name, takes it away together with a new version, and gives the
// application another one together with a third, which moves by shares. Callers of the
// Service notice nothing of it. Nor do those who come through the gateway, for as long
// as there is a route: clients leave before it goes, and come when it is there.
func TestRouteComesAndGoes(t *testing.T) {
	beside(t, loaded)
	g := gateway(t, shared(t))
	w := newWorkspace(t, newNamespace(t))
	host := "web." + w.namespace + ".example.com"
	alone := config{version: "v1", keep: 2}
	routed := func(version, name string) config {
		c := alone
		c.version = version
		c.route = fmt.Sprintf(`{ name = %q, parent_refs = [{ name = %q, namespace = %q }], settle = "1s", hostnames = [%q] }`, name, g.Name, g.Namespace, host)
		return c
	}
	w.mustApply(alone)
	getEventually(t, w.address(alone))
	service := newLoad(t, w.address(alone))
	service.offer(gatewayFreshRate, 100, newSingle)
	service.offer(gatewayKeptRate, 40, newKeepAlive("opened to v1"))
	var marks []mark
	apply := func(what string, c config) {
		marks = append(marks, mark{time.Now(), what})
		w.mustApply(c)
		marks = append(marks, mark{time.Now(), "applied"})
	}
	pause(t, watched)

	apply("a route", routed("v1", "web"))
	through := loadThrough(t, g, host)
	through.untilAnswered("v1", newSingle)
	through.offer(gatewayFreshRate, 100, newSingle)
	through.offer(gatewayKeptRate, 40, newKeepAlive("kept"))
	pause(t, watched)
	apply("another name", routed("v1", "shop"))
	w.wantRoutes("shop")
	pause(t, watched)
	came := through.end()

	alone.version = "v2"
	apply("v2, no route", alone)
	w.wantRoutes()
	second := w.release()
	w.untilAnsweredBy(w.address(alone), "v2")
	pause(t, watched)

	third := routed("v3", "web")
	third.main = `  canary = { steps = [{ weight = 10, pause = "5s" }] }`
	r := routeOf(t, w.cluster, "HTTPRoute", "httproutes", w.namespace, "web")
	r.follow(second)
	marks = append(marks, mark{time.Now(), "v3, a route"})
	x := w.startApply(third)
	r.until(10)
	again := loadThrough(t, g, host)
	again.untilAnswered("", newSingle)
	again.offer(gatewayFreshRate, 100, newSingle)
	again.offer(gatewayKeptRate, 40, newKeepAlive("kept"))
	if _, err := x.wait(); err != nil {
		t.Fatal(err)
	}
	marks = append(marks, mark{time.Now(), "applied"})
	w.untilAnsweredBy(w.address(third), "v3")
	pause(t, watched)
	called, split := service.end(), again.end()

	t.Logf("by the Service: offered %d, answered: %s", service.offered, sum(called))
	service.draw(t, "route-comes-and-goes", "a route comes, is renamed, goes, comes again: answers of the Service a second", called, marks)
	service.mustNotFail(t, called)
	t.Logf("through the first routes: offered %d, answered: %s", through.offered, sum(came))
	through.mustNotFail(t, came)
	if n := answeredBy(came, "v1"); n != len(came) {
		t.Errorf("%d of %d answers through v1's routes are not v1's", len(came)-n, len(came))
	}
	t.Logf("through the last one: offered %d, answered: %s", again.offered, sum(split))
	again.mustNotFail(t, split)
	r.mustSplitWith("v3", split)
	for _, version := range []string{"v1", "v2", "v3"} {
		if !answered(called, fresh, version) {
			t.Errorf("%s never answered by the Service", version)
		}
	}
	w.planIsEmpty(third)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
	w.wantRoutes()
}

// TestExistingRouteMovesInUnderLoad takes over a rule of a route that leads to a plain
// Deployment: v1 gets its traffic by shares, and v2 from v1. Then the application gets a
// route of its own, takes the rule again, and gives it back at the end. Requests come in
// all the time, by the one hostname that both routes have. None may fail.
func TestExistingRouteMovesInUnderLoad(t *testing.T) {
	beside(t, loaded)
	g := gateway(t, shared(t))
	w := newWorkspace(t, newNamespace(t))
	host := "web." + w.namespace + ".example.com"
	before := w.legacy()
	shop := w.theirRoute(g, host, before.Name)
	taken := config{
		version: "v1", adopt: true, keep: 1, drain: "2s",
		route: `{ adopt = true, name = "shop", rule = "web", port = "http", settle = "1s" }`,
		main:  `  canary = { steps = [{ weight = 10, pause = "3s" }] }`,
	}
	l := loadThrough(t, g, host)
	l.untilAnswered("v0", newSingle)
	l.offer(gatewayFreshRate, 100, newSingle)
	l.offer(gatewayKeptRate, 40, newKeepAlive("kept"))
	var marks []mark
	apply := func(what string, c config) (began time.Time) {
		pause(t, watched)
		began = time.Now()
		w.mustApply(c)
		marks = append(marks, mark{began, what}, mark{time.Now(), "applied"})
		w.planIsEmpty(c)
		return began
	}
	follow := func(release string) *route {
		r := routeOf(t, w.cluster, "HTTPRoute", "httproutes", w.namespace, "shop")
		r.follow(release)
		return r
	}

	first := follow(before.Name)
	apply("v1 by the rule", taken)
	first.follow("") // that is all of its
	second := follow(w.release())
	taken.version = "v2"
	bumped := apply("v2", taken)
	second.follow("")
	back, own := follow(w.release()), routeOf(t, w.cluster, "HTTPRoute", "httproutes", w.namespace, "web")
	its := taken
	its.route = fmt.Sprintf(`{ port = "http", parent_refs = [{ name = %q, namespace = %q }], settle = "1s", hostnames = [%q] }`, g.Name, g.Namespace, host)
	moved := apply("a route of its own", its)
	if accepted, given := own.acceptedAt(1), back.until(100).asked; accepted.IsZero() || given.Before(accepted) {
		t.Errorf("the rule was given back at %s, and its own route was accepted at %s", given, accepted)
	}
	w.wantRoutes("shop", "web")
	shop.remove()
	pause(t, watched)
	shop = w.theirRoute(g, host, before.Name)
	apply("by the rule again", taken)
	w.wantRoutes("shop")
	pause(t, watched)
	ended := time.Now()
	if _, err := w.destroy(); err != nil {
		t.Fatal(err)
	}
	marks = append(marks, mark{ended, "destroy"}, mark{time.Now(), "destroyed"})
	l.untilAnswered("v0", newSingle)
	returned := time.Now()
	pause(t, watched)
	answers := l.end()

	t.Logf("offered %d, answered: %s", l.offered, sum(answers))
	l.draw(t, "route-moves-in", "A rule of a route moves in, goes over to another route, and comes back: answers a second", answers, marks)
	l.mustNotFail(t, answers)
	first.mustSplitWith("v1", between(answers, l.began, bumped))
	second.mustSplitWith("v2", between(answers, bumped, moved))
	if still := between(answers, moved, ended); answeredBy(still, "v2") != len(still) {
		t.Errorf("between its routes, others than v2 have answered: %s", sum(still))
	}
	if last := between(answers, returned.Add(watched/3), time.Now()); len(last) == 0 || answeredBy(last, "v0") != len(last) {
		t.Errorf("at the end these answer: %s", sum(last))
	}
	shop.wantAsMade()
}

// theirRoute makes the route "shop" of somebody else, whose rule "web" leads to a
// Service.
func (w *workspace) theirRoute(g testnode.Gateway, host, service string) theirs {
	w.t.Helper()
	client := routesOf(w.t, w.cluster, "httproutes", w.namespace)
	made, err := client.Create(w.t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gatewayv1.GroupVersion.String(), "kind": "HTTPRoute", "metadata": map[string]any{"name": "shop"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": g.Name, "namespace": g.Namespace}},
			"hostnames":  []any{host},
			"rules":      []any{map[string]any{"name": "web", "backendRefs": []any{map[string]any{"name": service, "port": int64(80)}}}},
		},
	}}, metav1.CreateOptions{FieldManager: testcluster.LegacyManager})
	if err != nil {
		w.t.Fatal(err)
	}
	return theirs{w, client, made}
}

// theirs is a route of somebody else, as it was made.
type theirs struct {
	*workspace
	client dynamic.ResourceInterface
	made   *unstructured.Unstructured
}

func (r theirs) remove() {
	r.t.Helper()
	if err := r.client.Delete(r.t.Context(), r.made.GetName(), metav1.DeleteOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// wantAsMade fails the test unless the route is what it was, and nobody else's.
func (r theirs) wantAsMade() {
	r.t.Helper()
	now, err := r.client.Get(r.t.Context(), r.made.GetName(), metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	if !reflect.DeepEqual(now.Object["spec"], r.made.Object["spec"]) || now.GetUID() != r.made.GetUID() {
		r.t.Errorf("the route is %v, and was %v", now.Object["spec"], r.made.Object["spec"])
	}
	for _, entry := range now.GetManagedFields() {
		if strings.HasPrefix(entry.Manager, "switchback") {
			r.t.Errorf("%s has %s of the route", entry.Manager, entry.FieldsV1)
		}
	}
}

// wantRoutes fails the test unless the namespace has these HTTPRoutes.
func (w *workspace) wantRoutes(names ...string) {
	w.t.Helper()
	list, err := routesOf(w.t, w.cluster, "httproutes", w.namespace).List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, each := range list.Items {
		got = append(got, each.GetName())
	}
	if !slices.Equal(got, names) {
		w.t.Errorf("there are the routes %q, not %q", got, names)
	}
}
