//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestNoRequestGoesIntoABlackHole asks for a version whose pods would be ready and
// offer the address's port over UDP: the plan refuses it, and no request fails.
func TestNoRequestGoesIntoABlackHole(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	v1 := config{version: "v1", keep: 1}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)
	l := lightLoad(t, url)
	output, err := w.apply(config{version: "v2", keep: 1,
		deployment: `pod_template_patch = yamlencode({ spec = { containers = [{ name = "web", ports = [{ containerPort = 8080, protocol = "UDP" }] }] } })`})
	if err == nil {
		t.Error("it was applied")
	}
	mustTell(t, output+err.Error(), "Pod template patch replaces a port", `the port "http" (8080/TCP)`, "pod_template_patch")
	pause(t, time.Second)
	answers := l.end()
	l.mustNotFail(t, answers)
	if answered(answers, fresh, "v2") {
		t.Error("v2 has answered")
	}
	w.planIsEmpty(v1)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// TestBakeEndsWhereTheAddressLeadsNowhere lets somebody break the address while a
// version bakes, whose pods are all well: v1 answers again.
func TestBakeEndsWhereTheAddressLeadsNowhere(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	v1 := config{version: "v1", keep: 1, drain: "1s"}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)
	x := w.startApply(config{version: "v2", keep: 1, drain: "1s", main: "  bake = \"5m\""})
	w.untilAnsweredBy(url, "v2")
	_, err := w.cluster.Client().CoreV1().Services(w.namespace).Patch(t.Context(), "web", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":"nowhere"}]`), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	output, err := x.wait()
	if err == nil {
		t.Fatalf("it succeeded:\n%s", output)
	}
	mustTell(t, output+err.Error(), "Deployment did not pass its bake", "its address, the Service web, led to 0 of its 2 ready pods")
	w.untilAnsweredBy(url, "v1")
	w.mustApply(v1)
	w.planIsEmpty(v1)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// TestAnOldPodThatEndsSlowly is kept from ending while its version is replaced in
// place, under load: the new version stays, and a warning names the pod.
func TestAnOldPodThatEndsSlowly(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	const rolling = "  strategy = \"rolling\"\n  timeouts = { update = \"1m\" }"
	v1, v2 := config{version: "v1", deployment: rolling}, config{version: "v2", deployment: rolling}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)
	pods := w.cluster.Client().CoreV1().Pods(w.namespace)
	list, err := pods.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Fatal(list, err)
	}
	held := list.Items[0].Name
	finalizers := func(patch string) {
		t.Helper()
		if _, err := pods.Patch(t.Context(), held, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+patch+`}}`), metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	finalizers(`["example.com/hold"]`)
	l := lightLoad(t, url)
	output := w.mustApply(v2)
	mustTell(t, output, "Old pods have not ended yet", held)
	if strings.Contains(output, "was not updated in time") {
		t.Error(output)
	}
	answers := l.end()
	l.mustNotFail(t, answers)
	w.untilAnsweredBy(url, "v2")
	finalizers("null")
	w.planIsEmpty(v2)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}
