package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// An application is stopped as a whole, by its address, and started again by one apply.
func TestAccApplicationIsStopped(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag, state string, lines ...string) string {
		main := []string{}
		if state != "" {
			main = append(main, state)
		}
		return l.config(l.deployment(append(lines, image(tag), replicas(2), createFirst)...), l.main(main...))
	}
	w.apply(config("v1", ""))
	w.apply(config("v2", "")) // v1 is retained, with pods
	l.wantPods(nameOf("v1"), 2)
	address := l.address().UID

	w.apply(config("v2", stopped)).wantActions(theMain, "update")
	l.wantPods(nameOf("v1"), 0)
	l.wantPods(nameOf("v2"), 0)
	l.wantMain(nameOf("v2"))
	w.wantState(theMain, "status", "finalized", "desired_state", "stopped", "split", map[string]any{"default": map[string]any{nameOf("v2"): 100}})
	w.wantNoChanges() // the deployment has reached its goal
	w.refresh()
	w.wantState(theDeployment, "status", "stopped", "desired_state", "started", "status_reason", release.ReasonWithMain, "replicas", 2)
	w.wantNoChanges()

	// Pods that somebody starts are drift, which goes.
	l.patchWorkload(nameOf("v2"), `{"spec":{"replicas":1}}`)
	l.eventuallyPods(nameOf("v2"), 1)
	w.apply(config("v2", stopped)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v2"), 0)
	w.wantNoChanges()

	// What changes in place changes without pods; a bump starts nothing, and says so.
	w.apply(config("v2", stopped, `environment = "night"`)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v2"), 0)
	w.wantNoChanges()
	w.apply(config("v3", stopped)).warns("Application is stopped", nameOf("v3"), `desired_state = "started"`)
	l.wantPods(nameOf("v3"), 0)
	l.wantMain(nameOf("v3"))
	w.wantState(theDeployment, "status", "stopped", "status_reason", release.ReasonWithMain)
	w.wantNoChanges()

	// One apply starts it: main, and what is kept with pods.
	w.apply(config("v3", "")).wantActions(theMain, "update")
	l.wantPods(nameOf("v3"), 2)
	l.wantPods(nameOf("v2"), 2)
	l.wantMain(nameOf("v3"))
	w.refresh()
	w.wantState(theDeployment, "status", "started", "status_reason", nil)
	w.wantState(theMain, "status", "finalized", "desired_state", nil)
	w.wantNoChanges()
	if l.address().UID != address {
		t.Error("the address is another one")
	}

	// A bump and a start at once.
	w.apply(config("v3", stopped))
	w.apply(config("v4", "")).warns("which may be in this same apply", "kubectl switchback start api --namespace "+l.namespace)
	l.wantPods(nameOf("v4"), 2)
	l.wantMain(nameOf("v4"))
	w.refresh()
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// A Ctrl-C in a stop, and in a start, is told as that, and the next apply goes on.
func TestAccStopIsInterrupted(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := l.speakThrough(proxy)
	made := p.change(t.Context(), deploymentType, l.deploymentData("v1"), nil)
	p.fine(made.diagnostics)
	main := p.change(t.Context(), mainType, l.mainData(), nil)
	p.fine(main.diagnostics)
	for _, state := range []string{"stopped", "started"} {
		ctx, interrupt := context.WithCancel(t.Context())
		proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
			if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+nameOf("v1")) {
				return testcluster.Fault{}.AfterReply(interrupt)
			}
			return testcluster.Fault{}
		})
		config := changed(l.mainData(), data{"desired_state": state})
		cut := p.change(ctx, mainType, config, main.state)
		interrupt()
		wantSays(t, cut.diagnostics, tfprotov6.DiagnosticSeverityError, "Operation was interrupted", "it was interrupted")
		if text := said(cut.diagnostics, tfprotov6.DiagnosticSeverityError); strings.Contains(text, "context canceled") {
			t.Errorf("%s: it says %s", state, text)
		}
		proxy.Reset()
		main = p.change(t.Context(), mainType, config, cut.state)
		p.fine(main.diagnostics)
	}
	l.wantPods(nameOf("v1"), 1)
}

