package observe

import (
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Pods are how many of its pods are ready, and how many it should have.
func (s Surveyed) Pods() (ready, wanted int32) {
	if s.Workload == nil {
		return 0, 0
	}
	wanted = 1
	if s.Workload.Spec.Replicas != nil {
		wanted = *s.Workload.Spec.Replicas
	}
	return s.Workload.Status.ReadyReplicas, wanted
}

// Status is how far the release came, and why, where there is something to say. One
// that is started and has fewer ready pods than it should is degraded: in a state that
// would make every refresh noisy, so that only who looks is told.
func (s Surveyed) Status() (status release.Status, reason string) {
	status, reason = s.Record.Status, s.Record.Reason
	ready, wanted := s.Pods()
	if status == release.StatusStarted && (s.Workload == nil || ready < wanted) {
		status = release.StatusDegraded
		if reason == "" {
			reason = fmt.Sprintf("%d of %d pods are ready", ready, wanted)
		}
	}
	return status, reason
}

// EnvironmentName is the release's environment as it was written; empty without one.
func (s Surveyed) EnvironmentName() string {
	if s.Workload != nil {
		if name := s.Workload.Annotations[release.LabelEnvironment]; name != "" {
			return name // the label cannot hold every name
		}
	}
	return s.Environment
}
