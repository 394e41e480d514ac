package provider_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestAccFailedReleaseLeavesTheOldOne(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.inProcess(), l.watchMain()
		config := func(tag string) string {
			return l.config(l.deployment(append(lifecycle, image(tag))...), l.main())
		}
		w.apply(config("v1"))
		pods := l.wantPods(nameOf("v1"), 1)
		r := w.applyFails(config("missing"))
		r.tells("Deployment failed to start: ImageNotFound", "demo/api:missing", "Traffic: unchanged, 100 % on "+nameOf("v1"), nameOf("missing"))
		l.wantMain(nameOf("v1"))
		l.wantCustody(nameOf("missing"), release.CustodyAbandoned)
		l.eventuallyPods(nameOf("missing"), 0)
		w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))

		w.write(config("v1"))
		if len(lifecycle) > 0 {
			w.wantNoChanges() // Terraform has put the old one back
		}
		w.apply(config("v1"))
		l.wantSamePods(nameOf("v1"), pods)
		l.wantCustody(nameOf("v1"), release.CustodyOwned)

		w.applyFails(config("missing")).tells("ImageNotFound")
		w.apply(config("v2")) // forward
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v1"), nameOf("v2")) // what was abandoned is collected
		l.wantCustody(nameOf("v1"), release.CustodyRetained)
		l.wantSamePods(nameOf("v1"), pods)
		w.wantNoChanges()
		watch.Check(l.t, drain)
		w.destroy()
		l.wantNothingLeft()
	})
}

func TestAccFailingAgainDoublesNothing(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.inProcess(), l.watchMain()
		config := func(tag string) string {
			return l.config(l.deployment(append(lifecycle, image(tag))...), l.main(keepPrevious(0)))
		}
		w.apply(config("v1"))
		for _, tag := range []string{"crash", "crash", "oom"} {
			w.applyFails(config(tag))
			l.wantMain(nameOf("v1"))
			l.wantPods(nameOf("v1"), 1)
			l.eventuallyPods(nameOf(tag), 0)
			if _, deposed := w.attributes(theDeployment); deposed > 0 {
				l.t.Errorf("%d deposed objects", deposed)
			}
		}
		l.wantReleases(nameOf("v1"), nameOf("crash"), nameOf("oom"))
		w.apply(config("v2"))
		l.wantReleases(nameOf("v2"))
		w.wantNoChanges()
		watch.Check(l.t, drain)
	})
}

func TestAccFirstReleaseThatFailsIsTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		says  []string
		lines []string
	}{
		"missing": {says: []string{"ImageNotFound", "has no such image"}},
		"crash":   {says: []string{"CrashLoopBackOff"}},
		"oom":     {says: []string{"OOMKilled"}},
		"unready": {says: []string{"timeouts.create", enough}, lines: []string{`timeouts = { create = "` + enough + `" }`}},
	}
	for tag, test := range tests {
		t.Run(tag, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			config := l.config(l.deployment(append(test.lines, image(tag))...), l.main())
			r := w.applyFails(config).tells(append(test.says, nameOf(tag), "0 of 1 pods")...)
			if m := r.messages("error"); strings.Contains(m, "Traffic:") {
				t.Errorf("there was no traffic to tell of:\n%s", m)
			}
			w.wantAbsent(theDeployment)
			w.wantAbsent(theMain)
			w.apply(l.config(l.deployment(), l.main()))
			l.wantReleases(nameOf("v1"))
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

func TestAccOnFailure(t *testing.T) {
	t.Parallel()
	for action, want := range map[release.OnFailure]func(l *lab, name string){
		release.OnFailureStop: func(l *lab, name string) {
			l.eventuallyPods(name, 0)
			l.wantReleases(name)
		},
		release.OnFailureKeep: func(l *lab, name string) { l.wantPods(name, 1) },
		release.OnFailureTerminate: func(l *lab, _ string) {
			l.wantReleases()
			l.wantNothingLeft()
		},
	} {
		t.Run(string(action), func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			w.applyFails(l.config(l.deployment(image("missing"), fmt.Sprintf("on_failure = %q", action)))).tells("ImageNotFound")
			want(l, nameOf("missing"))
			w.wantAbsent(theDeployment)
		})
	}
}

func TestAccPatientCauseIsToldWithTheTimeout(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	r := w.applyFails(l.config(l.deployment(`node_selector = { disk = "of-gold" }`, `timeouts = { create = "`+enough+`" }`)))
	r.tells("timeouts.create", enough, "Unschedulable")
}

// An update that cannot succeed leaves what serves as it is.
func TestAccFailedUpdateKeepsServing(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(replicas int) string {
		return l.config(l.deployment(fmt.Sprintf("replicas = %d", replicas)), l.main())
	}
	w.apply(config(1))
	l.forbidPods()
	w.applyFails(config(3)).tells("exceeded quota", "full")
	l.wantMain(nameOf("v1"))
	l.wantPods(nameOf("v1"), 1)
	w.wantState(theDeployment, "status", "started", "replicas", 1)
	if r := w.plan(); len(r.actions[theDeployment]) == 0 {
		t.Error("the next plan is empty, though what was asked for was not reached")
	}
	l.must(l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Delete(t.Context(), "full", metav1.DeleteOptions{}))
	// The ReplicaSet controller tries again when it pleases, the later the longer
	// it was refused; until then the workload says that it is.
	l.eventuallyPods(nameOf("v1"), 3)
	w.apply(config(3))
	l.wantPods(nameOf("v1"), 3)
	w.wantNoChanges()
	watch.NeverEmpty(t)
}

func TestAccFailedSwitchKeepsTheOldId(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		proxy := l.cluster.Proxy(l.t)
		l.provider = connection(proxy.KubeconfigPath)
		w, watch := l.inProcess(), l.watchMain()
		config := func(tag string) string {
			return l.config(l.deployment(append(lifecycle, image(tag))...), l.main(keepPrevious(0)))
		}
		w.apply(config("v1"))
		proxy.SetFault(noPatchOfMain)
		w.applyFails(config("v2")).tells("not today")
		w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
		l.wantMain(nameOf("v1"))
		l.wantPods(nameOf("v1"), 1)
		w.applyFails(config("v2")).tells("not today")
		l.wantPods(nameOf("v1"), 1)

		proxy.SetFault(nil)
		if r := w.plan(); len(r.actions[theMain]) == 0 {
			l.t.Error("the next plan does not move main")
		}
		w.apply(config("v2"))
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v2"))
		w.wantNoChanges()
		watch.Check(l.t, drain)
	})
}

