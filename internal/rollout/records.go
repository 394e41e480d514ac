package rollout

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Standing is what a release's record says on one cluster.
type Standing struct {
	Cluster string
	Record  *release.Record // nil: none, or none that can be read
}

// Standings reads a release's records from the shared watch caches, for telling
// what a plan would find. What cannot be read is left out: it is no reason for a
// plan to fail, or to wait.
func (e *Engine) Standings(ctx context.Context, clusters []Cluster, id release.ID) []Standing {
	all, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (Standing, error) {
		s := Standing{Cluster: c.Name()}
		cm, err := cached(ctx, c.View(id.Namespace), &corev1.ConfigMap{}, id.Name)
		if err == nil && cm != nil {
			s.Record, _ = ownership.RecordIn(cm.Data) // the apply says what is wrong with it
		}
		return s, nil
	})
	return all
}
