package workload

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// DisruptionBudget renders what lets nodes be drained one pod at a time, or nil
// where there is a single pod: it has to go anyway. Pods that are not ready may
// always go, so that a broken release holds up no drain.
func DisruptionBudget(spec release.Spec) *policyv1.PodDisruptionBudget {
	if spec.LeastPods() < 2 {
		return nil
	}
	name, one, always := spec.NameFor(spec.Content.Normalize().Hash()), intstr.FromInt32(1), policyv1.AlwaysAllow
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: string(release.CompanionDisruptionBudget)},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: name, Labels: Labels(spec)},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             &one,
			Selector:                   &metav1.LabelSelector{MatchLabels: release.Selector(name)},
			UnhealthyPodEvictionPolicy: &always,
		},
	}
}
