package health

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// mountFinding: the pod is on a node, but what its containers need around them
// is not there. The status says only ContainerCreating; events say why. Patient,
// because the kubelet tries again, and what is missing may come.
func mountFinding(pod *corev1.Pod, events eventsByPod) *Finding {
	if pod.Status.Phase != corev1.PodPending || !creating(pod) {
		return nil
	}
	if e := events.last(pod, "", "FailedMount", "FailedAttachVolume", "FailedMapVolume"); e != nil {
		return &Finding{
			Cause: CauseVolume, Class: Patient, Object: aPod + pod.Name,
			Sentence: "a volume cannot be mounted", Evidence: quote(e),
			Hint: fmt.Sprintf("create the ConfigMap, Secret or claim it names in namespace %q, or correct the name", pod.Namespace),
		}
	}
	if e := events.last(pod, "", "FailedCreatePodSandBox"); e != nil {
		return &Finding{
			Cause: CauseSandbox, Class: Patient, Object: aPod + pod.Name,
			Sentence: "the node cannot set up the pod's network", Evidence: quote(e),
			Hint: "look at the node's network plugin and its address range",
		}
	}
	return nil
}

// creating says that some container waits for what is around it.
func creating(pod *corev1.Pod) bool {
	for _, s := range subjects(pod, nil) {
		switch s.waitingFor() {
		case "ContainerCreating", "PodInitializing":
			return true
		}
	}
	return false
}
