package health

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Bake judges a release that was healthy when it got the traffic, for as long as
// it is watched: it is more than whether it is healthy now. The zero value begins
// with the first Judge.
type Bake struct {
	most     int32            // ready pods at once, as far as they were wanted
	restarts map[string]int32 // by container: those from before
	kills    map[string]bool  // for memory, by container and time; true: since it began
}

// Needs is how many pods must be ready for a release to do its work: all but the
// one that its disruption budget lets go, and never none.
func Needs(want int32) int32 {
	if want < 2 {
		return 1
	}
	return want - 1
}

// Judge says what the release did that it must not do with traffic on it; empty
// where there is nothing. ready is how many pods its Service leads to. A nil
// Workload is one that was deleted. What an autoscaler adds is not needed before
// it has been ready once, nor is what it has added a moment ago.
func (b *Bake) Judge(in Input, ready int32) string {
	if in.Workload == nil {
		return "its Deployment was deleted"
	}
	begins := b.restarts == nil
	if begins {
		b.restarts, b.kills, b.most = map[string]int32{}, map[string]bool{}, in.WantReplicas
		if by := writerOf(in.Workload, replicasPath).manager; by != "" && by != release.ScaleManager {
			b.most = ready
		}
	}
	b.most = min(max(b.most, ready), max(in.WantReplicas, 1))
	if needs := Needs(b.most); ready < needs {
		return fmt.Sprintf("%d of its %d pods %s ready, and it needs %d", ready, in.WantReplicas, release.Were(ready), needs)
	}
	if v := Compute(in); v.State == Failed {
		if i := slices.IndexFunc(v.Findings, func(f Finding) bool { return f.Class == Repeated }); i >= 0 {
			return v.Findings[i].Sentence
		}
	}
	pods, _ := current(in)
	return b.ends(pods, in.Limits.crashes(), begins)
}

// ends looks at containers that are up again by now.
func (b *Bake) ends(pods []*corev1.Pod, crashes int32, begins bool) string {
	kills := 0
	for _, pod := range pods {
		for _, s := range subjects(pod, nil) {
			if s.kind == initContainer {
				continue // it ends anyway
			}
			container := string(pod.UID) + "/" + s.status.Name
			if begins {
				b.restarts[container] = s.status.RestartCount
			}
			if since := s.status.RestartCount - b.restarts[container]; since >= crashes {
				return fmt.Sprintf("%s %q of pod %s was restarted %s", s.kind, s.status.Name, pod.Name, times(since))
			}
			if end, _ := s.lastEnd(); end != nil && end.Reason == "OOMKilled" {
				kill := container + "/" + end.FinishedAt.String()
				if _, known := b.kills[kill]; !known {
					b.kills[kill] = !begins
				}
			}
		}
	}
	for _, since := range b.kills {
		if since {
			kills++
		}
	}
	if kills >= int(OOMThreshold) {
		return fmt.Sprintf("its containers ran out of memory %s", times(int32(kills)))
	}
	return ""
}
