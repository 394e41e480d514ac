package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// The tests of clusters that are away, or that the provider does not have any
// more: see TestAccThreeClusters.

func destroyUnreachable(_ *testing.T, f *trio) {
	w := f.inProcess()
	w.apply(f.config(f.deployment(onAll)))
	f.proxies["c"].Down(f.t)
	w.destroyFails().tells("Cluster is unreachable, and not forgotten", `"c"`, "abandon_unreachable", "terraform state rm")
	w.wantState(theDeployment, "clusters", []any{"c"})
	f.wantStatus(w, "c: started")
	for _, name := range []string{"a", "b"} {
		f.on[name].wantNothingLeft()
	}
	f.proxies["c"].Up(f.t)
	w.destroy()
	f.on["c"].wantNothingLeft()
}

// The attribute is set when the cluster is gone already, and needs it for nothing.
func abandonAtDestroy(_ *testing.T, f *trio) {
	w := f.inProcess()
	config := func(lines ...string) string {
		return f.config(f.deployment(append(lines, onAll)...), f.main(append(lines, onAll)...))
	}
	w.apply(config())
	f.proxies["c"].Down(f.t)
	w.destroyFails().tells("and not forgotten")
	for _, name := range []string{"a", "b"} {
		f.on[name].wantMain(nameOf("v1")) // the address is left everywhere, or nowhere
		f.proxies[name].Reset()
	}
	w.apply(config(abandoning)).wantActions(theDeployment, "update", theMain, "update")
	f.quiet("a", "b")
	r := w.destroy()
	r.warns("Forgotten, not removed", `"c"`,
		"kubectl --namespace "+f.namespace+" delete service/api configmap/api-switchback lease/api-switchback",
		"delete deployment,service,configmap,hpa,pdb --selector switchback.dev/deployment="+nameOf("v1"))
	if n := r.warnings("Forgotten, not removed"); n != 2 {
		f.t.Errorf("%d resources were forgotten, want 2:\n%s", n, r.messages(""))
	}
	w.wantAbsent(theDeployment)
	w.wantAbsent(theMain)
	for _, name := range []string{"a", "b"} {
		f.on[name].wantNothingLeft()
	}
	f.proxies["c"].Up(f.t)
	f.on["c"].wantMain(nameOf("v1"))
}

// TestAccProxyThatAnswersAbandonsNothing: a proxy says that it did not reach the
// cluster, which may be well.
func TestAccProxyThatAnswersAbandonsNothing(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		l.provider = connection(l.cluster.KubeconfigPath, lines...)
		return l.config(l.deployment(abandoning), l.main(abandoning))
	}
	w.apply(config())
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(proxy.Close)
	w.write(config(fmt.Sprintf("proxy_url = %q", proxy.URL)))
	r := w.destroyFails()
	r.tells("Cluster is unreachable, and not forgotten", "a proxy has answered, so that the cluster may be well", "503")
	r.silent("Forgotten, not removed")
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	l.wantMain(nameOf("v1"))
	w.write(config())
	w.destroy()
	l.wantNothingLeft()
}

func dropUnreachable(_ *testing.T, f *trio) {
	w := f.inProcess()
	const on = `clusters = ["a", "b"]`
	w.apply(f.config(f.deployment(onAll)))
	f.proxies["c"].Down(f.t)
	w.applyFails(f.config(f.deployment(on, "replicas = 2"))).tells("and not forgotten", `"c"`)
	w.wantState(theDeployment, "clusters", []any{"a", "b", "c"}, "replicas", 2)
	f.on["a"].wantPods(nameOf("v1"), 2)
	f.wantStatus(w, "a: started, b: started, c: started")
	w.apply(f.config(f.deployment(on, "replicas = 2", abandoning))).warns("Forgotten, not removed", `"c"`)
	w.wantState(theDeployment, "clusters", []any{"a", "b"})
	f.wantStatus(w, "a: started, b: started")
	w.wantNoChanges()
	f.proxies["c"].Up(f.t)
	f.on["c"].wantPods(nameOf("v1"), 1) // it stays, as was said
}

