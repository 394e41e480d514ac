package provider_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var pausedCommand = regexp.MustCompile("`kubectl patch configmap (\\S+) --namespace (\\S+) --type merge --patch '([^']+)'`")

// letRollOn does what the status_reason of a paused deployment prints.
func (l *lab) letRollOn(w *workspace) {
	l.t.Helper()
	now, _ := w.attributes(theDeployment)
	reason, _ := now["status_reason"].(string)
	line := pausedCommand.FindStringSubmatch(reason)
	if line == nil {
		l.t.Fatalf("its status_reason is %q", reason)
	}
	_, err := l.cluster.Client().CoreV1().ConfigMaps(line[2]).Patch(l.t.Context(), line[1], types.MergePatchType, []byte(line[3]), metav1.PatchOptions{})
	l.must(err)
}

// TestAccRollingStops: an apply that ends in a stop is a success, and plans nothing until
// somebody lets it go on.
func TestAccRollingStops(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	stops := `rolling_update = { max_surge = 1, pause_at = [{ percent = 50, gate = "manual" }] }`
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling), replicas(2))...), l.main(), output("id", theDeployment+".id"))
	}
	w.apply(config())
	w.apply(config(stops))
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	v2 := `image = "demo/slow-api:v2"`
	w.write(config(stops, v2))
	w.plan().warns("Change stops on its way", "It stops at 50 % of the pods", "Somebody has to let it go on")
	r := w.apply(config(stops, v2))
	r.wantActions(theDeployment, "update")
	r.warns("Change is paused", "This is a success, and the pods stay as they are", "50 % of the pods of "+inPlaceName+" have the new content", "kubectl patch configmap "+inPlaceName)
	w.wantState(theDeployment, "status", "paused", "version", "v2")
	w.wantNoChanges()
	if d := l.workload(inPlaceName); !d.Spec.Paused || d.Status.UpdatedReplicas != 1 {
		t.Errorf("the workload is paused: %v, with %d new pods", d.Spec.Paused, d.Status.UpdatedReplicas)
	}
	// Another change holds the pause.
	w.apply(config(stops, v2, `timeouts = { update = "9m" }`)).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "status", "paused")
	w.wantNoChanges()
	// An import finds all of it.
	other := l.inProcess()
	other.write(config(stops, v2))
	other.do("import", theDeployment, l.namespace+"/"+inPlaceName)
	other.wantState(theDeployment, "status", "paused", "version", "v2")
	// Once somebody has let it go on, the next plan does.
	l.letRollOn(w)
	w.apply(config(stops, v2)).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "status", "started", "status_reason", nil, "version", "v2")
	w.wantNoChanges()
	// The former version is asked for in a pause: no stop is in its way.
	w.apply(config(stops, `image = "demo/slow-api:v3"`))
	w.wantState(theDeployment, "status", "paused", "version", "v3")
	w.apply(config(stops, v2))
	w.wantState(theDeployment, "status", "started", "version", "v2")
	w.wantNoChanges()
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// TestAccRollingStopIsResumed by the action: without a main deployment, and only what is meant.
func TestAccRollingStopIsResumed(t *testing.T) {
	l := newLab(t)
	w, p := l.inProcess(), l.speak()
	config := func(tag string) string {
		return l.config(l.deployment(`image = "demo/slow-api:`+tag+`"`, strategy(release.StrategyRolling), replicas(2),
			`rolling_update = { max_surge = 1, pause_at = [{ percent = 50, gate = "manual" }] }`))
	}
	of := func(more data) data {
		config := data{"namespace": l.namespace, "application": "api"}
		maps.Copy(config, more)
		return config
	}
	w.apply(config("v1"))
	if i := p.invoke("switchback_resume", of(nil)); len(i.diagnostics) != 1 || !strings.Contains(i.diagnostics[0].Detail, inPlaceName+" is not paused: its status is started") {
		t.Errorf("with nothing to resume, it says %v", i.diagnostics)
	}
	r := w.apply(config("v2"))
	r.warns("Change is paused", "or the action switchback_resume")
	w.wantState(theDeployment, "status", "paused")
	p.invoke("switchback_resume", of(data{"deployment_id": l.namespace + "/" + nameOf("v1")})).refused("There is no main deployment of "+l.namespace+"/api", "Nothing was written")
	p.invoke("switchback_resume", of(data{"deployment_id": l.namespace + "/" + inPlaceName})).fine("50 % of the pods of "+inPlaceName, "by the next apply")
	p.invoke("switchback_resume", of(nil)).fine("already")
	w.apply(config("v2")).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "status", "started", "status_reason", nil)
	w.wantNoChanges()
}
