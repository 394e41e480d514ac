package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stuckAfter is how long an object may take to go once it should be gone: what
// has to be done then is a matter of moments where somebody does it.
const stuckAfter = 10 * time.Second

// stuck says that an object should be gone. What it is deleted for is its
// grace period later, where it has one.
func (in Input) stuck(o metav1.Object) bool {
	deleted := o.GetDeletionTimestamp()
	return deleted != nil && in.Now.Sub(deleted.Time) > stuckAfter
}

// terminatingFindings: something was deleted and stays, and a new one may wait
// for its place.
func terminatingFindings(in Input) []Finding {
	var found []Finding
	if in.Workload != nil && in.stuck(in.Workload) {
		found = append(found, terminating(in.Workload, "workload", "the workload was deleted and stays"))
	}
	for _, claim := range in.Around.Claims {
		if !in.stuck(claim) {
			continue
		}
		found = append(found, terminatingClaim(in, claim))
	}
	for _, pod := range in.Pods {
		if !in.stuck(pod) {
			continue
		}
		f := terminating(pod, "pod", fmt.Sprintf("the pod was deleted and stays beyond its grace period on node %q", pod.Spec.NodeName))
		if len(pod.Finalizers) == 0 {
			f.Hint = fmt.Sprintf("see whether node %q answers, and what its kubelet waits for: a process that cannot be ended, or a volume that cannot be unmounted", pod.Spec.NodeName)
		}
		found = append(found, f)
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.Object, b.Object) })
	return found
}

// terminatingClaim: no new pod gets it, and those that use it keep it there.
func terminatingClaim(in Input, claim *corev1.PersistentVolumeClaim) Finding {
	f := terminating(claim, "PersistentVolumeClaim", fmt.Sprintf("the PersistentVolumeClaim %q was deleted and stays", claim.Name))
	if users := usersOf(in.Pods, claim.Name); len(users) > 0 && slices.Contains(claim.Finalizers, "kubernetes.io/pvc-protection") {
		f.Sentence += "; pods use it: " + strings.Join(users, ", ")
		f.Hint = "a claim that is deleted takes no new pods: end the pods that use it, and create it again"
	}
	return f
}

// terminating names the finalizers, if it waits for such.
func terminating(o metav1.Object, kind, sentence string) Finding {
	f := Finding{
		Cause: CauseTerminating, Class: Patient, Object: kind + " " + o.GetName(), Sentence: sentence, Hint: try(CauseTerminating),
		Evidence: "deleted, and should be gone since " + o.GetDeletionTimestamp().UTC().Format(time.RFC3339),
	}
	if finalizers := o.GetFinalizers(); len(finalizers) > 0 {
		f.Sentence += ": it waits for its finalizers " + strings.Join(finalizers, ", ")
	}
	return f
}

// usersOf are the names of the pods that use a claim.
func usersOf(pods []*corev1.Pod, claim string) []string {
	var users []string
	for _, pod := range pods {
		if slices.Contains(claimNames(pod), claim) {
			users = append(users, pod.Name)
		}
	}
	slices.Sort(users)
	return users
}
