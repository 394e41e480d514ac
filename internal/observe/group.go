package observe

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Group is what stands of a group's members.
type Group struct {
	Name    string
	Asked   *release.Asked         // what was last asked of it; nil: a provider wrote it that did not note that
	Members map[string]GroupMember // by the name that the group has for it
	Errs    []error                // clusters that could not be read
}

// GroupMember is one member's address, on the clusters where it is the group's.
type GroupMember struct {
	Namespace, Application string
	Mains                  []Main
}

// First is the first namespace of the members by name, which stands for the group.
func (g Group) First() string {
	first := ""
	for _, member := range g.Members {
		if first == "" || member.Namespace < first {
			first = member.Namespace
		}
	}
	return first
}

// GroupIn reads the members of a group that a namespace has, from the shared watch
// caches, and then those that these say to be elsewhere.
func GroupIn(ctx context.Context, clusters []ownership.Cluster, namespace, name string) Group {
	g := Group{Name: name, Members: map[string]GroupMember{}}
	found, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (joined, error) { return joinedOn(ctx, c, namespace, name), nil })
	var ids []release.ID
	for _, j := range found {
		if j.err != nil {
			g.Errs = append(g.Errs, j.err)
		}
		ids = append(ids, j.ids...)
	}
	slices.SortFunc(ids, func(a, b release.ID) int { return strings.Compare(a.String(), b.String()) })
	for _, id := range slices.Compact(ids) {
		g.look(ctx, clusters, id)
	}
	if g.Asked == nil {
		return g
	}
	for _, address := range g.Asked.Group.Addresses() {
		id, err := release.ParseID(address)
		if err == nil && !slices.Contains(ids, id) {
			g.look(ctx, clusters, id)
		}
	}
	return g
}

// look takes in what of one application is the group's, unless a cluster could not be
// read already, which one telling of is enough.
func (g *Group) look(ctx context.Context, clusters []ownership.Cluster, id release.ID) {
	if len(g.Errs) > 0 {
		return
	}
	for _, o := range Mains(ctx, clusters, id.Namespace, id.Name, "") {
		switch {
		case o.Err != nil:
			g.Errs = append(g.Errs, o.Err)
		case o.Main == nil || o.Main.Group != g.Name:
		default:
			member := g.Members[o.Main.Member]
			member.Namespace, member.Application = id.Namespace, id.Name
			member.Mains = append(member.Mains, o)
			g.Members[o.Main.Member] = member
			if asked := o.Main.Asked; asked != nil && asked.Group != nil && (g.Asked == nil || asked.At.After(g.Asked.At)) {
				g.Asked = asked
			}
		}
	}
}

// joined are the applications on one cluster that are a group's.
type joined struct {
	ids []release.ID
	err error
}

func joinedOn(ctx context.Context, c ownership.Cluster, namespace, name string) (j joined) {
	mains, err := pointersOn(ctx, c, namespace)
	j.err = err
	for application, main := range mains {
		if main.Group == name {
			j.ids = append(j.ids, release.ID{Namespace: namespace, Name: application})
		}
	}
	return j
}

// pointersOn are a namespace's pointers by application. One that cannot be parsed is
// an error: it may be anybody's.
func pointersOn(ctx context.Context, c ownership.Cluster, namespace string) (map[string]*release.Main, error) {
	ours, err := c.View(namespace).List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelManagedBy: release.ManagedBy, release.LabelRole: release.RolePointer})
	if err != nil {
		return nil, err
	}
	mains := map[string]*release.Main{}
	for _, obj := range ours {
		cm := obj.(*corev1.ConfigMap)
		main, err := ownership.MainIn(cm.Data)
		if err != nil {
			return nil, ownership.Unreadable(c, cm, err)
		}
		if main != nil {
			mains[cm.Labels[release.LabelApplication]] = main
		}
	}
	return mains, nil
}
