package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// many is a configuration with so many deployments, each of an application of
// its own, in one namespace.
func many(n int, namespace, kubeconfig string, last config) string {
	var b strings.Builder
	b.WriteString(config{}.text(namespace, kubeconfig))
	fmt.Fprintf(&b, `
resource "switchback_deployment" "many" {
  count       = %d
  application = "app-${count.index}"
  namespace   = %q
  version     = "v1"
  image       = "demo/api:v1"
  container   = { ports = { http = 8080 } }
}
`, n, namespace)
	if last.version == "" {
		return b.String()
	}
	_, one, _ := strings.Cut(last.text(namespace, kubeconfig), "resource ")
	return b.String() + "\nresource " + one
}

// preflight is what a run asks before it does anything, once for each namespace.
func preflight(r *testcluster.Request, namespace string) bool {
	return r.Path == "/version" || r.Path == "/api/v1/namespaces/"+namespace ||
		strings.HasPrefix(r.Path, "/apis/authorization.k8s.io/") || strings.HasPrefix(r.Path, "/apis/authentication.k8s.io/")
}

// collection says that a request reads all objects of a kind: LIST or WATCH.
func collection(r *testcluster.Request, namespace string) bool {
	_, rest, found := strings.Cut(r.Path, "/namespaces/"+namespace+"/")
	return r.Method == http.MethodGet && found && !strings.Contains(rest, "/")
}

// heartbeat says that a request, of all those, only shows that its process lives:
// it renews a Lease, or adds a beat to a record that the same run wrote before.
func heartbeat(r *testcluster.Request, all []testcluster.Request) bool {
	if r.Renewal() {
		return true
	}
	name, now, ok := recordIn(r)
	if !ok || now.Run == "" {
		return false
	}
	for i := range slices.Backward(all) {
		if all[i].Index >= r.Index {
			continue
		}
		if of, last, ok := recordIn(&all[i]); ok && of == name {
			return last.Run == now.Run && last.Beat < now.Beat
		}
	}
	return false
}

// recordIn is the record that a request writes, and its name.
func recordIn(r *testcluster.Request) (name string, record release.Record, ok bool) {
	text := ""
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/configmaps"):
		var sent runtime.Unknown // in protobuf, behind four bytes that say so
		var made corev1.ConfigMap
		if len(r.Body) < 4 || sent.Unmarshal(r.Body[4:]) != nil || made.Unmarshal(sent.Raw) != nil {
			return "", record, false
		}
		name, text = made.Name, made.Data[release.RecordKey]
	case r.Method == http.MethodPatch && strings.Contains(r.Path, "/configmaps/"):
		var patch []struct {
			Path  string
			Value any
		}
		if json.Unmarshal(r.Body, &patch) != nil {
			return "", record, false
		}
		name = path.Base(r.Path)
		for _, op := range patch {
			if data, is := op.Value.(map[string]any); is && op.Path == "/data" {
				text, _ = data[release.RecordKey].(string)
			}
		}
	}
	return name, record, text != "" && json.Unmarshal([]byte(text), &record) == nil
}

// history says that a request is about the application's ConfigMap.
func history(r *testcluster.Request) bool {
	if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/configmaps") {
		return strings.Contains(string(r.Body), "history.json")
	}
	return strings.Contains(r.Path, "/configmaps/") && strings.HasSuffix(r.Path, "-switchback")
}

func lines(requests []testcluster.Request) string {
	var b strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&b, "%3d %3d %s\n", r.Index, r.Status, r.String())
	}
	return b.String()
}

