package provider_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func (l *lab) canaryWithGate() {
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, gate = "manual" }, { weight = 50 }`)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1"))
	w.apply(config("v2")).warns("Promotion is paused", "api-switchback --namespace "+l.namespace, "10 % of the traffic", fmt.Sprintf("\n\nRun that on cluster \"default\", `kubectl switchback resume api --namespace %s`, or the action switchback_resume; then apply again.", l.namespace))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()
	state, _ := w.attributes(theMain)
	reason, _ := state["status_reason"].(string)
	if !strings.Contains(reason, "kubectl patch configmap api-switchback --namespace "+l.namespace) {
		l.t.Fatalf("status_reason is %q", reason)
	}
	_, patch, _ := strings.Cut(reason, "--patch '")
	patch, _, _ = strings.Cut(patch, "'")
	_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Patch(l.t.Context(), "api-switchback", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	l.must(err)
	w.refresh()
	w.wantState(theMain, "status", "running")
	w.plan().wantSummary(theMain, map[string]any{"from": l.namespace + "/" + v1, "to": l.namespace + "/" + v2, "steps": []any{"ready", "shift 10%", "shift 50%", "shift 100%", "commit", "collect"}})
	w.apply(config("v2"))
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
	w.apply(config("v3"))
	w.wantState(theMain, "status", "paused", "split", shares(v2, 90, nameOf("v3"), 10))
	w.apply(config("v2")) // back, in one step
	w.wantState(theMain, "deployment_id", l.namespace+"/"+v2, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()
}

// canaryRolledBack: an action takes a promotion back that is paused, and a Read says so.
// The next plan warns that the same one is refused.
func (l *lab) canaryRolledBack() {
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, gate = "manual" }`, `match = [{ header = { name = "x-canary", exact = "1" } }]`)))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1"))
	w.apply(config("v2"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	if rules := l.rules(); len(rules) != 2 {
		l.t.Errorf("while it is tried, the route has %+v", rules)
	}
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
	if rules := l.rules(); len(rules) != 1 || len(rules[0].Matches) != 1 || len(rules[0].Matches[0].Headers) != 0 {
		l.t.Errorf("who sends no header is not served any more: the route has %+v", rules)
	}
	w.refresh()
	w.wantState(theMain, "status", "finalized", "deployment_id", l.namespace+"/"+v1, "split", shares(v1, 100))
	w.write(config("v2"))
	w.wantNoChanges().warns("Deployment was taken back before", "had 10 % of the traffic already", "asked to go back", "The traffic stays with "+l.namespace+"/"+v1, "retry_token")
	w.apply(config("v1"))
	w.wantNoChanges().silent("taken back before")
}

// canarySteered: actions hold a canary, give it up, and give it all of the traffic at once;
// and let a deployment be tried once more. The history says why.
func (l *lab) canarySteered() {
	w, p := l.inProcess(), l.speak()
	config := func(tag, drain string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), drain, canaryOf(`{ weight = 10, gate = "manual" }`)))
	}
	of := func(reason string) data {
		return data{"namespace": l.namespace, "application": "api", "reason": reason}
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", `drain = "1s"`))
	p.invoke("switchback_hold", of("odd")).refused("Promotion was not held", "no promotion of it is under way")
	p.invoke("switchback_promote", of("odd")).refused("Nothing was skipped", "no promotion of it is under way")
	w.apply(config("v2", `drain = "1s"`))
	p.invoke("switchback_restart", of("which one?")).refused("No deployment is main everywhere", "No release of "+l.namespace+"/api has all of its traffic", "deployment_id")
	p.invoke("switchback_hold", data{"namespace": l.namespace, "selector": release.LabelApplication + "=api", "reason": "odd latency"}).fine("api: it is held where it is", v2+" has 10 % of the traffic, and is held")
	w.apply(config("v2", `drain = "2s"`)).wantActions(theMain, "update")
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	if reason, _ := w.attributes(theMain); !strings.Contains(fmt.Sprint(reason["status_reason"]), "(odd latency), until somebody lets it go on") {
		l.t.Errorf("its state says %v", reason["status_reason"])
	}
	w.wantNoChanges().warns("Promotion is held", "to "+v2+` on cluster "default" was held by `, "(odd latency)", "kubectl switchback resume api --namespace "+l.namespace, "switchback_resume")

	p.invoke("switchback_rollback", of("5xx")).fine()
	w.write(config("v2", `drain = "2s"`))
	left := w.wantNoChanges()
	left.warns("Deployment was taken back before", "asked to go back: 5xx")
	left.silent("Promotion is held")
	p.invoke("switchback_retry", of("mended")).fine(v2 + " may be tried once more")
	w.apply(config("v2", `drain = "2s"`))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	p.invoke("switchback_abort", of("later")).fine("is back on " + v1)
	w.apply(config("v2", `drain = "2s"`)).silent("taken back before")
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	p.invoke("switchback_promote", of("v1 is on fire")).fine(v2 + " has all of the traffic")
	w.wantNoChanges()
	w.refresh()
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))

	w.apply(config("v3", `drain = "2s"`))
	p.invoke("switchback_hold", of("odd again")).fine()
	w.refresh()
	w.destroy().warns("Promotion is paused", "is to be destroyed, and its promotion is open: "+nameOf("v3")+" has 10 % of the traffic, and is held", "(odd again), until somebody lets it go on. Its address goes, and the promotion with it. To end that first, let it go on, or go back, and apply.")
}

