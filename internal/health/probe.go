package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// probeFinding: the container runs but is not ready. Patient, unless its readiness
// probe asks for what is not there: starting takes what it takes.
func probeFinding(s subject) *Finding {
	if s.status.State.Running == nil || s.status.Ready {
		return nil
	}
	f := s.probing()
	f.LogsOf = &PodRef{Pod: s.pod.Name, Container: s.status.Name}
	return f
}

func (s subject) probing() *Finding {
	if p := s.spec.StartupProbe; p != nil && (s.status.Started == nil || !*s.status.Started) {
		failed := s.probeEvent("startup")
		t := find(probeTroubles, messageOf(failed))
		hint := s.startupHint(p, s.observed())
		if t != nil {
			hint = t.try + "; " + hint
		}
		return s.finding(CauseNotStarted, Patient, s.ranFor(failed)+" and has not passed its startup_probe"+said(t), quote(failed), hint)
	}
	if f := s.rejectedFinding(); f != nil {
		return f
	}
	if failed := s.probeEvent("readiness"); failed != nil || s.spec.ReadinessProbe != nil {
		t := find(probeTroubles, messageOf(failed))
		if t == nil {
			t = &trouble{}
		}
		return s.finding(CauseReadiness, Patient, s.ranFor(failed)+" and does not pass its readiness_probe"+said(t), quote(failed), t.try)
	}
	return s.finding(CauseNotReady, Patient, "runs and is not ready", quote(s.events.last(s.pod, s.status.Name, "Unhealthy")), "")
}

func said(t *trouble) string {
	if t == nil || t.says == "" {
		return ""
	}
	return ": " + t.says
}

// probeEvent is the newest one of a probe that failed, in the present run of the
// container or in an earlier one.
func (s subject) probeEvent(kind string) *corev1.Event {
	if all := s.probeEvents(kind); len(all) > 0 {
		return all[0]
	}
	return nil
}

// probeEvents are all of a probe that failed, the newest first.
func (s subject) probeEvents(kind string) []*corev1.Event {
	return slices.DeleteFunc(s.events.all(s.pod, s.status.Name, "Unhealthy"), func(e *corev1.Event) bool {
		return !strings.HasPrefix(strings.ToLower(e.Message), kind+" probe ")
	})
}

// deadlyEvent is what a probe, for which the kubelet has ended a run of the container, met
// most often up to then. The newest may tell of something else: the kubelet also probes
// what does not listen yet, or ends already.
func (s subject) deadlyEvent(kind string, end *corev1.ContainerStateTerminated) *corev1.Event {
	var most *corev1.Event
	for _, e := range s.probeEvents(kind) {
		if most == nil || !lastSeen(e).Before(end.StartedAt.Time) && count(e) > count(most) {
			most = e
		}
	}
	return most
}

// ranFor says that it runs, and for how long it had when a probe failed last.
func (s subject) ranFor(failed *corev1.Event) string {
	if failed != nil {
		if ran := lastSeen(failed).Sub(s.status.State.Running.StartedAt.Time).Round(time.Second); ran > 0 {
			return fmt.Sprintf("has been running for %s", ran)
		}
	}
	return "runs"
}

// allows is how long a probe lets a container fail before the kubelet ends it.
func allows(p *corev1.Probe) time.Duration {
	return time.Duration(p.InitialDelaySeconds+cmp.Or(p.FailureThreshold, 3)*cmp.Or(p.PeriodSeconds, 10)) * time.Second
}

// enough is the failure_threshold that gives a container a third more time than
// it was seen to take.
func enough(p *corev1.Probe, took time.Duration) int32 {
	needed := took.Seconds()*4/3 - float64(p.InitialDelaySeconds)
	return max(1, int32(math.Ceil(needed/float64(cmp.Or(p.PeriodSeconds, 10)))))
}

// observed is the longest that another pod's container with this name took from
// its start until it was ready; 0 where none did, or it cannot be known.
func (s subject) observed() time.Duration {
	longest := time.Duration(0)
	for _, pod := range s.peers {
		ready := condition(pod, corev1.ContainersReady)
		if pod.UID == s.pod.UID || ready == nil || ready.Status != corev1.ConditionTrue {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == s.status.Name && status.Ready && status.State.Running != nil {
				longest = max(longest, ready.LastTransitionTime.Sub(status.State.Running.StartedAt.Time).Round(time.Second))
			}
		}
	}
	return longest
}

// startupHint says what the startup probe allows, and what it would have to.
func (s subject) startupHint(p *corev1.Probe, took time.Duration) string {
	period := cmp.Or(p.PeriodSeconds, 10)
	given := fmt.Sprintf("startup_probe allows %s (failure_threshold = %d, period_seconds = %d)", allows(p), cmp.Or(p.FailureThreshold, 3), period)
	switch {
	case took > allows(p):
		return fmt.Sprintf("%s, and in another pod it took %s until it was ready: failure_threshold = %d would do", given, took, enough(p, took))
	case took > 0:
		return fmt.Sprintf("%s, and in another pod it was ready after %s: see what keeps this one", given, took)
	}
	return given + ": where it needs longer, raise failure_threshold; else see what it waits for"
}

// killHint is for a container that the kubelet ended for a probe.
func (s subject) killHint(p *deadlyProbe, end *corev1.ContainerStateTerminated, t *trouble) string {
	took := s.observed()
	hint := ""
	switch ran := lived(end); {
	case p.cause == CauseStartupKilled:
		hint = s.startupHint(p.spec, took)
	case s.spec.StartupProbe == nil && took > allows(p.spec):
		hint = fmt.Sprintf("liveness_probe ends it %s after its start, and in another pod it took %s until it was ready: a startup_probe like it with failure_threshold = %d would do",
			allows(p.spec), took, enough(p.spec, took))
	case ran > 2*allows(p.spec)+gracePeriod(s.pod):
		hint = fmt.Sprintf("it answered before that for up to %s: see what it was busy with then, and what its log says", ran)
	case s.spec.StartupProbe == nil:
		hint = fmt.Sprintf("liveness_probe ends what does not answer %s after its start: where it needs longer to start, give it a startup_probe", allows(p.spec))
	}
	if t != nil {
		hint = strings.TrimSuffix(t.try+"; "+hint, "; ")
	}
	return hint
}

// gracePeriod is how long a container may take to end once it was told to.
func gracePeriod(pod *corev1.Pod) time.Duration {
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}
