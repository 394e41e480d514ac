package rollout

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// displace takes the settings of a rolling update from whoever else has them, where pods
// are recreated from now on: the API server takes no apply while they are there. A
// kill after it leaves another pace behind, which the next apply removes.
func displace(ctx context.Context, c Cluster, t target, may takeBack) ([]release.FieldConflict, error) {
	if t.spec.Strategy != release.StrategyRecreate {
		return nil, nil
	}
	_, taken, err := apply(ctx, c, t, "Deployment", func(live *appsv1.Deployment) (*appsv1.Deployment, error) {
		if live == nil {
			return nil, nil
		}
		return workload.Displacing(live)
	}, may)
	return taken, err
}
