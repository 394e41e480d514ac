package provider_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const stopped = `desired_state = "stopped"`

func replicas(n int) string { return fmt.Sprintf("replicas = %d", n) }

func TestAccStopAndStart(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(lines...), output("id", theDeployment+".id"))
	}
	w.apply(config(replicas(3)))
	before, _ := w.attributes(theDeployment)
	uid := l.workload(nameOf("v1")).UID

	w.apply(config(replicas(3), stopped)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v1"), 0)
	w.wantState(theDeployment, "status", "stopped", "replicas", 3, "desired_state", "stopped", "status_reason", nil, "owner", before["owner"], "name", before["name"])
	w.wantNoChanges()
	w.refresh()
	w.wantState(theDeployment, "status", "stopped", "replicas", 3)

	// Somebody wants pods: that is drift, which is taken back.
	l.patchWorkload(nameOf("v1"), `{"spec":{"replicas":2}}`)
	l.eventuallyPods(nameOf("v1"), 2)
	w.refresh()
	if drift := w.drift(theDeployment); len(drift) != 1 || drift[0].Field != "spec.replicas" || drift[0].Expected != "0" || drift[0].Actual != "2" || drift[0].Manager != somebody {
		t.Errorf("drift is %+v", drift)
	}
	w.wantState(theDeployment, "replicas", 3)
	w.apply(config(replicas(3), stopped)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v1"), 0)
	w.wantNoChanges()

	// What changes in place changes without pods.
	w.apply(config(replicas(2), stopped, `environment = "staging"`, `restart_triggers = { secret = "2" }`)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v1"), 0)
	w.wantNoChanges()

	w.apply(config(replicas(2), `environment = "staging"`, `restart_triggers = { secret = "2" }`)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v1"), 2)
	w.wantState(theDeployment, "status", "started", "replicas", 2, "desired_state", "started")
	w.wantNoChanges()
	if l.workload(nameOf("v1")).UID != uid {
		t.Error("it is another workload")
	}
	w.destroy()
	l.wantNothingLeft()
}

func TestAccCreatedStopped(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment(stopped, replicas(2))))
	w.wantState(theDeployment, "status", "stopped", "replicas", 2)
	l.wantPods(nameOf("v1"), 0)
	w.wantNoChanges()

	// Another state's address cannot point at it.
	other := l.inProcess()
	r := other.applyFails(l.config(l.main(l.pointAt(nameOf("v1")))))
	r.tells("Deployment cannot become main", "it is stopped", `set desired_state = "started"`)
	other.wantAbsent(theMain)

	w.apply(l.config(l.deployment(replicas(2))))
	l.wantPods(nameOf("v1"), 2)
	other.apply(l.config(l.main(l.pointAt(nameOf("v1")))))
	other.destroy()
	w.apply(l.config(l.deployment(stopped, replicas(2))))
	w.destroy() // of what is stopped
	l.wantNothingLeft()
}

// What carries traffic is not stopped: at plan where the run knows, at apply
// where it does not.
func TestAccStopOfMainIsRefused(t *testing.T) {
	t.Parallel()
	for name, pointer := range map[string]func(l *lab) string{
		"by reference": func(*lab) string { return "deployment_id = switchback_deployment.api.id" },
		"by name":      func(l *lab) string { return l.pointAt(nameOf("v1")) }, // in no order of planning
	} {
		t.Run("at plan, "+name, func(t *testing.T) {
			l := newLab(t)
			w, watch := l.inProcess(), l.watchMain()
			w.apply(l.config(l.deployment(createFirst), l.main()))
			pods := l.wantPods(nameOf("v1"), 1)
			state := w.stateText()
			r := w.applyFails(l.config(l.deployment(createFirst, stopped), l.main(pointer(l))))
			r.tells("Main deployment would be stopped", "The deployment "+l.namespace+"/"+nameOf("v1")+" ", "the main deployment "+l.namespace+"/api ")
			if w.stateText() != state {
				t.Error("the state has changed")
			}
			l.wantSamePods(nameOf("v1"), pods)

			// A bump leaves the stopped one behind, and main on the new one.
			w.apply(l.config(l.deployment(createFirst, image("v2")), l.main()))
			l.wantMain(nameOf("v2"))
			w.wantNoChanges()
			watch.Check(t, drain)
		})
	}
	t.Run("at apply", func(t *testing.T) {
		l := newLab(t)
		w, other, watch := l.inProcess(), l.inProcess(), l.watchMain()
		config := l.config(l.deployment(replicas(2)))
		w.apply(config)
		other.apply(l.config(l.main(l.pointAt(nameOf("v1")))))
		pods := l.wantPods(nameOf("v1"), 2)
		w.applyFails(l.config(l.deployment(replicas(2), stopped))).tells("Deployment carries traffic and was not stopped", "it is the main deployment of "+l.namespace+"/api", "desired_state")
		l.wantSamePods(nameOf("v1"), pods)
		w.wantState(theDeployment, "status", "started", "status_reason", nil, "desired_state", "started")
		w.write(config)
		w.wantNoChanges() // nothing was changed
		watch.Check(t, drain)

		other.destroy()
		w.apply(l.config(l.deployment(replicas(2), stopped)))
		l.wantPods(nameOf("v1"), 0)
	})
}

// Two colours: main moves, and then the former one is stopped and started again.
func TestAccStopOfWhatWasMain(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(main string, blue ...string) string {
		return l.config(l.deployment(blue...), l.deploymentNamed("green", image("v2")), l.main("deployment_id = switchback_deployment."+main+".id"))
	}
	w.apply(config("api"))
	w.apply(config("green"))
	w.apply(config("green", stopped)).wantActions(theDeployment, "update")
	l.wantPods(nameOf("v1"), 0)
	w.wantNoChanges()
	w.applyFails(config("api", stopped)).tells("Main deployment would be stopped")
	w.apply(config("api")) // started first, then main
	l.wantMain(nameOf("v1"))
	l.wantPods(nameOf("v1"), 1)
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccRestartTriggers(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag, trigger string) string {
		return l.config(l.deployment(createFirst, image(tag), replicas(2), trigger), l.main())
	}
	secret := func(version string) string { return fmt.Sprintf("restart_triggers = { secret = %q }", version) }
	w.apply(config("v1", secret("1")))
	before, pods := l.workload(nameOf("v1")), l.wantPods(nameOf("v1"), 2)
	w.wantNoChanges()

	replaced := func(trigger string) {
		t.Helper()
		w.apply(config("v1", trigger)).wantActions(theDeployment, "update")
		now := l.wantPods(nameOf("v1"), 2)
		if slices.ContainsFunc(now, func(uid types.UID) bool { return slices.Contains(pods, uid) }) {
			t.Errorf("%s: the pods are %v, were %v", trigger, now, pods)
		}
		pods = now
		w.wantState(theDeployment, "status", "started", "name", nameOf("v1"))
		w.wantNoChanges()
	}
	replaced(secret("2"))
	replaced("") // none is another one, too
	replaced(secret("3"))
	if l.workload(nameOf("v1")).UID != before.UID {
		t.Error("it is another workload")
	}

	// Neither repair, nor import, nor going away and back restarts anything.
	l.patchWorkload(nameOf("v1"), `{"metadata":{"labels":{"app.kubernetes.io/name":"theirs"}}}`)
	w.apply(config("v1", secret("3"))).wantActions(theDeployment, "update")
	imported := l.inProcess()
	text := config("v1", secret("3"))
	imported.throughCLI().apply(text+fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\nimport {\n  to = %s\n  id = %q\n}\n", theDeployment, l.namespace+"/"+nameOf("v1"), theMain, l.namespace+"/api")).
		wantActions(theDeployment, "import", theMain, "import")
	imported.wantState(theDeployment, "restart_triggers", map[string]any{"secret": "3"})
	w.apply(config("v2", secret("3")))
	w.apply(config("v1", secret("4")))
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	w.wantNoChanges()
	watch.NeverEmpty(t)
}

// A restart whose pods do not come up is told, and taken back.
func TestAccFailedRestartIsTakenBack(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(version string) string {
		return l.config(l.deployment(fmt.Sprintf("restart_triggers = { secret = %q }", version)), l.main())
	}
	w.apply(config("1"))
	pods := l.wantPods(nameOf("v1"), 1)
	l.forbidPods()
	testcluster.Eventually(t, hang, "no more pods", func() error {
		r := w.tryApply(config("2"))
		if !r.failed {
			return errors.New("there was one")
		}
		r.tells("Deployment failed to restart: ", "the old ones stay", "exceeded quota")
		return nil
	})
	w.wantState(theDeployment, "status", "started", "restart_triggers", map[string]any{"secret": "1"})
	l.wantSamePods(nameOf("v1"), pods)
	l.must(l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Delete(t.Context(), "full", metav1.DeleteOptions{}))
	w.apply(config("2"))
	if slices.Equal(pods, l.wantPods(nameOf("v1"), 1)) {
		t.Error("nothing was restarted when it could be")
	}
	w.wantNoChanges()
	watch.NeverEmpty(t)
}

func TestAccImportOfAStoppedDeployment(t *testing.T) {
	l := newLab(t)
	w, imported := l.inProcess(), l.inProcess()
	config := l.config(l.deployment(stopped, replicas(3), `restart_triggers = { secret = "1" }`))
	w.apply(config)
	imported.throughCLI().apply(config+fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", theDeployment, l.namespace+"/"+nameOf("v1"))).wantActions(theDeployment, "import")
	imported.wantState(theDeployment, "status", "stopped", "desired_state", "stopped", "replicas", 3)
	imported.write(config)
	imported.wantNoChanges()
	imported.apply(l.config(l.deployment(replicas(3), `restart_triggers = { secret = "1" }`)))
	l.wantPods(nameOf("v1"), 3)
	imported.wantNoChanges()
}

// A start that a Ctrl-C has cancelled can be stopped for good, and resumed.
func TestAccCancelledStartIsStoppedAndResumed(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string { return l.config(l.deployment(append(lines, image("slow"))...)) }
	w.write(config())
	w.execInterrupted(func() { l.eventuallyPods(nameOf("slow"), 1) }, "apply", "-auto-approve", "-input=false", "-no-color")
	w.wantState(theDeployment, "status", "cancelled")
	w.apply(config(stopped)).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "status", "stopped")
	l.wantPods(nameOf("slow"), 0)
	w.wantNoChanges()
	w.apply(config()).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "status", "started")
	l.wantPods(nameOf("slow"), 1)
	l.wantCustody(nameOf("slow"), release.CustodyOwned)
	w.wantNoChanges()
}