// The plan says what a stop means, and a start.
func TestAccPlanOfAStop(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(lines...))
	}
	w.apply(config("v1"))
	w.applies(config("v1", stopped), map[string]any{
		"action": "stop", "warm": true, "steps": []any{"shift 100%", "stop", "collect"}, "text": "Stops the application: its pods go, and its address stays",
	})
	w.applies(config("v2", stopped), map[string]any{
		"action": "promote", "warm": false, "steps": []any{"ready", "shift 100%", "stop", "collect"}, "text": "without pods: the application is stopped",
	})
	w.applies(config("v2"), map[string]any{
		"action": "start", "warm": false, "steps": []any{"start", "shift 100%", "collect"}, "text": nameOf("v2") + " once its pods are ready",
	})
	w.destroy()
	l.wantNothingLeft()
}

// What somebody has stopped at a terminal is told by the state, so that a plan tells what an
// apply will do: a bump starts nothing, and `desired_state` takes the stop over.
func TestAccPlanOfWhatSomebodyHasStopped(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, lines ...string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(lines...))
	}
	act := func(verb string) {
		t.Helper()
		l.speak().invoke("switchback_"+verb, data{"namespace": l.namespace, "application": "api", "reason": "night"}).fine()
		w.refresh()
	}
	by := func(want string) {
		t.Helper()
		attributes, _ := w.attributes(theMain)
		got := "nobody"
		if o, ok := attributes["stopped_by"].(map[string]any); ok {
			got = fmt.Sprintf("%s: %s", o["who"], o["reason"])
			if _, err := time.Parse(time.RFC3339, o["since"].(string)); err != nil {
				t.Error(err)
			}
		}
		if got != want {
			t.Errorf("it is stopped by %s, want %s", got, want)
		}
	}
	w.apply(config("v1"))
	by("nobody")

	act("stop")
	by("admin: night")
	w.wantNoChanges()
	w.applies(config("v2"), map[string]any{
		"action": "promote", "warm": false, "steps": []any{"ready", "shift 100%", "stop", "collect"}, "text": "without pods: the application is stopped",
	})
	l.wantPods(nameOf("v2"), 0)
	by("admin: night")
	w.refresh()
	w.wantNoChanges()

	w.applies(config("v2", stopped), map[string]any{"action": "change", "steps": []any{"shift 100%", "stop", "collect"}, "text": "The traffic stays with"})
	by("nobody")
	w.refresh()
	w.wantState(theMain, "desired_state", "stopped")
	w.wantNoChanges()
	w.applies(config("v2"), map[string]any{"action": "start", "text": nameOf("v2") + " once its pods are ready"})
	l.wantPods(nameOf("v2"), 1)

	act("stop")
	act("start")
	by("nobody")
	w.applies(config("v3"), map[string]any{"action": "promote", "text": "once its pods are ready"})
	l.wantPods(nameOf("v3"), 1)
	w.destroy()
	l.wantNothingLeft()
}

