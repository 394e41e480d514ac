package provider_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// whenBaking does something once a release is watched with the traffic on it.
func (l *lab) whenBaking(name string, do func()) (done func()) {
	l.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		testcluster.Eventually(l.t, hang, "the bake of "+name, func() error {
			events, err := l.cluster.Client().EventsV1().Events(l.namespace).List(l.t.Context(), metav1.ListOptions{})
			if err == nil && !slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
				return e.Reason == string(release.EventBaking) && strings.Contains(e.Note, name)
			}) {
				err = errors.New("nobody tells of it")
			}
			return err
		})
		do()
	})
	return wg.Wait
}

// failTwo says of two of a release's pods that they are not ready any more.
func (l *lab) failTwo(name string) {
	l.t.Helper()
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name})
	l.must(err)
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}]}}`)
	for _, pod := range pods.Items[:2] {
		_, err := l.cluster.Client().CoreV1().Pods(l.namespace).Patch(l.t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		l.must(err)
	}
}

// A release that does not do its work with traffic on it gives it back, and is
// not tried again unasked.
func TestAccBake(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(image(tag), replicas(3), createFirst), l.main(append([]string{keepPrevious(1)}, lines...)...))
	}
	const long, short = `bake = "9m"`, `bake = "2s"`
	w.apply(config("v1"))
	pods := l.wantPods(nameOf("v1"), 3)

	failed := l.whenBaking(nameOf("v2"), func() { l.failTwo(nameOf("v2")) })
	w.applyFails(config("v2", long)).tells("Deployment did not pass its bake", "1 of its 3 pods was ready, and it needs 2",
		nameOf("v2"), "version v2", "Traffic: back where it was", "`retry_token`")
	failed()
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"), "status", "rolled_back",
		"split", map[string]any{"default": map[string]any{nameOf("v1"): 100}})
	if message := w.clusterMessage("default"); !strings.Contains(message, "the bake failed") {
		t.Errorf("cluster_status says %q", message)
	}
	l.eventuallyPods(nameOf("v2"), 0) // as its on_failure says
	w.plan().warns("Deployment was taken back before", "The apply of this plan will be refused", "1 of its 3 pods was ready")
	w.write(config("v2", long, `retry_token = "again"`))
	w.plan().silent("taken back before")
	w.applyFails(config("v2", long)).tells("Deployment was taken back before", "1 of its 3 pods was ready", nameOf("v2"), "`retry_token`")
	l.eventuallyPods(nameOf("v2"), 0) // nothing is to be done for it
	stopped, _ := w.attributes(theDeployment)
	if reason, _ := stopped["status_reason"].(string); !release.StaysStopped(reason) || !strings.Contains(reason, "1 of its 3 pods was ready") {
		t.Errorf("status_reason says %q", reason)
	}
	w.wantState(theDeployment, "status", "stopped", "desired_state", "started")
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"), "status", "rolled_back")

	w.apply(config("v2", short, `retry_token = "the database is back"`))
	l.wantMain(nameOf("v2"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v2"), "status", "finalized")
	w.wantNoChanges()
	l.wantCustody(nameOf("v1"), release.CustodyRetained)
	w.apply(config("v1", short, `retry_token = "the database is back"`))
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges()
	watch.Check(t, drain)
}

// Where the next apply asks for the former version again, nothing is left of the
// failed one.
func TestAccBakeReverted(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), replicas(3), createFirst), l.main(keepPrevious(1), `bake = "9m"`))
	}
	w.apply(l.config(l.deployment(image("v1"), replicas(3), createFirst), l.main()))
	pods := l.wantPods(nameOf("v1"), 3)
	failed := l.whenBaking(nameOf("v2"), func() { l.failTwo(nameOf("v2")) })
	w.applyFails(config("v2")).tells("Deployment did not pass its bake")
	failed()
	watch.Check(t, drain)
	w.plan().silent("Deployment goes on as it was") // v2 is asked for again
	w.write(config("v1"))
	w.plan().warns("Deployment goes on as it was", nameOf("v1"), "neither stops nor removes it", "destroys a deposed object")
	r := w.apply(config("v1"))
	r.warns("Deployment goes on as it was", nameOf("v1"))
	r.silent("another Terraform state")
	r.silent("Nothing was deleted")
	r.silent("left running")
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	l.wantReleases(nameOf("v1"))
	w.wantNoChanges().silent("Deployment goes on as it was")
	watch.NeverEmpty(t)
}

// A first main deployment has nothing to go back to: its create succeeds with a
// warning, since Terraform would delete a tainted address.
func TestAccBakeOfTheFirst(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(bake string) string { return l.config(l.deployment(), l.main(`bake = "`+bake+`"`)) }
	failed := l.whenBaking(nameOf("v1"), func() { l.setReady(nameOf("v1"), corev1.ConditionFalse) })
	w.apply(config("9m")).warns("Traffic has moved, but the promotion is unfinished", "0 of its 1 pods were ready", "no deployment was main before it")
	failed()
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "status", "failed", "deployment_id", l.namespace+"/"+nameOf("v1"))
	w.refresh()
	w.wantState(theMain, "status", "failed")
	l.setReady(nameOf("v1"), corev1.ConditionTrue)
	w.apply(config("1s")).wantActions(theMain, "update")
	w.wantState(theMain, "status", "finalized")
	w.wantNoChanges()
}

// Ctrl-C in the bake leaves the traffic where it is, and the old side alone; the
// next apply bakes again.
func TestAccBakeInterrupted(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag, bake string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(0), `bake = "`+bake+`"`))
	}
	w.apply(config("v1", "1s"))
	w.write(config("v2", "9m"))
	l.interruptBake(w, nameOf("v2"))
	w.wantState(theMain, "status", "finalizing", "deployment_id", l.namespace+"/"+nameOf("v2"))
	l.wantMain(nameOf("v2"))
	l.wantPods(nameOf("v1"), 1)
	if again := w.plan(); len(again.actions[theMain]) == 0 {
		t.Errorf("the next plan leaves main alone: %v", again.actions)
	}
	w.apply(config("v2", "1s"))
	l.wantReleases(nameOf("v2"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// What an interrupted apply has moved may still be taken back by the next one:
// its state says then where the traffic is.
func TestAccBakeInterruptedAndFailed(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), replicas(3), createFirst), l.main(keepPrevious(0), `bake = "9m"`))
	}
	w.apply(l.config(l.deployment(image("v1"), replicas(3), createFirst), l.main(keepPrevious(0))))
	w.write(config("v2"))
	l.interruptBake(w, nameOf("v2"))
	w.wantState(theMain, "status", "finalizing", "deployment_id", l.namespace+"/"+nameOf("v2"))
	l.failTwo(nameOf("v2"))
	w.applyFails(config("v2")).tells("Deployment did not pass its bake")
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "status", "rolled_back", "deployment_id", l.namespace+"/"+nameOf("v1"),
		"split", map[string]any{"default": map[string]any{nameOf("v1"): 100}})
	watch.Check(t, drain)
}

// interruptBake applies what is written, and presses Ctrl-C in the bake.
func (l *lab) interruptBake(w *workspace, name string) {
	l.t.Helper()
	w.execInterrupted(l.whenBaking(name, func() {}), "apply", "-auto-approve", "-input=false", "-no-color")
}

// clusterMessage is what main's cluster_status says of a cluster.
func (w *workspace) clusterMessage(cluster string) string {
	w.t.Helper()
	attributes, _ := w.attributes(theMain)
	statuses, _ := attributes["cluster_status"].(map[string]any)
	one, _ := statuses[cluster].(map[string]any)
	message, _ := one["message"].(string)
	return message
}

// wantClusters fails the test unless this is main's cluster_status, without its
// messages.
func (w *workspace) wantClusters(want map[string]string) {
	w.t.Helper()
	attributes, _ := w.attributes(theMain)
	statuses, _ := attributes["cluster_status"].(map[string]any)
	for cluster, status := range want {
		one, _ := statuses[cluster].(map[string]any)
		if one["status"] != status {
			w.t.Errorf("cluster_status of %s is %v, want %s", cluster, one, status)
		}
	}
	if len(statuses) != len(want) {
		w.t.Errorf("cluster_status is %v, want %v", statuses, want)
	}
}
