package release

import "slices"

// Autoscaling lets an autoscaler choose the number of a release's pods, within
// bounds, so that the average use of their container stays near its targets.
type Autoscaling struct {
	Min, Max    int32
	CPU, Memory *int32 // percent of what the container requests; nil: no target
}

// Start is the number of pods to begin with: enough for Min and for each of the
// counts, but no more than Max.
func (a Autoscaling) Start(counts ...int32) int32 {
	return min(a.Max, max(a.Min, slices.Max(append(counts, 0))))
}

// Autoscaled says that an autoscaler decides the number of pods: of a release
// that is to be stopped, it does not.
func (s Spec) Autoscaled() bool { return s.Autoscaling != nil && s.DesiredState != DesiredStopped }

// LeastPods is how few pods the release may have while it runs.
func (s Spec) LeastPods() int32 {
	if s.Autoscaling != nil {
		return s.Autoscaling.Min
	}
	return s.Replicas
}

// Companion is an object that a release has only where it is asked for, by its
// kind. Its name is the release's, or begins with it.
type Companion string

// Companions of a release's workload.
const (
	CompanionAutoscaler       Companion = "HorizontalPodAutoscaler"
	CompanionDisruptionBudget Companion = "PodDisruptionBudget"
	CompanionFiles            Companion = "ConfigMap"
	CompanionPreview          Companion = "HTTPRoute"
)

// Companions lists every Companion.
func Companions() []Companion {
	return []Companion{CompanionAutoscaler, CompanionDisruptionBudget, CompanionFiles, CompanionPreview}
}

// Companions are those that the release shall have. A budget for disruptions
// would say nothing about a single pod.
func (s Spec) Companions() []Companion {
	var asked []Companion
	if s.Autoscaling != nil {
		asked = append(asked, CompanionAutoscaler)
	}
	if s.LeastPods() > 1 && !s.Disruption.Off() {
		asked = append(asked, CompanionDisruptionBudget)
	}
	if s.Content.HasFiles() {
		asked = append(asked, CompanionFiles)
	}
	if s.Previewed() {
		asked = append(asked, CompanionPreview)
	}
	return asked
}

// Unwanted are the companions that may exist although the release shall not
// have them.
func (r *Record) Unwanted(asked []Companion) []Companion {
	return slices.DeleteFunc(slices.Clone(r.Companions), func(c Companion) bool { return slices.Contains(asked, c) })
}

// Expects says that there may be such a companion.
func (r *Record) Expects(c Companion) bool { return r != nil && slices.Contains(r.Companions, c) }

// Expect remembers companions that there may be from now on.
func (r *Record) Expect(companions ...Companion) {
	for _, c := range companions {
		if !r.Expects(c) {
			r.Companions = append(slices.Clone(r.Companions), c)
		}
	}
}