func TestAccMainDoesNotMoveToPodsThatAreNotReady(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(main string) string {
		return l.config(
			l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`),
			l.main(fmt.Sprintf("deployment_id = switchback_deployment.api[%q].id", main)),
		)
	}
	w.apply(config("v1"))
	l.setReady(nameOf("v2"), corev1.ConditionFalse)
	l.untilNoneReady(nameOf("v2"))
	w.applyFails(config("v2")).tells("Deployment cannot become main", nameOf("v2"), "0 of its 1 pods are ready", "Traffic was not touched")
	l.wantMain(nameOf("v1"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	l.setReady(nameOf("v2"), corev1.ConditionTrue)
	w.apply(config("v2"))
	l.wantMain(nameOf("v2"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// Two bumps whose switches fail leave a chain of deposed objects, of which the
// first carries the traffic.
func TestAccChainOfDeposedReleases(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	l.provider = connection(proxy.KubeconfigPath)
	w, watch := l.workspace(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(0)))
	}
	w.apply(config("v1"))
	pods := l.wantPods(nameOf("v1"), 1)
	proxy.SetFault(noPatchOfMain)
	w.applyFails(config("v2")).tells("not today")
	w.applyFails(config("v3")).tells("not today")
	l.wantMain(nameOf("v1"))
	l.wantSamePods(nameOf("v1"), pods)
	if _, deposed := w.attributes(theDeployment); deposed == 0 {
		t.Error("nothing is deposed: this test tests nothing")
	}
	proxy.SetFault(nil)
	w.apply(config("v4"))
	l.wantMain(nameOf("v4"))
	l.wantReleases(nameOf("v4"))
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}

// The main Service of a bump may have become somebody else's: then nobody
// touches it, and the live release stays until that is settled.
func TestAccSwitchOfAServiceThatBecameSomebodyElses(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(0)))
	}
	manager := func(name string) {
		l.patchService("api", `{"metadata":{"labels":{"`+release.LabelManagedBy+`":"`+name+`"}}}`)
	}
	w.apply(config("v1"))
	manager("Helm")
	w.applyFails(config("v2")).tells("Object belongs to somebody else", "Service "+l.namespace+"/api", "Helm")
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	l.wantMain(nameOf("v1"))
	l.wantPods(nameOf("v1"), 1)
	manager(release.ManagedBy)
	w.apply(config("v2"))
	l.wantMain(nameOf("v2"))
	l.wantReleases(nameOf("v2"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// A Ctrl-C leaves a release that is ours, is no longer wanted to run, and is
// resumed in place.
func TestAccInterruptedCreateIsResumed(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string { return l.config(l.deployment(image(tag), createFirst), l.main()) }
	w.apply(config("v1"))
	w.write(config("slow"))
	_, text := w.execInterrupted(func() {
		testcluster.Eventually(t, hang, "the new release's pod", func() error {
			if len(l.pods(nameOf("slow"))) == 0 {
				return errors.New("there is none yet")
			}
			return nil
		})
	}, "apply", "-auto-approve", "-input=false", "-no-color")
	if !strings.Contains(text, "Deployment cancelled") {
		t.Errorf("nothing was said of the cancelled release:\n%s", text)
	}
	w.wantState(theDeployment, "status", "cancelled", "name", nameOf("slow"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	l.wantMain(nameOf("v1"))
	l.eventuallyPods(nameOf("slow"), 0)

	r := w.apply(config("slow"))
	if slices.ContainsFunc(r.actions[theDeployment], func(action string) bool { return action != "update" && action != "delete" }) {
		t.Errorf("planned %v, want an update in place", r.actions)
	}
	l.wantMain(nameOf("slow"))
	l.wantPods(nameOf("slow"), 1)
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	watch.Check(t, drain)
	w.destroy()
	l.wantNothingLeft()
}
