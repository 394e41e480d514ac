package health

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// evictionTexts are what the kubelet evicted a pod for, of
// k8s.io/kubernetes/pkg/kubelet/eviction/helpers.go.
var evictionTexts = []struct {
	says     *regexp.Regexp
	sentence string // with the node's name, and what the pattern caught
	hint     string
}{
	{
		regexp.MustCompile(`Usage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"`),
		`the pod was evicted: it wrote more than $2 into its volume "$1"`, `raise size_limit of the empty_dir volume "$1" above $2, or write less into it`,
	},
	{
		regexp.MustCompile(`Container (\S+) exceeded its local ephemeral storage limit "([^"]+)"`),
		`the pod was evicted: container "$1" wrote more than $2 to its disk`, `raise resources.limits.ephemeral-storage above $2, or write less: logs and temporary files count`,
	},
	{
		regexp.MustCompile(`Pod ephemeral local storage usage exceeds the total limit of containers (\S+?)\.?(?:\s|$)`),
		`the pod was evicted: it wrote more than $1 to its disk`, `raise resources.limits.ephemeral-storage, or write less: logs and temporary files count`,
	},
	{
		regexp.MustCompile(`node (?:was low on resource: memory|had condition: \[.*MemoryPressure)`),
		`the pod was evicted: its node ran out of memory`, `set resources.requests.memory to what it needs, so that it lands on a node that has it`,
	},
	{
		regexp.MustCompile(`node (?:was low on resource: pids|had condition: \[.*PIDPressure)`),
		`the pod was evicted: its node ran out of processes`, `see what starts so many processes on that node`,
	},
	{
		regexp.MustCompile(`node (?:was low on resource: (?:ephemeral-storage|nodefs|imagefs|inodes)|had condition: \[.*DiskPressure)`),
		`the pod was evicted: its node ran out of disk, and removing unused images did not free enough`, `set resources.requests.ephemeral-storage to what it writes; ask who runs the nodes for larger disks`,
	},
}

// endings are the reasons with which a whole pod fails.
var endings = map[string]struct {
	cause    Cause
	sentence string
}{
	"Evicted":      {CauseEvicted, "the pod was evicted"},
	"Preempting":   {CausePreempted, "the node removed the pod to make room for a critical one"},
	"Terminated":   {CauseDrained, "the node is shutting down and ended the pod"},
	"NodeShutdown": {CauseDrained, "the node is shutting down and did not take the pod"},
	"NodeLost":     {CauseNodeNotReady, "the pod's node does not answer"},
}

// podEndedFinding: the whole pod ended, for example evicted. Its ReplicaSet makes
// another one. The kubelet does not write why into a pod whose containers all ended
// with exit code 0 when they were told to; then it is only in its event.
func podEndedFinding(pod *corev1.Pod, events eventsByPod) Finding {
	reason, message := pod.Status.Reason, strings.TrimSpace(pod.Status.Message)
	evidence := message
	if e := events.last(pod, "", "Evicted", "Preempting"); reason == "" && e != nil {
		reason, message, evidence = e.Reason, messageOf(e), quote(e)
	}
	f := Finding{Cause: CausePodFailed, Class: Patient, Object: aPod + pod.Name, Evidence: evidence}
	f.Sentence = fmt.Sprintf("the pod failed on node %q: %s", pod.Spec.NodeName, cmp.Or(reason, "no reason given"))
	if ending, known := endings[reason]; known {
		f.Cause = ending.cause
		f.Sentence = fmt.Sprintf("%s (node %q)", ending.sentence, pod.Spec.NodeName)
	} else if pod.Status.Phase == corev1.PodSucceeded {
		f.Sentence = fmt.Sprintf("the pod was ended on node %q, and nobody says why", pod.Spec.NodeName)
	}
	f.Hint = try(f.Cause)
	if f.Cause != CauseEvicted {
		return f
	}
	for _, t := range evictionTexts {
		if at := t.says.FindStringSubmatchIndex(message); at != nil {
			f.Sentence = fmt.Sprintf("%s (node %q)", t.says.ExpandString(nil, t.sentence, message, at), pod.Spec.NodeName)
			f.Hint = string(t.says.ExpandString(nil, t.hint, message, at))
			break
		}
	}
	return f
}

// disruptions are why a pod is deleted that nobody wanted to end: the reasons of
// its condition DisruptionTarget.
var disruptions = map[string]struct {
	cause    Cause
	sentence string
}{
	"EvictionByEvictionAPI":  {CauseDrained, "the pod is being evicted through the API, as when its node %q is drained"},
	"PreemptionByScheduler":  {CausePreempted, "the scheduler removes the pod from node %q, for one of a higher priority"},
	"DeletionByTaintManager": {CauseNodeNotReady, "the pod is being deleted because its node %q has a taint that it does not tolerate: it does not answer, or is being emptied"},
	"DeletionByPodGC":        {CauseNodeNotReady, "the pod is being deleted because its node %q is gone"},
}

// goingFindings are about pods that are being deleted although their workload
// wants them. Others will take their place; until then they are missing.
func goingFindings(in Input) []Finding {
	var found []Finding
	var newest *appsv1.ReplicaSet
	if in.Workload != nil {
		newest = newestReplicaSet(in.ReplicaSets, in.Workload.UID)
	}
	pods := slices.Clone(in.Pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil || newest != nil && pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != newest.Labels[appsv1.DefaultDeploymentUniqueLabelKey] {
			continue
		}
		c := condition(pod, corev1.DisruptionTarget)
		if c == nil || c.Status != corev1.ConditionTrue {
			continue
		}
		if d, known := disruptions[c.Reason]; known {
			found = append(found, Finding{
				Cause: d.cause, Class: Patient, Object: aPod + pod.Name,
				Sentence: fmt.Sprintf(d.sentence, pod.Spec.NodeName), Evidence: strings.TrimSpace(c.Message), Hint: try(d.cause),
			})
		}
	}
	return found
}

// nodeFindings: the node lifecycle controller says that a pod is not ready, and
// the kubelet has never said so: its node does not answer any more.
func nodeFindings(in Input, pods []*corev1.Pod) []Finding {
	var found []Finding
	for _, pod := range pods {
		ready, containers := condition(pod, corev1.PodReady), condition(pod, corev1.ContainersReady)
		if ready == nil || ready.Status == corev1.ConditionTrue || ready.Reason == "ReadinessGatesNotReady" ||
			containers == nil || containers.Status != corev1.ConditionTrue {
			continue
		}
		found = append(found, Finding{
			Cause: CauseNodeNotReady, Class: Patient, Object: aPod + pod.Name,
			Sentence: fmt.Sprintf("the pod's node %q does not answer", pod.Spec.NodeName),
			Evidence: quote(lastEvent(in.Events, pod, "Pod", "NodeNotReady")), Hint: try(CauseNodeNotReady),
		})
	}
	return found
}
