package workload

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// defaultProgressSeconds is the API server's.
const defaultProgressSeconds int32 = 600

// setHealth renders what Kubernetes itself goes by, with every strategy. The rest
// is the engine's.
func setHealth(d *appsv1.DeploymentSpec, h release.Health) {
	d.MinReadySeconds = wholeSeconds(h.MinReady)
	if h.ProgressDeadline > 0 {
		seconds := wholeSeconds(h.ProgressDeadline)
		d.ProgressDeadlineSeconds = &seconds
	}
}

// wholeSeconds rounds up: nothing counts earlier than was asked for.
func wholeSeconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second) //nolint:gosec // Validate bounds it
}

// HealthOf reads a live workload's health settings backwards. What a workload
// does not say is as it was remembered; what it says is as it lives, in the words
// that are remembered where they mean the same.
func HealthOf(d *appsv1.Deployment, remembered release.Health) release.Health {
	h := remembered
	if d.Spec.MinReadySeconds != wholeSeconds(h.MinReady) {
		h.MinReady = time.Duration(d.Spec.MinReadySeconds) * time.Second
	}
	seconds := defaultProgressSeconds
	if s := d.Spec.ProgressDeadlineSeconds; s != nil {
		seconds = *s
	}
	switch {
	case h.ProgressDeadline > 0 && seconds == wholeSeconds(h.ProgressDeadline):
	case seconds == defaultProgressSeconds:
		h.ProgressDeadline = 0
	default:
		h.ProgressDeadline = time.Duration(seconds) * time.Second
	}
	return h
}
