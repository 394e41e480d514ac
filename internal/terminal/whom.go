package terminal

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
)

// whom says what a command acts on: one application by its name, or all that match.
type whom struct{ selector, environment string }

func (w *whom) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&w.selector, "selector", "l", "", "In place of a name: all applications of the namespace that have a release whose labels match, such as team=payments.")
	cmd.Flags().StringVar(&w.environment, "environment", "", "In place of a name: all applications of the namespace that have a release of this environment.")
}

// args checks that it is said, and once.
func (w *whom) args(cmd *cobra.Command, args []string) error {
	several := w.selector != "" || w.environment != ""
	switch {
	case several && len(args) > 0:
		return usagef("a name, and --selector or --environment exclude each other")
	case several:
		return nil
	}
	return oneSubject(cmd, args)
}

// names are what it acts on: those that a group moves with others in its order, or the other
// way round.
func (w *whom) names(ctx context.Context, c *clusters, args []string, backwards bool) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	matches, err := labels.Parse(w.selector)
	if err != nil {
		return nil, usage(err)
	}
	var environment *string
	if w.environment != "" {
		environment = &w.environment
	}
	apps, unread := observe.Applications(ctx, c.on, c.namespace, "", environment)
	if _, err := unreadOf(unread, len(c.on)); err != nil {
		var part *exitError
		if errors.As(err, &part) {
			err = part.err // nothing is done where some of it cannot be seen
		}
		return nil, err
	}
	apps = slices.DeleteFunc(apps, func(app observe.Application) bool {
		return !matches.Empty() && !slices.ContainsFunc(app.Releases, func(s observe.Surveyed) bool { return matches.Matches(labelsOf(s)) })
	})
	names := inOrder(apps)
	if backwards {
		slices.Reverse(names)
	}
	return names, nil
}

// inOrder are the applications' names, each after those that its group has it come after.
func inOrder(apps []observe.Application) (names []string) {
	byID := map[string]observe.Application{}
	for _, app := range apps {
		byID[app.Namespace+"/"+app.Name] = app
	}
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		app, ok := byID[id]
		if !ok || seen[id] {
			return
		}
		seen[id] = true
		if asked := observe.Asked(app.Mains); asked != nil && asked.Group != nil {
			for _, member := range asked.Group.Members {
				if member.ID != id {
					continue
				}
				for _, before := range member.After {
					visit(asked.Group.Members[before].ID)
				}
			}
		}
		names = append(names, app.Name)
	}
	for _, app := range apps {
		visit(app.Namespace + "/" + app.Name)
	}
	return names
}
