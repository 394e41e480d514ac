package health

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// schedulingFinding: no node takes the pod. Patient, because an autoscaler may
// be adding one.
func schedulingFinding(pod *corev1.Pod, _ eventsByPod) *Finding {
	c := condition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return nil
	}
	f := &Finding{Class: Patient, Object: aPod + pod.Name, Evidence: strings.TrimSpace(c.Message)}
	switch c.Reason {
	case corev1.PodReasonUnschedulable:
		f.Cause, f.Sentence = CauseUnschedulable, "no node takes the pod"
		f.Hint = "lower resources.requests, check node_selector and tolerations, or add nodes"
	case corev1.PodReasonSchedulingGated:
		f.Cause, f.Sentence = CauseSchedulingGated, "the pod waits for its scheduling gates"
		f.Hint = "see who added the gates and what they wait for"
	default:
		return nil
	}
	return f
}

// podFailedFinding: the whole pod ended, for example evicted. Its ReplicaSet
// makes another one.
func podFailedFinding(pod *corev1.Pod) Finding {
	reason := pod.Status.Reason
	if reason == "" {
		reason = "no reason given"
	}
	return Finding{
		Cause: CausePodFailed, Class: Patient, Object: aPod + pod.Name,
		Sentence: fmt.Sprintf("the pod failed on node %q: %s", pod.Spec.NodeName, reason),
		Evidence: strings.TrimSpace(pod.Status.Message),
		Hint:     "look at the node: its memory, disk and readiness",
	}
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
