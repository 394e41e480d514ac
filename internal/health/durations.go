package health

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// How long the parts of a start took, as the cluster tells. A difference is taken
// only between times of one clock: the API server's, which makes a pod and binds
// it to a node; or the node's, whose kubelet pulls, starts and probes. Where the
// two ends are not known, or the clock was set back between them, there is none.
// Kubernetes keeps most of these times in whole seconds.

// Measure is how long the parts of a start took, for the pod of the current
// template that took longest. Nobody's clock but the cluster's is looked at, so
// that Total is left out.
func Measure(in Input) release.Durations {
	pod := Slowest(in)
	if pod == nil {
		return release.Durations{}
	}
	pulls, pulled := pullsOf(pod, in.Events)
	return release.Durations{Queue: queueOf(pod), ImagePull: pulled, Startup: startupOf(pod, pulls)}
}

// Slowest is the pod of the current template that took longest to become ready;
// of pods that are not ready yet, which are taken only where none is, the one
// that waited longest for a node. It needs no events.
func Slowest(in Input) *corev1.Pod {
	pods, _ := current(in)
	var slowest *corev1.Pod
	var most time.Duration
	ready := slices.ContainsFunc(pods, becameReady)
	for _, pod := range pods {
		if becameReady(pod) != ready {
			continue
		}
		took := orZero(queueOf(pod)) + orZero(onNode(pod))
		if slowest == nil || took > most {
			slowest, most = pod, took
		}
	}
	return slowest
}

// AllReady says that every pod of the current template is ready, and that there
// is one. A watch of pods may be behind that of their Deployment.
func AllReady(in Input) bool {
	pods, _ := current(in)
	return len(pods) > 0 && !slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return !becameReady(pod) })
}

func becameReady(pod *corev1.Pod) bool { return turned(pod, corev1.PodReady) != nil }

// turned is when a condition of the pod became true; nil: it is not, or nobody
// says when.
func turned(pod *corev1.Pod, condition corev1.PodConditionType) *time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == condition && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return &c.LastTransitionTime.Time
		}
	}
	return nil
}

// queueOf is from the pod's creation to its place on a node: both by the API
// server's clock, which notes the second when it binds the pod.
func queueOf(pod *corev1.Pod) *time.Duration {
	return between(moment(pod.CreationTimestamp), turned(pod, corev1.PodScheduled))
}

// onNode is from when the kubelet has taken the pod up until it is ready.
func onNode(pod *corev1.Pod) *time.Duration {
	if pod.Status.StartTime == nil {
		return nil
	}
	return between(moment(*pod.Status.StartTime), turned(pod, corev1.PodReady))
}

// startupOf is from the start of the first container, which is an init container
// where there is one, until the pod is ready, less what was pulled in between.
func startupOf(pod *corev1.Pod, pulls []pull) *time.Duration {
	began := firstStart(pod)
	whole := between(began, turned(pod, corev1.PodReady))
	if whole == nil {
		return nil
	}
	for _, p := range pulls {
		if p.ended.After(*began) {
			*whole -= p.took
		}
	}
	return new(max(0, *whole)) // a start that is noted by the second may seem shorter than its pulls
}

// firstStart is when the first container of the pod began to run; nil where that
// cannot be told: only the last end of a container is kept.
func firstStart(pod *corev1.Pod) *time.Time {
	var first *time.Time
	for _, s := range subjects(pod, nil) {
		var began metav1.Time
		switch state := s.status.State; {
		case s.status.RestartCount > 1:
			return nil
		case s.status.RestartCount == 1:
			if s.status.LastTerminationState.Terminated == nil {
				return nil
			}
			began = s.status.LastTerminationState.Terminated.StartedAt
		case state.Running != nil:
			began = state.Running.StartedAt
		case state.Terminated != nil:
			began = state.Terminated.StartedAt
		}
		if t := moment(began); t != nil && (first == nil || t.Before(*first)) {
			first = t
		}
	}
	return first
}

// pull is one image that was fetched for a pod.
type pull struct {
	ended time.Time
	took  time.Duration
}

// pulledText is what a kubelet says of a pull that went well, since Kubernetes
// 1.20; the time with the wait for other pulls since 1.27. It is in no field.
var pulledText = regexp.MustCompile(`^Successfully pulled image .+? in ([0-9][0-9.a-zµ]*[a-z])(?: \(([0-9][0-9.a-zµ]*[a-z]) including waiting\))?`)

// presentText is what it says of an image that was on the node already.
var presentText = regexp.MustCompile(`^Container image .+? already present on machine`)

// pullsOf is what was fetched for a pod, and how long that took together. It is
// nil where the events of a container are gone, and where every image was on the
// node.
func pullsOf(pod *corev1.Pod, events []*corev1.Event) (pulls []pull, took *time.Duration) {
	byPod := eventIndex(events)
	all := byPod.all(pod, "", "Pulled")
	for _, s := range subjects(pod, nil) {
		if byPod.last(pod, s.status.Name, "Pulled") == nil {
			return nil, nil
		}
	}
	sum := time.Duration(0)
	for _, e := range all {
		lasted, known := tookOf(byPod, pod, e)
		switch {
		case !known:
			return nil, nil
		case lasted != nil:
			sum += *lasted
			pulls = append(pulls, pull{lastSeen(e), *lasted})
		}
	}
	if len(pulls) == 0 {
		return nil, nil
	}
	return pulls, &sum
}

// tookOf is how long one pull took, by its event's text or else since the event
// before that says that it began; nil: the image was there. It is false where
// neither tells.
func tookOf(byPod eventsByPod, pod *corev1.Pod, pulled *corev1.Event) (took *time.Duration, known bool) {
	if text := pulledText.FindStringSubmatch(pulled.Message); text != nil {
		if d, err := time.ParseDuration(cmp.Or(text[2], text[1])); err == nil {
			return &d, true
		}
	}
	if presentText.MatchString(pulled.Message) {
		return nil, true
	}
	// A pull begins with an event of its own; what is on the node has none.
	began := byPod.of(pod, pulled.InvolvedObject.FieldPath, "Pulling")
	if len(began) == 0 {
		return nil, true
	}
	took = between(new(lastSeen(began[0])), new(lastSeen(pulled)))
	return took, took != nil
}

// of is the pod's events with this field path and reason, the newest first.
func (byPod eventsByPod) of(pod *corev1.Pod, fieldPath, reason string) []*corev1.Event {
	return slices.DeleteFunc(byPod.all(pod, "", reason), func(e *corev1.Event) bool { return e.InvolvedObject.FieldPath != fieldPath })
}

// moment is a time of the API; nil where there is none.
func moment(t metav1.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}

// between is the time from one moment to another of the same clock; nil where
// one is not known, or where the clock went backwards.
func between(from, to *time.Time) *time.Duration {
	if from == nil || to == nil || to.Before(*from) {
		return nil
	}
	return new(to.Sub(*from))
}

func orZero(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}
