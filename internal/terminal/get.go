package terminal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// asked is what get was asked for.
type asked struct {
	format
	all         bool // of all namespaces
	selector    string
	environment string
}

func (t *terminal) get() *cobra.Command {
	a := &asked{}
	cmd := &cobra.Command{
		Use:   "get [NAME]",
		Short: "List applications, or show one with its releases",
		Long: "Without a name: the applications of the namespace, each with how it is, its version, and who has its traffic.\n\n" +
			"With a name: its releases on each cluster, the newest first, with the share of the traffic that each one has, and what is wrong, if something is.",
		Example: "  kubectl switchback get\n  kubectl switchback get api -o wide\n  kubectl switchback get -A --contexts prod-eu,prod-us\n  kubectl switchback get -l team=payments -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("one application at a time, please, or none for all of them: there are %d names", len(args))
			}
			if len(args) == 1 && (a.all || a.selector != "" || a.environment != "") {
				return usagef("a name, and --all-namespaces, --selector or --environment exclude each other")
			}
			return nil
		},
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			matches, err := labels.Parse(a.selector)
			if err := errors.Join(usage(err), a.check()); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error {
				if len(args) == 1 {
					return t.getOne(ctx, c, args[0], a)
				}
				return t.getAll(ctx, c, matches, a)
			})
		},
	}
	a.addFlags(cmd)
	cmd.Flags().BoolVarP(&a.all, "all-namespaces", "A", false, "List the applications of all namespaces.")
	cmd.Flags().StringVarP(&a.selector, "selector", "l", "", "List only applications that have a release whose labels match, such as team=payments.")
	cmd.Flags().StringVar(&a.environment, "environment", "", "List only applications that have a release of this environment, and only what concerns that.")
	t.completeNames(cmd)
	return cmd
}

// looking runs what looks at the clusters once.
func (t *terminal) looking(cmd *cobra.Command, look func(ctx context.Context, c *clusters) error) error {
	ctx, cancel, err := t.reach.within(cmd.Context())
	if err != nil {
		return err
	}
	defer cancel()
	c, err := t.reach.clusters()
	if err != nil {
		return err
	}
	defer c.close()
	return look(ctx, c)
}

// getAll lists applications.
func (t *terminal) getAll(ctx context.Context, c *clusters, matches labels.Selector, a *asked) error {
	namespaces, unread := []string{c.namespace}, map[string]error{}
	if a.all {
		namespaces, unread = observe.Namespaces(ctx, c.on)
	}
	var environment *string
	if a.environment != "" {
		environment = &a.environment
	}
	list := ApplicationList{Head: headOf("ApplicationList"), Items: []ApplicationSummary{}}
	for _, namespace := range namespaces {
		apps, silent := observe.Applications(ctx, readable(c.on, unread), namespace, "", environment)
		maps.Copy(unread, silent)
		for _, app := range apps {
			if app.Labelled(matches) {
				list.Items = append(list.Items, summaryOf(app))
			}
		}
	}
	var failed error
	if list.Unread, failed = unreadOf(unread, len(c.on)); len(list.Unread) == len(c.on) {
		if len(list.Items) == 0 {
			return failed
		}
		failed = &exitError{ExitIncomplete, failed} // addresses alone may not be read
	}
	if !a.table() {
		return errors.Join(a.write(t.Out, list), failed)
	}
	if len(list.Items) == 0 {
		where := fmt.Sprintf("in %s namespace", c.namespace)
		if a.all {
			where = "in any namespace"
		}
		_, _ = fmt.Fprintf(t.ErrOut, "No applications found %s.\n", where) // as kubectl says it
		return failed
	}
	return errors.Join(list.print(t.Out, a, nowOf(readable(c.on, unread))), failed)
}

// getOne shows an application with its releases.
func (t *terminal) getOne(ctx context.Context, c *clusters, name string, a *asked) error {
	apps, unread := observe.Applications(ctx, c.on, c.namespace, name, nil)
	silent, failed := unreadOf(unread, len(c.on))
	if len(silent) == len(c.on) {
		return failed
	}
	if len(apps) == 0 {
		there, _ := observe.Applications(ctx, readable(c.on, unread), c.namespace, "", nil)
		return errors.Join(notFound(c.namespace, name, there), failed)
	}
	shown := applicationOf(apps[0])
	shown.Unread = silent
	if !a.table() {
		return errors.Join(a.write(t.Out, shown), failed)
	}
	return errors.Join(shown.print(t.Out, &a.format, len(c.on) > 1, nowOf(readable(c.on, unread))), failed)
}

func namesOf(apps []observe.Application) []string {
	var names []string
	for _, app := range apps {
		names = append(names, app.Name)
	}
	return names
}

// readable are the clusters that could be read so far.
func readable(all []rollout.Cluster, unread map[string]error) []rollout.Cluster {
	return slices.DeleteFunc(slices.Clone(all), func(c rollout.Cluster) bool { return unread[c.Name()] != nil })
}

// unreadOf tells of the clusters that could not be read, of so many. The error is what
// the command ends with; nil where all could be.
func unreadOf(unread map[string]error, of int) (list []Unread, err error) {
	list = []Unread{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(unread)) {
		list = append(list, Unread{Cluster: name, Reason: mask.Redact(unread[name].Error())})
		errs = append(errs, unread[name])
	}
	err = errors.Join(errs...)
	if err != nil && len(list) < of {
		err = &exitError{ExitIncomplete, err}
	}
	return list, err
}