// canaryResumed: an action lets a promotion go on that is paused, the one that is meant and
// no other, and moves nothing.
func (l *lab) canaryResumed() {
	w, p := l.inProcess(), l.speak()
	config := func(tag, limit string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(`{ weight = 10, gate = "manual" }, { weight = 50 }`, limit)))
	}
	id := func(tag string) string { return l.namespace + "/" + nameOf(tag) }
	of := func(more data) data { return changed(data{"namespace": l.namespace, "application": "api"}, more) }
	nothing := func(i invoked, texts ...string) {
		l.t.Helper()
		wantSays(l.t, i.diagnostics, tfprotov6.DiagnosticSeverityWarning, append(texts, "Nothing is paused", "nothing was written")...)
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", ""))
	nothing(p.invoke("switchback_resume", of(nil)), "no promotion is open", v1)
	w.apply(config("v2", ""))
	before := l.requested()
	p.invoke("switchback_resume", of(data{"deployment_id": id("v3")})).refused("Application was not let go on", "one to "+v2+", not to "+nameOf("v3"))
	p.invoke("switchback_resume", of(data{"clusters": []string{"north"}})).refused("Unknown cluster")
	if l.requested() != before {
		l.t.Error("what was refused has been written")
	}
	w.refresh()
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	p.invoke("switchback_resume", of(data{"deployment_id": id("v2")})).fine(v2+" has 10 % of the traffic, and goes on", "gives it 50 %")
	request := l.requested()
	if !strings.Contains(request, `"kind":"resume"`) || !strings.Contains(request, `"by":"`) {
		l.t.Errorf("it asks %s", request)
	}
	p.invoke("switchback_resume", of(nil)).fine("already")
	if l.requested() != request {
		l.t.Errorf("asked twice: %s", l.requested())
	}
	w.refresh()
	w.wantState(theMain, "status", "running", "split", shares(v1, 90, v2, 10))
	w.apply(config("v2", "max_weight = 20"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	p.invoke("switchback_resume", of(nil)).refused("Application was not let go on", "canary.max_weight")
	w.apply(config("v2", ""))
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	nothing(p.invoke("switchback_resume", of(nil)), "no promotion is open", v2)
	w.wantNoChanges()
}

// requested is what the application's ConfigMap asks for.
func (l *lab) requested() string {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	l.must(err)
	return cm.Data[release.RequestKey]
}

// canaryInterrupted: a Ctrl-C tells the route to lead back. The state says what is known,
// and the next plan has something to do, whatever it is for.
func (l *lab) canaryInterrupted() {
	w := l.inProcess()
	config := func(tag, pause string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(fmt.Sprintf(`{ weight = 10, pause = %q }`, pause))))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", "1s"))
	for _, next := range []string{"v1", "v2"} {
		w.write(config("v2", "9m"))
		w.execInterrupted(func() { l.whenShare(v2, 10, func() {})() }, "apply", "-auto-approve", "-input=false", "-no-color")
		w.wantState(theMain, "status", "rolling_back", "deployment_id", l.namespace+"/"+v1, "split", shares(v1, 100))
		w.refresh()
		w.wantState(theMain, "status", "rolling_back", "deployment_id", l.namespace+"/"+v1, "split", shares(v1, 100))
		w.write(config(next, "1s"))
		if again := w.plan(); len(again.actions[theMain]) == 0 {
			l.t.Errorf("the next plan, for %s, leaves main alone: %v", next, again.actions)
		}
		w.apply(config(next, "1s"))
		w.wantState(theMain, "status", "finalized", "deployment_id", l.namespace+"/"+nameOf(next), "split", shares(nameOf(next), 100))
		w.wantNoChanges()
	}
}

// canaryWithLongPause ends the apply, since the pause does not fit into its time; its
// end makes the next plan one that goes on.
func (l *lab) canaryWithLongPause() {
	w := l.inProcess()
	config := func(tag, pause string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(routed(), keepPrevious(1), canaryOf(fmt.Sprintf(`{ weight = 10, pause = %q }`, pause)), `timeouts = { update = "1m" }`))
	}
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1", "1h"))
	w.apply(config("v2", "1h"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10))
	w.wantNoChanges()
	w.apply(config("v2", "1s")) // what has been waited counts
	w.wantState(theMain, "status", "finalized", "split", shares(v2, 100))
	w.wantNoChanges()

	w.apply(config("v3", "1h"))
	l.waited(59 * time.Minute)
	w.refresh()
	w.wantState(theMain, "status", "paused", "split", shares(v2, 90, nameOf("v3"), 10))
	w.wantNoChanges()
	l.waited(2 * time.Minute) // while nobody runs
	w.refresh()
	w.wantState(theMain, "status", "running", "split", shares(v2, 90, nameOf("v3"), 10),
		"status_reason", fmt.Sprintf(`the pause of the promotion from %s to %s on cluster "default" is over: it goes on`, v2, nameOf("v3")))
	w.write(config("v3", "1h"))
	w.plan().wantSummary(theMain, map[string]any{"action": "promote", "steps": []any{"ready", "shift 10%", "shift 100%", "commit", "collect"}})
	w.apply(config("v3", "1h")).wantActions(theMain, "update")
	w.wantState(theMain, "status", "finalized", "split", shares(nameOf("v3"), 100))
	w.wantNoChanges()
}

// waited makes the pause of a promotion so much older: by what is written down of it, which
// is the API server's time.
func (l *lab) waited(longer time.Duration) {
	l.t.Helper()
	memory := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := memory.Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	l.must(err)
	main, err := release.MainOf(cm.Data)
	l.must(err)
	main.Progress.Since = main.Progress.Since.Add(-longer)
	data, err := main.Marshal()
	l.must(err)
	for key, value := range data {
		cm.Data[key] = value
	}
	_, err = memory.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	l.must(err)
}
