package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// trio is a test's namespace on each of three clusters, a, b and c.
type trio struct {
	*lab    // on a
	on      map[string]*lab
	proxies map[string]*testcluster.Proxy
}

func onTrio(t *testing.T, clusters []*testcluster.Cluster) *trio {
	t.Helper()
	t.Parallel()
	f := &trio{lab: labOn(t, clusters[0]), on: map[string]*lab{}, proxies: map[string]*testcluster.Proxy{}}
	for i, c := range clusters {
		name := string(rune('a' + i))
		f.on[name], f.proxies[name] = f.lab, c.Proxy(t)
		if i > 0 {
			f.on[name] = &lab{t: t, cluster: c, namespace: f.namespace}
			f.on[name].makeNamespace()
		}
	}
	f.connect("a", "b", "c")
	return f
}

// connect makes the provider know these clusters.
func (f *trio) connect(names ...string) {
	lines := []string{"clusters = {"}
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("  %s = { config_path = %q }", name, f.proxies[name].KubeconfigPath))
	}
	f.provider = block(`provider "switchback"`, append(lines, "}"))
}

// status is `cluster_status` in the state: "a: started, c: start_error (why)".
func (f *trio) status(w *workspace, address string) string {
	f.t.Helper()
	attributes, _ := w.attributes(address)
	statuses, _ := attributes["cluster_status"].(map[string]any)
	var parts []string
	for _, name := range []string{"a", "b", "c"} {
		one, ok := statuses[name].(map[string]any)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s: %v", name, one["status"])
		if one["message"] != nil {
			text += fmt.Sprintf(" (%v)", one["message"])
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (f *trio) wantStatus(w *workspace, want string) {
	f.t.Helper()
	got := f.status(w, theDeployment)
	head, tail, open := strings.Cut(want, "…")
	fits := got == want || open && strings.HasPrefix(got, head) && strings.HasSuffix(got, tail)
	if !fits {
		f.t.Errorf("cluster_status is %q, want %q", got, want)
	}
}

// quiet fails the test if any of these clusters was written to since the last
// time.
func (f *trio) quiet(names ...string) {
	f.t.Helper()
	for _, name := range names {
		for _, r := range f.proxies[name].Writes() {
			if !strings.Contains(r.Path, "selfsubject") {
				f.t.Errorf("%s was written to: %s %s", name, r.Method, r.Path)
			}
		}
		f.proxies[name].Reset()
	}
}

// everywhere fails the test unless the release has its pod on every cluster.
func (f *trio) everywhere(name string) {
	f.t.Helper()
	for _, l := range f.on {
		l.wantPods(name, 1)
	}
}

// warnings counts the warnings with this summary.
func (r *result) warnings(summary string) int {
	n := 0
	for _, d := range r.diags {
		if d.Severity == "warning" && d.Summary == summary {
			n++
		}
	}
	return n
}

const (
	onAll      = `clusters = ["a", "b", "c"]`
	continuing = `rollout = { on_failure = "continue" }`
	abandoning = `abandon_unreachable = true`
)

// noWorkloads is a fault: no workload can be made, nor changed.
func noWorkloads(r *testcluster.Request, _ int) testcluster.Fault {
	if r.Write() && r.Method == http.MethodPatch && strings.Contains(r.Path, "/deployments/") {
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	}
	return testcluster.Fault{}
}

// noRemoval is a fault: no workload can be removed.
func noRemoval(r *testcluster.Request, _ int) testcluster.Fault {
	if r.Method == http.MethodDelete && strings.Contains(r.Path, "/deployments/") {
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	}
	return testcluster.Fault{}
}

// Three clusters are expensive: all of these tests share them.
func TestAccThreeClusters(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Clusters(t, 3)
	tests := map[string]func(t *testing.T, f *trio){
		"a create fails on one, and the others go on":   createWithoutOne,
		"a create fails on one, and on all":             createOnNone,
		"one after the other":                           oneAfterTheOther,
		"a change in place fails on one":                changeWithoutOne,
		"a destroy fails on one":                        destroyAllButOne,
		"a destroy cannot reach one":                    destroyUnreachable,
		"an unreachable cluster is abandoned":           abandonAtDestroy,
		"an unreachable cluster is dropped":             dropUnreachable,
		"what is not concerned needs no cluster":        needNotBeThere,
		"a cluster was away when it was created":        awayAtCreate,
		"a cluster was taken out of the provider":       takenOut,
		"another version, with one cluster away":        bumpWithoutOne,
		"another version, which fails on one cluster":   bumpFailsOnOne,
		"many resources, one dead cluster: one warning": oneWarning,
	}
	t.Run("a, b and c", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, onTrio(t, clusters)) })
		}
	})
}

