package health

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// probeFinding: the container runs but is not ready. Patient: starting takes
// what it takes.
func probeFinding(s subject) *Finding {
	if s.status.State.Running == nil || s.status.Ready {
		return nil
	}
	evidence := quote(s.events.last(s.pod, s.status.Name, "Unhealthy"))
	logs := &PodRef{Pod: s.pod.Name, Container: s.status.Name}
	f := s.finding(CauseNotReady, Patient, "runs but is not ready", evidence,
		"check readiness_probe's path, port and timeout, and what the application waits for")
	if s.spec.StartupProbe != nil && (s.status.Started == nil || !*s.status.Started) {
		f = s.finding(CauseNotStarted, Patient, "runs but has not passed its startup probe", evidence,
			"give startup_probe more failure_threshold, or see what the application waits for")
	}
	f.LogsOf = logs
	return f
}

// gateFinding: all containers are ready, and something else is not.
func gateFinding(pod *corev1.Pod, _ eventsByPod) *Finding {
	c := condition(pod, corev1.PodReady)
	if c == nil || c.Status == corev1.ConditionTrue || c.Reason != "ReadinessGatesNotReady" {
		return nil
	}
	return &Finding{
		Cause: CauseReadinessGate, Class: Patient, Object: aPod + pod.Name,
		Sentence: "the pod's containers are ready, but its readiness gates are not",
		Evidence: strings.TrimSpace(c.Message),
		Hint:     "a load balancer controller usually sets these: see whether it runs and what it says",
	}
}
