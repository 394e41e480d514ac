package observe

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Matching says which applications of a namespace are meant, by what they have.
type Matching struct {
	Namespace   string
	Environment string          // they have a release of this one; empty: no matter
	Labels      labels.Selector // they have a release with such labels; nil: no matter
	Backwards   bool            // those that others come after are last
}

// Names are the applications that are meant: those that a group moves with others in its
// order, or the other way round. unread are the clusters that could not be read, and why: it
// cannot be told then who is meant.
func (m Matching) Names(ctx context.Context, clusters []ownership.Cluster) (names []string, unread map[string]error) {
	var environment *string
	if m.Environment != "" {
		environment = &m.Environment
	}
	apps, unread := Applications(ctx, clusters, m.Namespace, "", environment)
	names = inOrder(slices.DeleteFunc(apps, func(app Application) bool { return m.Labels != nil && !app.Labelled(m.Labels) }))
	if m.Backwards {
		slices.Reverse(names)
	}
	return names, unread
}

// Labelled says that one of the application's releases has labels that match; everything
// matches an empty selector.
func (a *Application) Labelled(selector labels.Selector) bool {
	return selector.Empty() || slices.ContainsFunc(a.Releases, func(s Surveyed) bool { return selector.Matches(s.labels()) })
}

// labels are those of the release's workload and of its pods.
func (s Surveyed) labels() labels.Set {
	if s.Workload == nil {
		return labels.Set{}
	}
	return labels.Merge(s.Workload.Labels, s.Workload.Spec.Template.Labels)
}

// inOrder are the applications' names, each after those that its group has it come after.
func inOrder(apps []Application) (names []string) {
	byID := map[string]Application{}
	for _, app := range apps {
		byID[app.id()] = app
	}
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		app, ok := byID[id]
		if !ok || seen[id] {
			return
		}
		seen[id] = true
		if asked := Asked(app.Mains); asked != nil {
			for _, before := range asked.Group.Before(id) {
				visit(before)
			}
		}
		names = append(names, app.Name)
	}
	for _, app := range apps {
		visit(app.id())
	}
	return names
}

func (a *Application) id() string { return release.ID{Namespace: a.Namespace, Name: a.Name}.String() }
