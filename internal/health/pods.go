package health

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// computePods judges pods of which nobody says how many there should be: they are
// healthy when each is ready, or has done its work. One that has failed does not
// count where whoever made it makes another.
func computePods(in Input) Verdict {
	v := Verdict{State: Progressing}
	pods, _ := current(in)
	pods = slices.DeleteFunc(pods, func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded })
	failed := 0
	for _, pod := range pods {
		if c := condition(pod, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
			v.Ready++
		}
		if pod.Status.Phase == corev1.PodFailed && metav1.GetControllerOf(pod) != nil {
			failed++
		} else {
			v.Want++
		}
	}
	if v.Ready == v.Want && (v.Want > 0 || failed == 0 && len(in.Pods) > 0) {
		v.State = Healthy
		v.tell(in, pods, healthyFindings(in, pods))
		return v
	}
	v.explain(in, pods, nil)
	return v
}

// Current are the pods of the current template that are not being deleted, by name.
func Current(in Input) []*corev1.Pod {
	pods, _ := current(in)
	return pods
}

// LastSeen is when an event happened last, whichever of its fields says so.
func LastSeen(e *corev1.Event) time.Time { return lastSeen(e) }
