package observe

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Namespaces are those in which there is anything of ours, on any of the clusters, sorted.
// Unlike all else it asks for the whole of a cluster, and needs the permission for that.
// unread are the clusters that could not be asked, and why.
func Namespaces(ctx context.Context, clusters []ownership.Cluster) (names []string, unread map[string]error) {
	type found struct {
		cluster string
		names   []string
		err     error
	}
	unread = map[string]error{}
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (found, error) {
		list, of := &corev1.ConfigMapList{}, found{cluster: c.Name()}
		of.err = c.Recent(ctx, "", release.ManagedSelector+","+release.LabelRole+" in ("+release.RoleRecord+","+release.RolePointer+")", list)
		for _, cm := range list.Items {
			of.names = append(of.names, cm.Namespace)
		}
		return of, nil
	})
	for _, of := range all {
		if of.err != nil {
			unread[of.cluster] = of.err
		}
		names = append(names, of.names...)
	}
	slices.Sort(names)
	return slices.Compact(names), unread
}
