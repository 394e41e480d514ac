package terminal

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// wholeGroup is a group that a command takes back as one, in place of an application.
type wholeGroup struct{ name string }

func (w *wholeGroup) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.name, "group", "", "In place of a name: the deployment group of this name, as one.")
}

// args checks that it is said once what is meant.
func (w *wholeGroup) args(a *acting) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if w.name == "" {
			return a.args(cmd, args)
		}
		to := cmd.Flags().Lookup("to")
		if len(args) > 0 || a.selector != "" || a.environment != "" || to != nil && to.Changed {
			return usagef("--group excludes a name, --selector, --environment and --to: all that the group has moved goes back")
		}
		return nil
	}
}

// groupBack is what takes a group back, all or none of it.
func groupBack(way func(context.Context, group.WayBackRequest) (group.WayBack, error)) func(ctx context.Context, c *clusters, name string) deed {
	return func(ctx context.Context, c *clusters, name string) deed {
		back, err := way(ctx, group.WayBackRequest{Namespace: c.namespace, Name: name, Clusters: c.on})
		if err != nil {
			return deed{err: err}
		}
		d := deed{
			will: fmt.Sprintf("The traffic of the group %q goes back as one: %s.", name, back.To()),
			do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
				done, err := group.New(e).TakeBack(ctx, back, say)
				return fmt.Sprintf("the group %q is back: %s", name, back.To()), done.Notices, err
			},
		}
		on := map[string]rollout.Cluster{}
		for _, member := range back.Members {
			d.take = append(d.take, toMove(member.PromoteRequest)...)
			for _, one := range member.Clusters {
				on[one.Name()] = one
			}
		}
		for _, at := range slices.Sorted(maps.Keys(on)) {
			d.on = append(d.on, on[at])
		}
		return d
	}
}
