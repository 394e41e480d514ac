package observe

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
)

// Shift is how far the traffic of an application's address has moved on one
// cluster, and what it still waits for.
type Shift struct {
	To       string // who has, or is to get, the traffic
	Switched int    // percent
	Desired  int    // percent
	Step     int    // percent that the next step moves
	Launched int    // pods of To
	Healthy  int    // of these, ready
	Awaited  int    // pods that are still to become ready
}

// ShiftOf looks at a promotion, or at what stands where none is under way.
func ShiftOf(ctx context.Context, c ownership.Cluster, namespace string, o Main) (Shift, error) {
	s := Shift{Desired: 100}
	s.To, _ = o.Split.Stable()
	if o.Main != nil && o.Main.Progress != nil {
		s.To = o.Main.Progress.To
	}
	if s.To == "" {
		return s, nil
	}
	s.Switched = o.Split[s.To]
	s.Step = s.Desired - s.Switched
	if o.Main != nil && o.Main.Progress != nil {
		s.Step = o.Main.Progress.Next() - s.Switched
	}
	d, err := ownership.Cached(ctx, c.View(namespace), &appsv1.Deployment{}, s.To)
	if err != nil || d == nil {
		return s, err
	}
	s.Launched, s.Healthy = int(d.Status.Replicas), int(d.Status.ReadyReplicas)
	if want := d.Spec.Replicas; want != nil {
		s.Awaited = max(0, int(*want)-s.Healthy)
	}
	return s, nil
}
