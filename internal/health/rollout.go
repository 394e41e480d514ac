package health

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// rolloutFindings: what the workload itself and its ReplicaSet say, where there
// may be no pod to look at.
func rolloutFindings(in Input) []Finding {
	found := othersFindings(in)
	if message, class := refused(in); message != "" {
		found = append(found, refusalFinding(in, message, class))
	}
	for _, c := range in.Workload.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" {
			found = append(found, Finding{
				Cause: CauseDeadline, Class: Patient, Object: "workload " + in.Workload.Name,
				Sentence: "the rollout makes no progress", Evidence: strings.TrimSpace(c.Message),
				Hint: try(CauseDeadline),
			})
		}
	}
	return found
}
