package provider_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestAccHealth: what Kubernetes goes by is in the workload, and the rest touches
// no cluster. An import brings all of it.
func TestAccHealth(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string { return l.config(l.deployment(lines...)) }
	record := func() *corev1.ConfigMap {
		cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(t.Context(), nameOf("v1"), metav1.GetOptions{})
		l.must(err)
		return cm
	}
	all := `health = { progress_deadline = "10m", fail_fast_grace = "20s", crash_limit = 5, min_ready = "1s", log_tail = 25 }`
	w.apply(config())
	w.wantState(theDeployment, "health", nil)
	pods := l.wantPods(nameOf("v1"), 1)

	w.apply(config(all)).wantActions(theDeployment, "update")
	w.wantNoChanges()
	if spec := l.workload(nameOf("v1")).Spec; spec.MinReadySeconds != 1 || *spec.ProgressDeadlineSeconds != 600 {
		t.Errorf("the workload has %d and %d", spec.MinReadySeconds, *spec.ProgressDeadlineSeconds)
	}
	l.wantSamePods(nameOf("v1"), pods)

	other := l.inProcess()
	other.write(config(all))
	other.do("import", theDeployment, l.namespace+"/"+nameOf("v1"))
	if r := other.plan(); len(r.actions[theDeployment]) > 0 {
		t.Errorf("the plan after an import is not empty:\n%s", other.explain())
	}

	// How we wait is nobody's business but ours.
	before, workload := record(), l.workload(nameOf("v1"))
	w.apply(config(`health = { progress_deadline = "600s", fail_fast_grace = "1s", crash_limit = 1, min_ready = "1s", log_tail = 0 }`)).wantActions(theDeployment, "update")
	w.wantNoChanges()
	if after, now := record(), l.workload(nameOf("v1")); after.ResourceVersion != before.ResourceVersion || now.Generation != workload.Generation {
		t.Error("the cluster was touched")
	}

	// Without it, nothing is left of it.
	w.apply(config()).wantActions(theDeployment, "update")
	if spec := l.workload(nameOf("v1")).Spec; spec.MinReadySeconds != 0 || *spec.ProgressDeadlineSeconds != 600 {
		t.Errorf("the workload still has %d and %d", spec.MinReadySeconds, *spec.ProgressDeadlineSeconds)
	}
	w.wantNoChanges()
	l.wantSamePods(nameOf("v1"), pods)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccHealthBadInput(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		lines []string
		want  []string
	}{
		"too short":         {[]string{`health = { min_ready = "60s", progress_deadline = "1m" }`}, []string{"Progress deadline too short", "min_ready (1m)"}},
		"recreate":          {[]string{strategy(release.StrategyRecreate), `health = { min_ready = "10m" }`}, []string{"Progress deadline too short"}},
		"no duration":       {[]string{`health = { progress_deadline = "soon" }`}, []string{"Invalid duration"}},
		"no time":           {[]string{`health = { progress_deadline = "0s" }`}, []string{"Invalid duration"}},
		"negative ready":    {[]string{`health = { min_ready = "-1s" }`}, []string{"Invalid duration", "min_ready"}},
		"no grace":          {[]string{`health = { fail_fast_grace = "a while" }`}, []string{"Invalid duration", "a while"}},
		"no crashes":        {[]string{`health = { crash_limit = 0 }`}, []string{"crash_limit", "at least 1"}},
		"more than a tail":  {[]string{`health = { log_tail = 201 }`}, []string{"log_tail", "between 0 and 200"}},
		"longer than all":   {[]string{`health = { progress_deadline = "11m" }`}, []string{"Health setting is longer than the whole may take", "timeouts.create", "11m"}},
		"longer than given": {[]string{`health = { progress_deadline = "3m" }`, `timeouts = { create = "2m" }`}, []string{"Health setting is longer than the whole may take", "timeouts.create", "2m"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newInProcess(t)
			w.applyFails(l.config(l.deployment(c.lines...))).tells(c.want...)
		})
	}
	l.wantNothingLeft()
}
