//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
