package health

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// A rejection is sure once it was told three times within ten seconds or more, and once
// it has lasted for two minutes in all. A kubelet tells no more than about 20 failed
// probes of a pod, and then one in five minutes: with a probe every two seconds it falls
// silent after 40 seconds. So what it has told must be the same, and the container must
// stay as it is for the rest of the time: another answer that is told, a restart or a
// success end it.
const (
	rejectedTimes = 3
	rejectedSeen  = 10 * time.Second
	rejectedLasts = 2*time.Minute - rejectedSeen
)

// rejection is what a kubelet says of an application that is up, and has nothing for
// the probe. What an application says while it is busy or starting (429, 5xx,
// NOT_SERVING) is none.
var rejection = regexp.MustCompile(`HTTP probe failed with statuscode: (?:40[013456]|410)\b|does not implement the grpc health protocol|health rpc probe failed: rpc error: code = (?:NotFound|Unauthenticated|PermissionDenied)\b`)

// silence is what it says of an application that does not answer at all yet.
var silence = regexp.MustCompile(`(?i)connection refused|no route to host|timeout|deadline exceeded|connection reset|EOF\b|failed to connect`)

// rejected is the same rejection of a probe, all along.
type rejected struct {
	answer      string
	first, last time.Time
	times       int32
	newest      *corev1.Event
}

// rejectedFinding: the application answers its readiness probe, with nothing but the
// same rejection since it listens, so that the probe asks for what is not there. Nil
// where the container was ready once, or another one like it is, or where any other
// answer was seen.
func (s subject) rejectedFinding() *Finding {
	p := s.spec.ReadinessProbe
	if p == nil || p.HTTPGet == nil && p.GRPC == nil || s.status.RestartCount > 0 || s.wasReady() || s.peerReady() {
		return nil
	}
	r := s.rejected()
	if r == nil {
		return nil
	}
	class := Patient
	if r.last.Sub(r.first) >= rejectedSeen && r.times >= rejectedTimes {
		class = Certain
	}
	t := find(probeTroubles, r.newest.Message)
	f := s.finding(CauseReadinessRejected, class,
		fmt.Sprintf("%s and does not pass its readiness_probe (%s): %s, and has given no other answer", s.ranFor(r.newest), s.asks(p), t.says), quote(r.newest),
		t.try+"; an application that has this only a while after it listens needs a startup_probe, or a longer health.fail_fast_grace")
	f.Patience = max(rejectedLasts, time.Duration(cmp.Or(p.FailureThreshold, 3)*cmp.Or(p.PeriodSeconds, 10))*time.Second)
	return f
}

// rejected is nil where anything but one rejection is told of the readiness probe. That
// nothing listens may have come before it.
func (s subject) rejected() *rejected {
	var r *rejected
	var quiet []*corev1.Event
	for _, e := range s.events.all(s.pod, s.status.Name, "Unhealthy") {
		message := strings.ToLower(e.Message)
		if strings.HasPrefix(message, "startup probe ") || strings.HasPrefix(message, "liveness probe ") {
			continue
		}
		answer := rejection.FindString(e.Message)
		switch {
		case answer == "" && strings.HasPrefix(message, "readiness probe ") && silence.MatchString(e.Message):
			quiet = append(quiet, e)
		case answer == "" || !strings.HasPrefix(message, "readiness probe failed: ") || r != nil && r.answer != answer:
			return nil
		case r == nil:
			r = &rejected{answer: answer, first: firstSeen(e), last: lastSeen(e), times: count(e), newest: e}
		default: // of a kubelet that was started anew
			r.times += count(e)
			if firstSeen(e).Before(r.first) {
				r.first = firstSeen(e)
			}
		}
	}
	if r == nil || slices.ContainsFunc(quiet, func(e *corev1.Event) bool { return lastSeen(e).After(r.first) }) {
		return nil
	}
	return r
}

// wasReady says that the pod was ready since the container began to run: that it is not
// is news of later.
func (s subject) wasReady() bool {
	return slices.ContainsFunc([]corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady}, func(of corev1.PodConditionType) bool {
		c := condition(s.pod, of)
		return c != nil && c.LastTransitionTime.After(s.status.State.Running.StartedAt.Time)
	})
}

// peerReady says that the same container with the same probe is ready in another pod of
// the same template: what the probe asks for is there.
func (s subject) peerReady() bool {
	hash := s.pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	return slices.ContainsFunc(s.peers, func(pod *corev1.Pod) bool {
		if pod.UID == s.pod.UID || pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != hash {
			return false
		}
		return slices.ContainsFunc(subjects(pod, nil), func(other subject) bool {
			return other.status.Name == s.status.Name && other.status.Ready && reflect.DeepEqual(other.spec.ReadinessProbe, s.spec.ReadinessProbe)
		})
	})
}

// asks is what a probe asks for, and where.
func (s subject) asks(p *corev1.Probe) string {
	const longest = 120
	if p.GRPC != nil {
		if service := p.GRPC.Service; service != nil && *service != "" {
			return fmt.Sprintf("gRPC service %s on port %d", shorten(*service, longest), p.GRPC.Port)
		}
		return fmt.Sprintf("gRPC health on port %d", p.GRPC.Port)
	}
	port := p.HTTPGet.Port.String()
	for _, named := range s.spec.Ports {
		if named.Name == port {
			port = fmt.Sprintf("%s, which is %d", port, named.ContainerPort)
		}
	}
	return fmt.Sprintf("GET %s on port %s", shorten(cmp.Or(p.HTTPGet.Path, "/"), longest), port)
}
