package rollout

import (
	"context"
	"slices"

	policyv1 "k8s.io/api/policy/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// OtherBudget are PodDisruptionBudgets of somebody else's that count a release's pods.
type OtherBudget struct {
	Cluster string
	Names   []string
}

// OtherBudgets looks, in the shared watch caches, which budgets of somebody else's would
// count the pods of a release. It is for telling: where it cannot be told, nothing is.
func (e *Engine) OtherBudgets(ctx context.Context, clusters []Cluster, spec release.Spec) []OtherBudget {
	d, err := workload.Deployment(spec)
	if err != nil {
		return nil
	}
	found, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (OtherBudget, error) {
		o := OtherBudget{Cluster: c.Name()}
		budgets, _ := c.View(spec.Namespace).Select(ctx, &policyv1.PodDisruptionBudget{}, "", "")
		for _, obj := range budgets {
			b := obj.(*policyv1.PodDisruptionBudget)
			if b.Labels[release.LabelManagedBy] != release.ManagedBy && workload.Budgets(b, &d.Spec.Template) {
				o.Names = append(o.Names, b.Name)
			}
		}
		slices.Sort(o.Names)
		return o, nil
	})
	return slices.DeleteFunc(found, func(o OtherBudget) bool { return len(o.Names) == 0 })
}
