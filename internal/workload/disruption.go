package workload

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// DisruptionBudget renders what lets nodes be drained a few pods at a time, or nil
// where there is a single pod, which has to go anyway, and where none is wanted. Pods
// that are not ready may always go, so that a broken release holds up no drain.
func DisruptionBudget(spec release.Spec) *policyv1.PodDisruptionBudget {
	if spec.LeastPods() < 2 || spec.Disruption.Off() {
		return nil
	}
	name, most, always := spec.NameFor(spec.Content.Normalize().Hash()), intstr.Parse(spec.Disruption.Unavailable()), policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: string(release.CompanionDisruptionBudget)},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: name, Labels: Labels(spec)},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             &most,
			Selector:                   &metav1.LabelSelector{MatchLabels: release.Selector(name)},
			UnhealthyPodEvictionPolicy: &always,
		},
	}
}

// Budgets says whether a budget counts such pods.
func Budgets(b *policyv1.PodDisruptionBudget, template *corev1.PodTemplateSpec) bool {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	return err == nil && selector.Matches(labels.Set(template.Labels))
}

func checkDisruption(r *report, at path, d *release.Disruption) {
	if d == nil || d.MaxUnavailable == "" {
		return
	}
	most := at.to("max_unavailable")
	if d.Off() {
		r.add(most, "max_unavailable without a budget", "disruption_budget is turned off, and says nothing then. Remove max_unavailable, or enabled = false.")
		return
	}
	number, ok := checkPodLimit(r, most, d.MaxUnavailable, "")
	switch {
	case ok && number == 0:
		r.add(most, "Budget that allows nothing", "With max_unavailable = %q, no node that has one of the pods could be drained, for an upgrade, say. Use at least 1.", d.MaxUnavailable)
	case ok && strings.HasSuffix(d.MaxUnavailable, "%") && number > 100:
		r.add(most, "Invalid number of pods", "max_unavailable is %q, but no more than all pods (100%%) can be missing. Use a smaller one.", d.MaxUnavailable)
	}
}