// needNotBeThere: with c down, what has nothing to do there works.
func needNotBeThere(_ *testing.T, f *trio) {
	w := f.inProcess()
	config := func(other int, clusters string, lines ...string) string {
		return f.config(
			f.deployment(append(lines, clusters)...),
			f.deploymentNamed("other", `application = "other"`, `clusters = ["a"]`, fmt.Sprintf("replicas = %d", other)),
		)
	}
	const two = `clusters = ["a", "c"]`
	w.apply(config(1, two))
	f.proxies["c"].Down(f.t)
	r := w.apply(config(2, two))
	r.wantActions("switchback_deployment.other", "update")
	r.warns("Cluster is unreachable", `"c"`)
	w.apply(config(2, onAll)).wantActions(theDeployment, "update") // b is added
	f.on["b"].wantPods(nameOf("v1"), 1)
	w.wantState(theDeployment, "clusters", []any{"a", "b", "c"}, "status", "started")
	w.apply(config(2, two)).wantActions(theDeployment, "update") // and dropped
	f.on["b"].wantNothingLeft()
	w.apply(config(2, two, abandoning)).wantActions(theDeployment, "update")
	w.wantNoChanges()
	w.applyFails(config(2, two, "replicas = 3")).tells("Cluster is unreachable", `"c"`)
	w.wantState(theDeployment, "replicas", 1)
	// Where the rollout goes on, it waits there until the cluster is back.
	w.apply(config(2, two, "replicas = 3", continuing)).warns("Cluster is unreachable", `cluster "c"; the others went on`)
	f.wantStatus(w, "a: started, c: pending (…)")
	w.refresh()
	f.wantStatus(w, "a: started, c: pending (…)")
	f.on["a"].wantPods(nameOf("v1"), 3)
	w.plan().wantActions(theDeployment, "update")
	f.proxies["c"].Up(f.t)
	w.plan().wantActions(theDeployment, "update")
	f.proxies["a"].Reset()
	w.apply(config(2, two, "replicas = 3", continuing))
	f.quiet("a")
	f.on["c"].wantPods(nameOf("v1"), 3)
	f.wantStatus(w, "a: started, c: started")
	w.wantNoChanges()
}

func awayAtCreate(_ *testing.T, f *trio) {
	w, config := f.inProcess(), f.config(f.deployment(onAll, continuing))
	f.proxies["c"].Down(f.t)
	w.apply(config).warns("Cluster is unreachable", `cluster "c"; the others went on`)
	f.wantStatus(w, "a: started, b: started, c: pending (…)")
	w.wantState(theDeployment, "status", "start_error")
	w.plan().wantActions(theDeployment, "update")
	f.proxies["c"].Up(f.t)
	w.apply(config)
	f.everywhere(nameOf("v1"))
	f.wantStatus(w, "a: started, b: started, c: started")
	w.wantNoChanges()

	// A restart that one has missed is made there later, and nowhere again.
	restarted := f.config(f.deployment(onAll, continuing, `restart_triggers = { secret = "rotated" }`))
	f.proxies["c"].Down(f.t)
	here, there := f.on["a"].pods(nameOf("v1")), f.on["c"].pods(nameOf("v1"))
	w.apply(restarted)
	f.wantStatus(w, "a: started, b: started, c: pending (…)")
	f.proxies["c"].Up(f.t)
	again := f.on["a"].pods(nameOf("v1"))
	f.on["c"].wantSamePods(nameOf("v1"), there)
	w.apply(restarted)
	if slices.Equal(here, again) || slices.Equal(there, f.on["c"].pods(nameOf("v1"))) {
		f.t.Error("not every pod was replaced")
	}
	f.on["a"].wantSamePods(nameOf("v1"), again)
	f.wantStatus(w, "a: started, b: started, c: started")
	w.wantNoChanges()
}

func takenOut(_ *testing.T, f *trio) {
	w, id := f.inProcess(), f.namespace+"/"+nameOf("v1")
	config := func(clusters string, lines ...string) string {
		return f.config(f.deployment(append(lines, clusters)...), f.main(append(lines, clusters)...))
	}
	w.apply(config(onAll))
	f.connect("a", "b")
	failed := w.applyFails(config(onAll))
	failed.tells("Cluster is not configured any more", "deployment "+id, `"c"`, `it has "a", "b"`, "Put the connection back", "abandon_unreachable", "terraform state rm")
	if n := failed.warnings("Cluster is not configured any more"); n != 1 {
		f.t.Errorf("%d warnings, want one for all resources:\n%s", n, failed.messages(""))
	}
	w.applyFails(config(`clusters = ["a", "b"]`)).tells("Cluster is not configured any more", id)
	w.destroyFails().tells("Cluster is not configured any more", "terraform state rm")
	w.refresh()
	w.wantState(theDeployment, "clusters", []any{"a", "b", "c"})
	for _, name := range []string{"a", "b"} {
		f.on[name].wantMain(nameOf("v1"))
	}
	w.apply(config(`clusters = ["a", "b"]`, abandoning)).warns("Forgotten, not removed", `"c"`)
	w.wantState(theDeployment, "clusters", []any{"a", "b"})
	w.wantState(theMain, "clusters", []any{"a", "b"})
	w.wantNoChanges()
	w.destroy()
	f.on["c"].wantMain(nameOf("v1"))
}

