package rollout

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// label shows on a release's workload what its record says of it, for
// `kubectl get deploy -L switchback.dev/custody,switchback.dev/status`. d is the
// workload as it was last seen; nothing is written where it says so already. What
// is in a state and started, like most, says nothing until it has been something
// else: a create makes no request for that.
// The labels are on no pod template, and are no drift.
func label(ctx context.Context, c Cluster, d *appsv1.Deployment, record *release.Record) {
	if d == nil || d.DeletionTimestamp != nil {
		return
	}
	if ordinary := record.Custody == release.CustodyOwned && record.Status == release.StatusStarted; ordinary && d.Labels[release.LabelCustody] == "" && d.Labels[release.LabelStatus] == "" {
		return
	}
	labels := map[string]string{release.LabelCustody: string(record.Custody), release.LabelStatus: string(record.Status)}
	for key, value := range labels {
		if d.Labels[key] != value {
			c.Label(ctx, d, labels)
			return
		}
	}
}