// Broken pods are no reason to keep them, and what is stopped is created, imported and
// destroyed like anything else.
func TestAccStoppedApplicationComesAndGoes(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(createFirst), l.main(stopped))
	w.apply(config)
	l.wantPods(nameOf("v1"), 0)
	w.wantState(theMain, "desired_state", "stopped", "status", "finalized")
	w.refresh()
	w.wantNoChanges()

	w.do("state", "rm", theDeployment, theMain)
	w.do("import", "-input=false", "-no-color", theDeployment, l.namespace+"/"+nameOf("v1"))
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.wantState(theMain, "desired_state", "stopped")
	w.wantState(theDeployment, "desired_state", "started", "status", "stopped")

	w.apply(l.config(l.deployment(createFirst), l.main()))
	l.wantPods(nameOf("v1"), 1)
	l.setReady(nameOf("v1"), corev1.ConditionFalse)
	l.untilNoneReady(nameOf("v1"))
	w.apply(config)
	l.wantPods(nameOf("v1"), 0)

	// Without its address it is no stopped application any more.
	w.apply(l.config(l.deployment(createFirst)))
	w.apply(l.config(l.deployment(createFirst)))
	l.wantPods(nameOf("v1"), 1)
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// A start that fails leaves the application as it was: stopped.
func TestAccApplicationDoesNotStart(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(createFirst, replicas(2)), l.main(append(lines, `timeouts = { update = "5m" }`)...))
	}
	w.apply(config())
	w.apply(config(stopped))
	l.forbidPods()
	w.applyFails(config()).tells("Deployment failed to start", nameOf("v1"))
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "desired_state", "stopped")
	if d := l.workload(nameOf("v1")); *d.Spec.Replicas != 0 {
		t.Errorf("it is asked for %d pods", *d.Spec.Replicas)
	}
	w.plan().wantActions(theMain, "update")
	l.must(l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	w.apply(config())
	l.wantPods(nameOf("v1"), 2)
	w.destroy()
	l.wantNothingLeft()
}

// A run that is cut off while it stops an application, or starts it, leaves releases in
// the middle. That is no news to the next apply, which goes on with either, in one go.
func TestAccStopOfAnApplicationIsCutOff(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(createFirst, replicas(2)), l.main(lines...))
	}
	cutOff := func(status release.Status, pods int) {
		t.Helper()
		l.editRecord(nameOf("v1"), func(r *release.Record) { r.Status, r.Reason = status, "" })
		if pods > 0 {
			l.patchWorkload(nameOf("v1"), fmt.Sprintf(`{"spec":{"replicas":%d}}`, pods))
		}
		w.refresh()
		w.wantState(theDeployment, "status", string(status), "status_reason", release.ReasonWithMain)
	}
	w.apply(config())
	for _, at := range []struct {
		status release.Status
		pods   int
	}{{release.StatusStopping, 0}, {release.StatusStarting, 2}} {
		w.apply(config(stopped))
		cutOff(at.status, at.pods)
		w.apply(config(stopped))
		l.wantPods(nameOf("v1"), 0)
		w.wantState(theDeployment, "status", "stopped", "status_reason", release.ReasonWithMain)
		w.wantNoChanges()

		cutOff(at.status, at.pods)
		w.apply(config())
		l.wantPods(nameOf("v1"), 2)
		w.refresh()
		w.wantState(theDeployment, "status", "started", "status_reason", nil)
		w.wantNoChanges()
	}
	w.destroy()
	l.wantNothingLeft()
}

// What is stopped by itself may be wanted again while its application is stopped: it
// starts with that.
func TestAccWantedAgainWhileItsApplicationIsStopped(t *testing.T) {
	l := newLab(t)
	w, other := l.inProcess(), l.inProcess()
	main := func(lines ...string) string { return l.config(l.deployment(image("v2")), l.main(lines...)) }
	w.apply(l.config(l.deployment(stopped)))
	other.apply(main(stopped))
	w.wantState(theDeployment, "status", "stopped", "status_reason", nil)

	w.apply(l.config(l.deployment()))
	w.wantState(theDeployment, "status", "stopped", "status_reason", release.ReasonWithMain)
	l.wantPods(nameOf("v1"), 0)
	w.wantNoChanges()
	other.apply(main())
	l.wantPods(nameOf("v1"), 1)
	w.refresh()
	w.wantState(theDeployment, "status", "started", "status_reason", nil)
	w.wantNoChanges()
	other.destroy()
	w.destroy()
	l.wantNothingLeft()
}

