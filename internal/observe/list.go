package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Listed is what a namespace has on one cluster.
type Listed struct {
	Cluster  string
	Releases []release.ID // in no order
	Mains    []string     // applications that have a main deployment of their own, in no order
	Groups   []string     // those that move the others, in no order, once for each member
	Err      error        // the cluster could not be read; the rest is empty
}

// List names the releases and main deployments of a namespace on every cluster,
// from the shared watch caches; an empty application stands for all of them. It
// writes nothing, and an unreachable cluster is not an empty one.
func List(ctx context.Context, clusters []ownership.Cluster, namespace, application string) []Listed {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Listed, error) {
		l, err := listOn(ctx, c, namespace, application)
		if err != nil {
			l = Listed{Err: err}
		}
		l.Cluster = c.Name()
		return l, nil
	})
	return all
}

func listOn(ctx context.Context, c ownership.Cluster, namespace, application string) (l Listed, err error) {
	labels := map[string]string{release.LabelManagedBy: release.ManagedBy}
	if application != "" {
		labels[release.LabelApplication] = application
	}
	ours, err := c.View(namespace).List(ctx, &corev1.ConfigMap{}, labels)
	for _, cm := range ours {
		switch cm.GetLabels()[release.LabelRole] {
		case release.RoleRecord:
			l.Releases = append(l.Releases, release.ID{Namespace: namespace, Name: cm.GetName()})
		case release.RolePointer:
			main, err := ownership.MainIn(cm.(*corev1.ConfigMap).Data)
			if main == nil && err == nil {
				continue // it has a history, and no address
			}
			if main != nil && main.Group != "" {
				l.Groups = append(l.Groups, main.Group)
				continue
			}
			l.Mains = append(l.Mains, cm.GetLabels()[release.LabelApplication])
		}
	}
	return l, err
}
