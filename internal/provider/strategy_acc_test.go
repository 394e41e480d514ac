package provider_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func strategy(s release.Strategy) string { return `strategy = "` + string(s) + `"` }

// inPlaceName is the name of the application's deployment in place.
var inPlaceName = release.Spec{Strategy: release.StrategyRolling, Content: release.Content{Application: "api"}}.Name()

// TestAccPausedDeploymentIsToldAtPlan, where the plan replaces its pods, and only there.
func TestAccPausedDeploymentIsToldAtPlan(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling))...))
	}
	const paused = "Deployment is paused"
	w.apply(config())
	l.patchWorkload(inPlaceName, `{"spec":{"paused":true}}`)
	w.write(config(image("v2")))
	w.plan().warns(paused, `On cluster "default", the Deployment `+l.namespace+"/"+inPlaceName+" is paused by the field manager \""+somebody+"\"",
		"kubectl --namespace "+l.namespace+" rollout resume deployment/"+inPlaceName)
	w.write(config(replicas(2)))
	w.plan().silent(paused)
	l.patchWorkload(inPlaceName, `{"spec":{"paused":null}}`)
	w.apply(config(image("v2"))).silent(paused)
}

// TestAccRolling bumps a version in place: the address is not touched.
func TestAccRolling(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling), replicas(2))...), l.main(), output("id", theDeployment+".id"))
	}
	w.apply(config())
	w.wantState(theDeployment, "name", inPlaceName, "id", l.namespace+"/"+inPlaceName, "service_name", inPlaceName, "strategy", "rolling", "rolling_update", nil)
	w.wantNoChanges()
	first, _ := w.attributes(theDeployment)

	w.apply(config(image("v2"))).wantActions(theDeployment, "update")
	second, _ := w.attributes(theDeployment)
	w.wantState(theDeployment, "name", inPlaceName, "version", "v2", "status", "started", "owner", first["owner"])
	if second["content_hash"] == first["content_hash"] {
		t.Error("its content_hash is the same")
	}
	w.wantNoChanges()
	good := l.wantPods(inPlaceName, 2)

	// A version that fails is taken back, and the state says what runs.
	r := w.applyFails(config(`image = "demo/missing:v3"`))
	r.wantActions(theDeployment, "update")
	r.tells("Deployment failed to update: ImageNotFound", "is back at version v2, whose pods were never touched")
	w.wantState(theDeployment, "version", "v2", "image", "demo/api:v2", "content_hash", second["content_hash"], "status", "started")
	if reason, _ := w.attributes(theDeployment); reason["status_reason"] == nil {
		t.Error("the state has no reason")
	}
	w.plan().wantActions(theDeployment, "update") // it shows the change again
	w.apply(config(image("v2")))
	w.wantState(theDeployment, "status_reason", nil)
	w.wantNoChanges()
	l.wantSamePods(inPlaceName, good)

	// How pods are replaced is no reason to.
	how := []string{image("v2"), `rolling_update = { max_surge = 1, max_unavailable = "0%" }`, `health = { min_ready = "1s", progress_deadline = "5m" }`}
	w.apply(config(how...)).wantActions(theDeployment, "update")
	d := l.workload(inPlaceName)
	if u := d.Spec.Strategy.RollingUpdate; u.MaxSurge.String() != "1" || u.MaxUnavailable.String() != "0%" || d.Spec.MinReadySeconds != 1 || *d.Spec.ProgressDeadlineSeconds != 300 || *d.Spec.RevisionHistoryLimit != 10 {
		t.Errorf("the workload is %+v", d.Spec)
	}
	l.wantSamePods(inPlaceName, good)
	w.wantNoChanges()

	// An import brings all of that.
	other := l.inProcess()
	other.write(config(how...))
	other.do("import", theDeployment, l.namespace+"/"+inPlaceName)
	other.do("import", theMain, l.namespace+"/api")
	other.wantState(theDeployment, "strategy", "rolling", "content_hash", second["content_hash"])
	if r := other.plan(); len(r.actions[theDeployment]) > 0 {
		t.Errorf("the plan after an import is not empty:\n%s", other.explain())
	}
	l.wantReleases(inPlaceName)
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// TestAccStrategyChange: from and to a name that follows the content, it is a
// replacement; between the strategies in place it is not.
func TestAccStrategyChange(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(s release.Strategy, lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(s), createFirst)...), l.main())
	}
	w.apply(l.config(l.deployment(createFirst), l.main()))
	w.apply(config(release.StrategyBlueGreen)).wantActions()
	w.apply(config(release.StrategyRolling)).wantActions(theDeployment, "replace", theMain, "update")
	l.wantMain(inPlaceName)
	w.wantNoChanges()
	pods := l.wantPods(inPlaceName, 1)
	r := w.apply(config(release.StrategyRecreate))
	r.wantActions(theDeployment, "update")
	l.wantSamePods(inPlaceName, pods)
	w.wantNoChanges()
	watch.Check(t, drain)

	r = w.apply(config(release.StrategyRecreate, image("v2")))
	r.wantActions(theDeployment, "update")
	r.warns("Every change of content is an outage")
	w.wantState(theDeployment, "version", "v2", "name", inPlaceName)
	w.apply(config(release.StrategyBlueGreen, image("v2"))).wantActions(theDeployment, "replace", theMain, "update")
	l.wantMain(nameOf("v2"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// TestAccLostStateInPlace: what is there is found again, whatever it runs.
func TestAccLostStateInPlace(t *testing.T) {
	l := newLab(t)
	rolling := strategy(release.StrategyRolling)
	w := l.inProcess()
	w.apply(l.config(l.deployment(rolling), l.main()))
	watch := l.watchMain()
	uid := l.workload(inPlaceName).UID
	other := l.inProcess()
	r := other.apply(l.config(l.deployment(rolling, image("v2"))))
	r.warns("Existing deployment adopted")
	other.wantNoChanges()
	if d := l.workload(inPlaceName); d.UID != uid || d.Annotations[release.AnnotationVersion] != "v2" {
		t.Errorf("the workload is %s, %v", d.UID, d.Annotations)
	}
	// The former state sees what has become of it, and can change nothing.
	w.refresh()
	if drift := w.drift(theDeployment); !slices.ContainsFunc(drift, func(d driftLine) bool { return strings.Contains(d.Field, release.AnnotationContentHash) }) {
		t.Errorf("drift is %+v", drift)
	}
	w.applyFails(l.config(l.deployment(rolling), l.main())).tells("claimed by somebody else")
	watch.NeverEmpty(t)
}

// TestAccUndoneByOthers: kubectl rollout undo is drift, which is repaired.
func TestAccUndoneByOthers(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(strategy(release.StrategyRolling), image("v2")))
	w.apply(l.config(l.deployment(strategy(release.StrategyRolling))))
	w.apply(config)
	l.patchWorkload(inPlaceName, `{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"demo/api:v1"}]}}}}`)
	testcluster.Eventually(t, hang, "the other pod", func() error {
		_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(t.Context(), inPlaceName, metav1.GetOptions{})
		return err
	})
	w.write(config)
	w.plan().wantActions(theDeployment, "update")
	w.apply(config)
	if image := l.workload(inPlaceName).Spec.Template.Spec.Containers[0].Image; image != "demo/api:v2" {
		t.Errorf("its image is %s", image)
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccStrategyBadInput(t *testing.T) {
	l := newLab(t)
	rolling := strategy(release.StrategyRolling)
	for name, c := range map[string]struct {
		lines []string
		want  []string
	}{
		"unknown":       {[]string{`strategy = "canary"`}, []string{"strategy", "blue_green"}},
		"no rolling":    {[]string{`rolling_update = { max_surge = 1 }`}, []string{"rolling_update without a rolling update"}},
		"of recreate":   {[]string{strategy(release.StrategyRecreate), `rolling_update = { max_surge = 1 }`}, []string{"rolling_update without a rolling update"}},
		"both zero":     {[]string{rolling, `rolling_update = { max_surge = 0 }`}, []string{"Rolling update cannot begin"}},
		"no number":     {[]string{rolling, `rolling_update = { max_surge = "a few" }`}, []string{"Invalid number of pods"}},
		"more than all": {[]string{rolling, `rolling_update = { max_unavailable = "101%" }`}, []string{"Invalid number of pods"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newInProcess(t)
			w.applyFails(l.config(l.deployment(c.lines...))).tells(c.want...)
		})
	}
	l.wantNothingLeft()
}