func createWithoutOne(_ *testing.T, f *trio) {
	w, config := f.inProcess(), f.config(f.deployment(onAll, continuing))
	f.proxies["c"].SetFault(noWorkloads)
	w.apply(config).warns(`cluster "c"; the others went on`, "not today", "goes on there")
	f.wantStatus(w, "a: started, b: started, c: start_error (…)")
	w.wantState(theDeployment, "status", "start_error", "clusters", []any{"a", "b", "c"})
	for _, name := range []string{"a", "b"} {
		f.on[name].wantPods(nameOf("v1"), 1)
	}
	w.refresh()
	f.wantStatus(w, "a: started, b: started, c: start_error (…)")
	w.plan().wantActions(theDeployment, "update")

	// Once more in vain: nothing is touched where it stands.
	for _, p := range f.proxies {
		p.Reset()
	}
	w.apply(config).warns(`cluster "c"`)
	f.wantStatus(w, "a: started, b: started, c: start_error (…)")
	f.proxies["c"].SetFault(nil)
	w.apply(config).silent(`cluster "c"`)
	f.quiet("a", "b")
	f.everywhere(nameOf("v1"))
	f.wantStatus(w, "a: started, b: started, c: started")
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	w.destroy()
	for _, l := range f.on {
		l.wantNothingLeft()
	}
}

func createOnNone(_ *testing.T, f *trio) {
	w := f.inProcess()
	config := func(rollout string) string { return f.config(f.deployment(onAll, rollout)) }
	f.proxies["c"].SetFault(noWorkloads)
	for _, rollout := range []string{`rollout = { on_failure = "abort" }`, `rollout = { on_failure = "continue", quorum = 3 }`} {
		w.applyFails(config(rollout)).tells("not today", `"c"`)
		w.wantAbsent(theDeployment)
		for _, l := range f.on {
			l.eventuallyPods(nameOf("v1"), 0)
		}
	}
	f.proxies["c"].SetFault(nil)
	w.apply(config(`rollout = { on_failure = "continue", quorum = 3 }`))
	f.everywhere(nameOf("v1"))
	// How it is done is no change of anything.
	for _, p := range f.proxies {
		p.Reset()
	}
	w.apply(config(`rollout = { max_parallel = 1, order = ["c"], bake = "60s" }`)).wantActions(theDeployment, "update")
	f.quiet("a", "b", "c")
	w.apply(config(`rollout = { max_parallel = 1, order = ["c"], bake = "1m" }`)).wantActions()
	w.wantNoChanges()
	w.applyFails(config(`rollout = { max_parallel = 1, order = ["d"] }`)).tells("Cluster is not one of the resource's", `"d"`)
}

func oneAfterTheOther(t *testing.T, f *trio) {
	w := f.inProcess()
	config := func(clusters string) string {
		return f.config(f.deployment(clusters, `rollout = { max_parallel = 1, order = ["b"], bake = "2s" }`))
	}
	w.apply(config(`clusters = ["a", "b"]`))
	first := func(name string) time.Time {
		for _, r := range f.proxies[name].Writes() {
			if r.Method == http.MethodPatch && strings.Contains(r.Path, "/deployments/") {
				return r.Time
			}
		}
		t.Fatalf("no workload was made on %s", name)
		return time.Time{}
	}
	if later := first("a").Sub(first("b")); later < 2*time.Second {
		t.Errorf("a was begun %s after b", later)
	}
	f.proxies["c"].SetFault(noWorkloads)
	for _, p := range f.proxies {
		p.Reset()
	}
	w.applyFails(config(onAll)).tells("not today")
	f.quiet("a", "b")
	w.wantState(theDeployment, "clusters", []any{"a", "b"}, "status", "started")
	f.proxies["c"].SetFault(nil)
	w.apply(config(onAll))
	f.quiet("a", "b")
	f.everywhere(nameOf("v1"))
	w.wantNoChanges()
	for _, p := range f.proxies {
		p.Reset()
	}
	w.apply(config(`clusters = ["a", "b"]`))
	f.quiet("a", "b")
	f.on["c"].wantNothingLeft()
	w.wantNoChanges()
}

