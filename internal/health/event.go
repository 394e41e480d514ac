package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// eventsByPod is the events by the name of the pod they are about.
type eventsByPod map[string][]*corev1.Event

func eventIndex(events []*corev1.Event) eventsByPod {
	byPod := eventsByPod{}
	for _, e := range events {
		if e.InvolvedObject.Kind == "Pod" {
			byPod[e.InvolvedObject.Name] = append(byPod[e.InvolvedObject.Name], e)
		}
	}
	for _, list := range byPod {
		slices.SortFunc(list, func(a, b *corev1.Event) int {
			return cmp.Or(lastSeen(a).Compare(lastSeen(b)), cmp.Compare(len(a.Message), len(b.Message)), cmp.Compare(a.Message, b.Message))
		})
	}
	return byPod
}

// last is the newest event of the pod with one of the reasons; with a
// container, only of that one. Nil if there is none.
func (byPod eventsByPod) last(pod *corev1.Pod, container string, reasons ...string) *corev1.Event {
	if all := byPod.all(pod, container, reasons...); len(all) > 0 {
		return all[0]
	}
	return nil
}

// all is every such event, the newest first.
func (byPod eventsByPod) all(pod *corev1.Pod, container string, reasons ...string) []*corev1.Event {
	var found []*corev1.Event
	for _, e := range slices.Backward(byPod[pod.Name]) {
		if e.InvolvedObject.UID != "" && e.InvolvedObject.UID != pod.UID {
			continue // of an earlier pod with this name
		}
		if container != "" && !strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+container+"}") {
			continue
		}
		if slices.Contains(reasons, e.Reason) {
			found = append(found, e)
		}
	}
	return found
}

func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

func firstSeen(e *corev1.Event) time.Time {
	switch {
	case !e.FirstTimestamp.IsZero():
		return e.FirstTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// count is how often it happened.
func count(e *corev1.Event) int32 {
	n := max(e.Count, 1)
	if e.Series != nil {
		n = max(n, e.Series.Count)
	}
	return n
}

// quote is an event as evidence; empty for nil.
func quote(e *corev1.Event) string {
	if e == nil {
		return ""
	}
	times := ""
	if n := count(e); n > 1 {
		times = fmt.Sprintf(" %d times", n)
	}
	return fmt.Sprintf("event %q%s: %s", e.Reason, times, strings.TrimSpace(e.Message))
}

func messageOf(e *corev1.Event) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Message)
}