// TestRequestsOfARefresh: what a refresh asks does not depend on how many
// deployments there are.
func TestRequestsOfARefresh(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	counts := map[int]int{}
	for _, n := range []int{5, 200} {
		w.file("main.tf", many(n, w.namespace, w.proxy.KubeconfigPath, config{}))
		x := w.start("apply", "-auto-approve", "-no-color", "-input=false", "-parallelism=20")
		if x.wait() != 0 {
			t.Fatalf("apply:\n%s", x.text())
		}
		w.proxy.Reset()
		w.planIsEmpty()
		requests := w.proxy.Requests()
		counts[n] = len(requests)
		t.Logf("a refresh of %d deployments makes %d requests:\n%s", n, len(requests), lines(requests))
		for _, r := range requests {
			if r.Write() || !preflight(&r, w.namespace) && !collection(&r, w.namespace) {
				t.Errorf("a refresh of %d deployments asks %s", n, r.String())
			}
		}
	}
	// LIST and WATCH of three kinds, and the first contact.
	if counts[5] != counts[200] || counts[200] > 2*3+2 {
		t.Errorf("requests by number of deployments: %v", counts)
	}

	// One more, among so many.
	w.proxy.Reset()
	w.file("main.tf", many(200, w.namespace, w.proxy.KubeconfigPath, config{version: "v1", replicas: 1, noMain: true}))
	x := w.start("apply", "-auto-approve", "-no-color", "-input=false")
	if x.wait() != 0 {
		t.Fatalf("apply:\n%s", x.text())
	}
	w.requestsOfACreate(3)
}

// TestRequestsOfACreate: waiting adds none, and nothing is polled for.
func TestRequestsOfACreate(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.apply(config{version: "v1", image: "demo/slow-api", noMain: true})
	requests := w.requestsOfACreate(3 + 1) // it has two pods: a PodDisruptionBudget, too

	// From the last apply to the final record, there are only the watches'
	// beginnings, the Event and the application's history.
	name := w.name()
	applied := slices.IndexFunc(requests, func(r testcluster.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/poddisruptionbudgets/"+name)
	})
	final := -1
	for i, r := range requests {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/configmaps/"+name) && !heartbeat(&r, requests) {
			final = i
		}
	}
	if applied < 0 || final < applied {
		t.Fatalf("the budget is applied at %d, the record finished at %d of:\n%s", applied, final, lines(requests))
	}
	started := map[string]int{}
	for _, r := range requests[applied+1 : final] {
		switch {
		case collection(&r, w.namespace):
			started[fmt.Sprintf("%s watch=%t", r.Path, r.Watch())]++
		case strings.HasSuffix(r.Path, "/events"), heartbeat(&r, requests):
		case history(&r): // of the application, written just before the record
			started["the history, "+r.Method]++
		default:
			t.Errorf("in the wait: %s", r.String())
		}
	}
	for what, n := range started {
		if n > 1 {
			t.Errorf("%s was asked %d times in the wait", what, n)
		}
	}
	pods, err := w.cluster.Client().CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 2 {
		t.Errorf("%d pods, %v", len(pods.Items), err)
	}
	t.Logf("all requests of the apply:\n%s", lines(requests))
}

// requestsOfACreate counts what the apply that created one deployment has asked
// since the proxy's last reset. Objects are record, workload, Service and more.
func (w *workspace) requestsOfACreate(objects int) []testcluster.Request {
	w.t.Helper()
	all := w.proxy.Requests()
	var counted []testcluster.Request
	tried := 0
	for _, r := range all {
		if r.DryRun() {
			tried++ // the plan asks for what is written, and for a pod; and so does Terraform's second plan, in the apply
			continue
		}
		if !preflight(&r, w.namespace) && !collection(&r, w.namespace) && !strings.HasSuffix(r.Path, "/events") && !heartbeat(&r, all) {
			counted = append(counted, r)
		}
	}
	w.t.Logf("a create makes %d requests of its own, of %d:\n%s", len(counted), len(all), lines(counted))
	if limit := 2*objects + 3; len(counted) > limit || len(counted) < objects {
		w.t.Errorf("a create makes %d requests, want at most %d", len(counted), limit)
	}
	if want := 2 * objects; tried != want { // not for the record
		w.t.Errorf("%d dry runs, want %d", tried, want)
	}
	return all
}
