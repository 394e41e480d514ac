package health

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// disruptionFindings: a budget that lets no pod go although all of them are well
// lets none go at any time.
func disruptionFindings(in Input) []Finding {
	pdb := in.Around.Disruption
	if pdb == nil || pdb.Status.ObservedGeneration < pdb.Generation {
		return nil
	}
	s := pdb.Status
	f := Finding{Cause: CauseDisruption, Class: Warning, Object: "PodDisruptionBudget " + pdb.Name, Hint: try(CauseDisruption)}
	failed := slices.IndexFunc(s.Conditions, func(c metav1.Condition) bool {
		return c.Type == policyv1.DisruptionAllowedCondition && c.Reason == policyv1.SyncFailedReason
	})
	switch {
	case failed >= 0:
		f.Sentence = fmt.Sprintf("the PodDisruptionBudget %q lets no pod go: it cannot count its pods", pdb.Name)
		f.Evidence, f.Hint = strings.TrimSpace(s.Conditions[failed].Message), "see that its selector fits pods of one workload only"
	case s.DisruptionsAllowed > 0 || s.ExpectedPods == 0 || s.CurrentHealthy < s.ExpectedPods:
		return nil
	default:
		f.Sentence = fmt.Sprintf("the PodDisruptionBudget %q lets no pod go, although all are healthy: %s. Nodes with these pods cannot be drained", pdb.Name, budget(pdb))
		f.Evidence = fmt.Sprintf("expectedPods %d, currentHealthy %d, desiredHealthy %d, disruptionsAllowed 0", s.ExpectedPods, s.CurrentHealthy, s.DesiredHealthy)
	}
	return []Finding{f}
}

func budget(pdb *policyv1.PodDisruptionBudget) string {
	switch {
	case pdb.Spec.MaxUnavailable != nil:
		return fmt.Sprintf("maxUnavailable is %s, of %d pods", pdb.Spec.MaxUnavailable.String(), pdb.Status.ExpectedPods)
	case pdb.Spec.MinAvailable != nil:
		return fmt.Sprintf("minAvailable is %s, of %d pods", pdb.Spec.MinAvailable.String(), pdb.Status.ExpectedPods)
	}
	return fmt.Sprintf("it wants all %d pods", pdb.Status.ExpectedPods)
}