func changeWithoutOne(_ *testing.T, f *trio) {
	w := f.inProcess()
	config := func(tag, rollout string) string {
		return f.config(f.deployment(image(tag), onAll, `strategy = "rolling"`, rollout))
	}
	w.apply(config("v1", continuing))
	attributes, _ := w.attributes(theDeployment)
	inPlace, _ := attributes["name"].(string)
	f.on["c"].forbidPods()
	versions := func(want string) {
		f.t.Helper()
		var got []string
		for _, on := range []string{"a", "b", "c"} {
			got = append(got, f.on[on].workload(inPlace).Annotations["switchback.dev/version"])
		}
		if strings.Join(got, " ") != want {
			f.t.Errorf("the versions are %v, want %s", got, want)
		}
	}

	w.applyFails(config("v2", `rollout = { max_parallel = 1 }`)).tells("Rolled back")
	versions("v1 v1 v1")
	w.wantState(theDeployment, "version", "v1")
	if got := f.status(w, theDeployment); strings.Count(got, "started (") != 3 || !strings.Contains(got, `a: started (on cluster "c": Deployment failed to update`) {
		f.t.Errorf("cluster_status is %s", got)
	}
	w.apply(config("v1", continuing)) // nothing is left to do but to look
	f.wantStatus(w, "a: started, b: started, c: started")

	w.apply(config("v2", continuing)).warns(`Deployment failed to update`, `cluster "c"`, "is back at version v1")
	versions("v2 v2 v1")
	f.wantStatus(w, "a: started, b: started, c: started (Deployment failed to update…)")
	w.wantState(theDeployment, "version", "v2")
	w.plan().wantActions(theDeployment, "update")
	f.must(f.on["c"].cluster.Client().CoreV1().ResourceQuotas(f.namespace).Delete(f.t.Context(), "full", metav1.DeleteOptions{}))
	for _, p := range f.proxies {
		p.Reset()
	}
	w.apply(config("v2", continuing))
	f.quiet("a", "b")
	versions("v2 v2 v2")
	f.wantStatus(w, "a: started, b: started, c: started")
	w.wantNoChanges()
}

// destroyFails runs a destroy that must fail.
func (w *workspace) destroyFails() *result {
	w.t.Helper()
	r := w.run("destroy", "-json", "-auto-approve", "-input=false", "-no-color")
	if !r.failed {
		w.t.Errorf("%s succeeded; it should have failed\n%s", r.what, r.messages(""))
	}
	return r
}

func destroyAllButOne(_ *testing.T, f *trio) {
	w, config := f.inProcess(), f.config(f.deployment(onAll))
	w.apply(config)
	f.proxies["b"].SetFault(noRemoval)
	w.destroyFails().tells("not today", `"b"`)
	w.wantState(theDeployment, "clusters", []any{"b"}, "status", "terminate_error")
	f.wantStatus(w, "b: terminate_error (…)")
	for _, name := range []string{"a", "c"} {
		f.on[name].wantNothingLeft()
	}
	f.proxies["b"].SetFault(nil)
	w.destroy()
	w.wantAbsent(theDeployment)
	for _, l := range f.on {
		l.wantNothingLeft()
	}
	// What is wanted after all is made again where it is missing.
	w.apply(config)
	f.proxies["b"].SetFault(noRemoval)
	w.destroyFails()
	f.proxies["b"].SetFault(nil)
	w.apply(config)
	f.everywhere(nameOf("v1"))
	w.wantNoChanges()
}