// oneWarning: ten deployments, and a cluster that takes connections and never
// answers: it is asked once, and told once.
func oneWarning(t *testing.T, f *trio) {
	w := f.inProcess()
	config := func(replicas int) string {
		return f.config(
			f.deployment(`for_each = toset([for i in range(10) : "app-${i}"])`, `application = each.key`, `clusters = ["a", "c"]`),
			f.deploymentNamed("other", `application = "other"`, `clusters = ["b"]`, fmt.Sprintf("replicas = %d", replicas)),
		)
	}
	w.apply(config(1))
	f.proxies["c"].SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.Blackhole() })
	f.proxies["c"].Reset()
	w.write(config(2))
	began := time.Now()
	r := w.plan()
	took := time.Since(began)
	r.wantActions("switchback_deployment.other", "update")
	if n := r.warnings("Cluster is unreachable"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, r.messages("warning"))
	}
	if requests := f.proxies["c"].Requests(); len(requests) != 1 {
		t.Errorf("it was asked %d times, want once: %v", len(requests), requests)
	}
	t.Logf("a plan with ten resources on a dead cluster took %s", took)
	w.apply(config(2)).wantActions("switchback_deployment.other", "update")
}

// bumpWithoutOne: two clusters get the next version. On the third the old one goes
// on serving, and is not forgotten; when it is back, one apply does the rest.
func bumpWithoutOne(t *testing.T, f *trio) {
	w := f.inProcess()
	config := func(tag string) string {
		return f.config(f.deployment(image(tag), onAll, continuing, createFirst), f.main(onAll, continuing, keepPrevious(0)))
	}
	w.apply(config("v1"))
	watches := f.watchMains()
	f.proxies["c"].Down(t)
	w.applyFails(config("v2")).tells("Cluster is unreachable, and not forgotten", `"c"`)
	for _, name := range []string{"a", "b"} {
		f.on[name].wantMain(nameOf("v2"))
		f.on[name].wantReleases(nameOf("v2"))
	}
	f.on["c"].wantMain(nameOf("v1"))
	f.wantStatus(w, "a: started, b: started, c: pending (…)")
	if _, deposed := w.attributes(theDeployment); deposed != 1 {
		t.Errorf("%d deposed objects, want the one of v1 on c", deposed)
	}
	f.proxies["c"].Up(t)
	w.apply(config("v2"))
	for _, l := range f.on {
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v2"))
	}
	f.wantStatus(w, "a: started, b: started, c: started")
	w.wantNoChanges()
	for _, watch := range watches {
		watch.Check(t, drain)
	}
}

// bumpFailsOnOne: the version that cannot start on c never gets traffic there, and
// the one that has it is not removed there.
func bumpFailsOnOne(t *testing.T, f *trio) {
	w := f.inProcess()
	config := func(tag string) string {
		return f.config(f.deployment(image(tag), onAll, continuing, createFirst), f.main(onAll, continuing, keepPrevious(0)))
	}
	w.apply(config("v1"))
	watches := f.watchMains()
	f.proxies["c"].SetFault(noWorkloads)
	w.apply(config("v2")).warns(`cluster "c"; the others went on`)
	for _, name := range []string{"a", "b"} {
		f.on[name].wantMain(nameOf("v2"))
		f.on[name].wantReleases(nameOf("v2"))
	}
	f.on["c"].wantMain(nameOf("v1"))
	f.proxies["c"].SetFault(nil)
	w.apply(config("v2"))
	for _, l := range f.on {
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v2"))
	}
	w.wantNoChanges()
	for _, watch := range watches {
		watch.Check(t, drain)
	}
}

// watchMains follows the application's address on every cluster.
func (f *trio) watchMains() []*testcluster.MainWatch {
	var all []*testcluster.MainWatch
	for _, l := range f.on {
		all = append(all, l.watchMain())
	}
	return all
}
