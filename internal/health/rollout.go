package health

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// rolloutFindings: what the workload itself says, where there may be no pod to
// look at.
func rolloutFindings(d *appsv1.Deployment) []Finding {
	var found []Finding
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			found = append(found, Finding{
				Cause: CausePodsRefused, Class: Certain, Object: "workload " + d.Name,
				Sentence: "the cluster refuses to create pods", Evidence: strings.TrimSpace(c.Message),
				Hint: "it is a quota, a limit range, pod security or an admission webhook: the message says which. Free quota, set pod_security = \"restricted\", or change what else it objects to",
			})
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded":
			found = append(found, Finding{
				Cause: CauseDeadline, Class: Patient, Object: "workload " + d.Name,
				Sentence: "the rollout makes no progress", Evidence: strings.TrimSpace(c.Message),
				Hint: "look at the pods of its newest ReplicaSet",
			})
		}
	}
	return found
}
