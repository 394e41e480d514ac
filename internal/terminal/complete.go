package terminal

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
)

// completion offers a shell what may stand where somebody has typed the beginning of it.
type completion = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// completing offers names that find finds, each once.
func (t *terminal) completing(find func(ctx context.Context, c *clusters, args []string, typed string) []string) completion {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var names []string
		err := t.looking(cmd, func(ctx context.Context, c *clusters) error {
			names = find(ctx, c, args, typed)
			return nil
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}

// namesIn are names of each application of the namespace.
func namesIn(of func(observe.Application) []string) func(context.Context, *clusters, []string, string) []string {
	return func(ctx context.Context, c *clusters, _ []string, _ string) (names []string) {
		apps, _ := observe.Applications(ctx, c.on, c.namespace, "", nil)
		for _, app := range apps {
			names = append(names, of(app)...)
		}
		return slices.DeleteFunc(names, func(name string) bool { return name == "" })
	}
}

// completeApplication offers the namespace's applications, for a command that takes one.
func (t *terminal) completeApplication() completion {
	return t.first(namesIn(func(app observe.Application) []string { return []string{app.Name} }))
}

// completeSubject offers them, and the releases of the one whose name is typed already.
func (t *terminal) completeSubject() completion {
	return t.first(func(ctx context.Context, c *clusters, args []string, typed string) []string {
		return namesIn(func(app observe.Application) []string {
			if strings.HasPrefix(typed, app.Name+"-") {
				return append(releasesOf(app), app.Name)
			}
			return []string{app.Name}
		})(ctx, c, args, typed)
	})
}

// first completes a command's only argument.
func (t *terminal) first(find func(context.Context, *clusters, []string, string) []string) completion {
	complete := t.completing(find)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// completeApplications offers the namespace's applications that are not named yet.
func (t *terminal) completeApplications() completion {
	return t.completing(func(ctx context.Context, c *clusters, args []string, _ string) []string {
		apps, _ := observe.Applications(ctx, c.on, c.namespace, "", nil)
		return slices.DeleteFunc(namesOf(apps), func(name string) bool { return slices.Contains(args, name) })
	})
}

// completeRelease offers the releases of the application that is named.
func (t *terminal) completeRelease() completion {
	return t.completing(func(ctx context.Context, c *clusters, args []string, _ string) (names []string) {
		if len(args) == 0 {
			return nil
		}
		apps, _ := observe.Applications(ctx, c.on, c.namespace, args[0], nil)
		for _, app := range apps {
			names = append(names, releasesOf(app)...)
		}
		return names
	})
}

func releasesOf(app observe.Application) (names []string) {
	for _, r := range app.Releases {
		names = append(names, r.ID.Name)
	}
	return names
}

// completeNames lets a shell complete the flags of a command that stand for something in the
// namespace.
func (t *terminal) completeNames(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("environment", t.completing(namesIn(func(app observe.Application) (names []string) {
		for _, r := range app.Releases {
			names = append(names, r.EnvironmentName())
		}
		return names
	})))
	_ = cmd.RegisterFlagCompletionFunc("group", t.completing(namesIn(func(app observe.Application) (names []string) {
		for _, o := range app.Mains {
			names = append(names, o.Main.Group)
		}
		return names
	})))
}

// completeNamespace offers the namespaces that have applications.
func (t *terminal) completeNamespace() completion {
	return t.completing(func(ctx context.Context, c *clusters, _ []string, _ string) []string {
		names, _ := observe.Namespaces(ctx, c.on)
		return names
	})
}
