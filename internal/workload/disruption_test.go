package workload_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestDisruptionBudget: as many pods may be missing as is typed, and there is none where
// none is wanted. It is no content.
func TestDisruptionBudget(t *testing.T) {
	for name, tt := range map[string]struct {
		asked *release.Disruption
		want  string // empty: none
	}{
		"no word": {nil, "1"}, "nothing said": {&release.Disruption{}, "1"}, "on": {&release.Disruption{Enabled: new(true)}, "1"},
		"off": {&release.Disruption{Enabled: new(false)}, ""}, "a number": {&release.Disruption{MaxUnavailable: "3"}, "3"},
		"percent": {&release.Disruption{MaxUnavailable: "25%"}, "25%"},
	} {
		spec := minimal()
		spec.Replicas, spec.Disruption = 2, tt.asked
		b, got := workload.DisruptionBudget(spec), ""
		if b != nil {
			got = b.Spec.MaxUnavailable.String()
		}
		if got != tt.want || (len(spec.Companions()) == 1) != (b != nil) || spec.Name() != minimal().Name() {
			t.Errorf("%s: %q may be missing, want %q; companions %v", name, got, tt.want, spec.Companions())
		}
		spec.Replicas = 1
		if workload.DisruptionBudget(spec) != nil {
			t.Errorf("%s: a single pod has a budget", name)
		}
	}
}

// TestBudgets: a budget without a selector counts nothing, one with an empty one all.
func TestBudgets(t *testing.T) {
	template := &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "api", "team": "shop"}}}
	for name, tt := range map[string]struct {
		selector *metav1.LabelSelector
		want     bool
	}{
		"none": {nil, false}, "empty": {&metav1.LabelSelector{}, true},
		"ours":    {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "api"}}, true},
		"others'": {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, false},
		"broken":  {&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Perhaps"}}}, false},
	} {
		if got := workload.Budgets(&policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{Selector: tt.selector}}, template); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestValidateDisruption(t *testing.T) {
	asked := func(d release.Disruption) func(*release.Spec) {
		return func(spec *release.Spec) { spec.Disruption = &d }
	}
	const at = "disruption_budget.max_unavailable"
	runChecks(t, map[string]check{
		"nothing":       {asked(release.Disruption{MaxUnavailable: "0"}), at, []string{"at least 1"}},
		"no percent":    {asked(release.Disruption{MaxUnavailable: "0%"}), at, []string{"at least 1"}},
		"more than all": {asked(release.Disruption{MaxUnavailable: "101%"}), at, []string{"100%"}},
		"no number":     {asked(release.Disruption{MaxUnavailable: "some"}), at, []string{`"some"`, "25%"}},
		"turned off":    {asked(release.Disruption{Enabled: new(false), MaxUnavailable: "1"}), at, []string{"turned off", "Remove"}},
	})
}
