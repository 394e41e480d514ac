package provider_test

import (
	"strings"
	"testing"
)

// canaryThatIsLeft is main with v1, after somebody has taken the traffic from v2.
func (l *lab) canaryThatIsLeft(w *workspace, config func(tag string, lines ...string) string) {
	l.t.Helper()
	v1, v2 := nameOf("v1"), nameOf("v2")
	w.apply(config("v1"))
	w.apply(config("v2"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, v2, 10), "refused", nil)
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
}

// leavable is a canary with a gate at 10 %, and a dependent of the main deployment.
func (l *lab) leavable(tag string, lines ...string) string {
	lines = append(lines, routed(), canaryOf(`{ weight = 10, gate = "manual" }`))
	return l.config(l.deployment(image(tag), createFirst), l.main(lines...)) + `
output "serves" { value = switchback_main_deployment.api.deployment_id }
`
}

// whatIsLeftStaysSo: a release that somebody has taken the traffic from is not asked for by
// anything but another retry_token, or after another one was main. Everything else can be
// changed meanwhile.
func (l *lab) whatIsLeftStaysSo() {
	w := l.inProcess()
	v1, v2 := nameOf("v1"), nameOf("v2")
	l.canaryThatIsLeft(w, l.leavable)
	kept := func() { // whatever else is done
		l.t.Helper()
		w.refresh()
		w.wantNoChanges().warns("Deployment was taken back before", "admin asked to go back", "The traffic stays with "+l.namespace+"/"+v1)
		w.wantState(theMain, "deployment_id", l.namespace+"/"+v1, "split", shares(v1, 100))
	}
	w.refresh()
	state, _ := w.attributes(theMain)
	if refused, _ := state["refused"].(map[string]any); refused["deployment_id"] != l.namespace+"/"+v2 || refused["by"] != "admin" || refused["at"] == nil {
		l.t.Errorf("refused is %v", state["refused"])
	}
	kept()
	w.apply(l.leavable("v2", keepPrevious(2), `drain = "3s"`)).wantActions(theMain, "update")
	w.wantState(theMain, "drain", "3s", "status", "finalized")
	kept()
	imported := l.inProcess()
	imported.write(l.leavable("v2", keepPrevious(2), `drain = "3s"`))
	imported.do("import", theDeployment, l.namespace+"/"+v2)
	imported.do("import", theMain, l.namespace+"/api")
	imported.wantNoChanges().warns("admin asked to go back")
	w = imported // which holds the claim now
	kept()

	w.write(l.leavable("v2", `retry_token = "again"`))
	w.plan().silent("taken back before")
	w.apply(l.leavable("v2", `retry_token = "again"`))
	w.wantState(theMain, "status", "paused", "deployment_id", l.namespace+"/"+v2, "split", shares(v1, 90, v2, 10), "refused", nil)
	w.wantNoChanges()
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine()
	w.write(l.leavable("v2", `retry_token = "again"`))
	kept()
	w.write(l.leavable("v2")) // it is not tried again by letting go of the token
	w.plan().warns("admin asked to go back")
	w.apply(l.leavable("v1")) // nor by going back to where the traffic is
	w.wantNoChanges().silent("taken back before")
	w.apply(l.leavable("v2"))
	kept()
	w.apply(l.leavable("v3"))
	w.wantState(theMain, "status", "paused", "split", shares(v1, 90, nameOf("v3"), 10))
	w.wantNoChanges()
}

// TestAccWhatIsLeftThroughCLI: a CLI takes a plan that leaves what is configured as it was,
// applies what else is in it, and finds nothing inconsistent.
func TestAccWhatIsLeftThroughCLI(t *testing.T) {
	t.Parallel()
	c := withGateways(t)
	l := labOn(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	w := l.workspace()
	v1, v2 := l.namespace+"/"+nameOf("v1"), l.namespace+"/"+nameOf("v2")
	l.canaryThatIsLeft(w, l.leavable)
	w.write(l.leavable("v2"))
	w.plan().warns("Deployment was taken back before", "admin asked to go back", "The traffic stays with "+v1)
	w.apply(l.leavable("v2")) // what depends on it tells the truth
	if serves := strings.Trim(w.output("serves"), `"`); serves != v1 {
		t.Errorf("the output says %s, want %s", serves, v1)
	}
	w.wantNoChanges()
	w.apply(l.leavable("v2", keepPrevious(2))).wantActions(theMain, "update")
	w.wantState(theMain, "deployment_id", v1, "status", "finalized")
	w.wantNoChanges().warns("admin asked to go back")
	w.write(l.leavable("v2", keepPrevious(2), "retry_token = terraform_data.token.output") + `resource "terraform_data" "token" { input = "again" }`)
	w.run("plan", "-json", "-input=false").tells("Retry token is not known")
	w.apply(l.leavable("v2", keepPrevious(2), `retry_token = "again"`))
	w.wantState(theMain, "deployment_id", v2, "status", "paused", "refused", nil)
	w.wantNoChanges()
}
