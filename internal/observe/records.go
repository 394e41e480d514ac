package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Record is what a release's record says on one cluster.
type Record struct {
	Cluster string
	Record  *release.Record // nil: none, or none that can be read
}

// Records reads a release's records from the shared watch caches, for telling
// what a plan would find. What cannot be read is left out: it is no reason for a
// plan to fail, or to wait.
func Records(ctx context.Context, clusters []ownership.Cluster, id release.ID) []Record {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Record, error) {
		s := Record{Cluster: c.Name()}
		cm, err := ownership.Cached(ctx, c.View(id.Namespace), &corev1.ConfigMap{}, id.Name)
		if err == nil && cm != nil {
			s.Record, _ = ownership.RecordIn(cm.Data) // the apply says what is wrong with it
		}
		return s, nil
	})
	return all
}
