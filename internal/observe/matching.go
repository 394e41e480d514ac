package observe

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Matching says which applications of a namespace are meant, by what they have.
type Matching struct {
	Namespace   string
	Environment string          // their address leads to a release of this one; empty: no matter
	Labels      labels.Selector // they have a release with such labels; nil: no matter
	Backwards   bool            // those that others come after are last
}

// Meant is an application that is meant.
type Meant struct {
	Name string
	On   []string // the clusters on which it is; nil: wherever it is
}

// Find finds the applications that are meant: those that a group moves with others in its
// order, or the other way round. With an environment, they are meant where their address
// leads to it, and not where another environment has the traffic; others are those that have
// a release of it and no such address. unread are the clusters that could not be read, and
// why: it cannot be told then who is meant.
func (m Matching) Find(ctx context.Context, clusters []ownership.Cluster) (meant []Meant, others []string, unread map[string]error) {
	var environment *string
	if m.Environment != "" {
		environment = &m.Environment
	}
	apps, unread := Applications(ctx, clusters, m.Namespace, "", environment)
	apps = slices.DeleteFunc(apps, func(app Application) bool { return m.Labels != nil && !app.Labelled(m.Labels) })
	on := map[string][]string{}
	if environment != nil {
		for _, app := range apps {
			for _, o := range app.Mains {
				on[app.Name] = append(on[app.Name], o.Cluster)
			}
			if on[app.Name] == nil {
				others = append(others, app.Name)
			}
		}
	}
	for _, name := range inOrder(apps) {
		if !slices.Contains(others, name) {
			meant = append(meant, Meant{Name: name, On: on[name]})
		}
	}
	if m.Backwards {
		slices.Reverse(meant)
	}
	return meant, others, unread
}

// OtherEnvironment says of an application that is not meant why, in a sentence.
func (m Matching) OtherEnvironment(name string) string {
	return fmt.Sprintf("%s/%s is left alone: it has releases of the environment %q, and no address that leads to one of them. Name it, or one of its releases, to act on it all the same.", m.Namespace, name, m.Environment)
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