// Who plans to change pods, and finds the application stopped by then, is told.
func TestAccStoppedMeanwhile(t *testing.T) {
	l := newLab(t)
	w, other := l.inProcess().throughCLI(), l.inProcess()
	config := func(n int) string { return l.config(l.deployment(replicas(n))) }
	w.apply(config(1))
	main := func(lines ...string) string { return l.config(l.main(append(lines, l.pointAt(nameOf("v1")))...)) }
	other.apply(main())
	w.write(config(2))
	w.do("plan", "-input=false", "-out=plan")
	other.apply(main(stopped))
	failed := w.run("apply", "-json", "-input=false", "-no-color", "plan")
	if !failed.failed {
		t.Error("it did not fail")
	}
	failed.tells("Deployment was stopped meanwhile", "Deployment "+l.namespace+"/"+nameOf("v1"), `desired_state = "started"`, "kubectl switchback start api --namespace "+l.namespace)
	w.wantState(theDeployment, "status", "stopped", "replicas", 2)
	w.wantNoChanges()

	// And the reverse: it is started by then.
	w.write(config(3))
	w.do("plan", "-input=false", "-out=plan")
	other.apply(main())
	w.do("apply", "-input=false", "-no-color", "plan")
	l.wantPods(nameOf("v1"), 3)
	w.wantNoChanges()
	other.destroy()
	w.destroy()
	l.wantNothingLeft()
}

// A group stops and starts its members' applications, but not while it is on its way.
func TestAccGroupIsStopped(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	pods := func(tag string, n int) {
		t.Helper()
		l.wantPods(releaseOf("api", tag), n)
		l.wantPods(releaseOf("web", tag), n)
	}
	w.apply(l.both("v1", "v1"))
	w.apply(l.both("v1", "v1", stopped)).wantActions(theGroup, "update")
	pods("v1", 0)
	w.wantState(theGroup, "status", "finalized", "desired_state", "stopped")
	w.refresh()
	w.wantNoChanges()

	// A bump while stopped moves the addresses, and starts and watches nothing.
	w.apply(l.both("v2", "v2", stopped, `waves = [{ members = ["api"] }, { members = ["web"], bake = "5m" }]`)).warns("Application is stopped")
	pods("v2", 0)
	l.wantAddress("api", "v2")
	l.wantAddress("web", "v2")
	w.wantNoChanges()
	w.apply(l.both("v2", "v2"))
	pods("v2", 1)
	w.refresh()
	w.wantState(theGroup, "status", "finalized", "desired_state", nil)
	w.wantNoChanges()

	// What somebody has stopped stays so, and the plan of each member says so.
	for _, application := range []string{"api", "web"} {
		l.speak().invoke("switchback_stop", data{"namespace": l.namespace, "application": application}).fine()
	}
	w.apply(l.both("v3", "v3"))
	pods("v3", 0)
	for _, name := range []string{"api", "web"} {
		member := w.member(name)
		if text := fmt.Sprint(member["plan_summary"]); !strings.Contains(text, "without pods: the application is stopped") {
			t.Errorf("the plan says of %s: %s", name, text)
		}
		if by, _ := member["stopped_by"].(map[string]any); by["who"] != "admin" {
			t.Errorf("%s is stopped by %v", name, by)
		}
	}
	w.apply(l.both("v2", "v2", stopped))
	w.apply(l.both("v2", "v2"))
	pods("v2", 1)

	// What an earlier run has left open comes to its end first.
	l.reopen("api")
	w.refresh()
	w.tryApply(l.both("v2", "v2", stopped)).tells("Group is on its way", `"shop"`)
	pods("v2", 1)
	w.apply(l.both("v2", "v2"))
	w.apply(l.both("v2", "v2", stopped))
	pods("v2", 0)
	w.destroy()
	l.wantNothingLeft()
}

// reopen makes an application's pointer what a run leaves that is killed in its collection.
func (l *lab) reopen(application string) {
	l.t.Helper()
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), release.MainName(application), metav1.GetOptions{})
	l.must(err)
	main, err := release.ParseMain(cm.Data)
	l.must(err)
	steps := []release.Step{{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepCollect}}
	main.Progress = &release.Progress{From: main.Deployment, To: main.Deployment, Steps: steps, At: 2, Direction: release.DirectionForward}
	pointer, err := main.Marshal()
	l.must(err)
	cm.Data = release.WithPointer(cm.Data, pointer)
	_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	l.must(err)
}
