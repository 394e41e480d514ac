package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Holdings are what an application has on a cluster, from the shared watch cache
// that every verb reads anyway: for asking, before the first write, what will have
// to be allowed. What cannot be parsed is left to the verb, which says so.
func Holdings(ctx context.Context, c ownership.Cluster, namespace, application string) (release.Holdings, error) {
	ours, err := c.View(namespace).List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelApplication: application})
	if err != nil {
		return release.Holdings{}, err
	}
	r := register{mains: map[string]*release.Main{}, records: map[string]map[string]*release.Record{}}
	for _, obj := range ours {
		_ = r.enter(c, obj.(*corev1.ConfigMap)) // what it says is for the verb
	}
	return release.HoldingsOf(r.mains[application], r.records[application]), nil
}
