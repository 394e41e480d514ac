package health

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// aroundFindings are what is wrong with the objects around a workload that is
// not healthy, beyond what its pods say of them.
func aroundFindings(in Input, pods []*corev1.Pod) []Finding {
	return slices.Concat(claimFindings(in, pods), nodeFindings(in, pods), goingFindings(in), besideFindings(in, pods))
}

// healthyFindings are what a healthy workload is not well served with. Its pods
// are all right, so that none of it is more than a warning.
func healthyFindings(in Input, pods []*corev1.Pod) []Finding {
	found := besideFindings(in, pods)
	if in.Workload != nil {
		found = append(found, othersFindings(in)...)
	}
	for i := range found {
		found[i].Class = Warning
	}
	return found
}

// besideFindings are those that may be so whatever the pods are like.
func besideFindings(in Input, pods []*corev1.Pod) []Finding {
	return slices.Concat(terminatingFindings(in), endpointFindings(in, pods), routeFindings(in), disruptionFindings(in), autoscalerFindings(in))
}

// try is the catalogue's hint.
func try(cause Cause) string { return explanation(cause).Try }

// lastEvent is the newest event about an object with one of the reasons; nil if
// there is none. Times are in whole seconds: within one, the names tell, in which recorders
// write when each was new.
func lastEvent(events []*corev1.Event, about metav1.Object, kind string, reasons ...string) *corev1.Event {
	var newest *corev1.Event
	for _, e := range events {
		of := e.InvolvedObject
		if of.Kind != kind || of.Name != about.GetName() || of.Namespace != about.GetNamespace() || of.UID != "" && of.UID != about.GetUID() || !slices.Contains(reasons, e.Reason) {
			continue
		}
		if newest == nil || cmp.Or(lastSeen(e).Compare(lastSeen(newest)), cmp.Compare(e.Name, newest.Name), cmp.Compare(e.Message, newest.Message)) > 0 {
			newest = e
		}
	}
	return newest
}
