package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// terminal is one call of the command.
type terminal struct {
	genericiooptions.IOStreams
	version string
	reach   reach
	timing  rollout.Timing
}

// Option changes how the command works.
type Option func(*terminal)

// WithTiming gives the engine another timing than users get.
func WithTiming(timing rollout.Timing) Option { return func(t *terminal) { t.timing = timing } }

// Run runs the command with its arguments, and returns the exit code.
func Run(ctx context.Context, version string, streams genericiooptions.IOStreams, args []string, options ...Option) Exit {
	root := Command(version, streams, options...)
	root.SetArgs(args)
	return tell(streams.ErrOut, root.ExecuteContext(ctx))
}

// Command is the command with all that is below it.
func Command(version string, streams genericiooptions.IOStreams, options ...Option) *cobra.Command {
	t := &terminal{IOStreams: streams, version: version, timing: rollout.DefaultTiming()}
	for _, change := range options {
		change(t)
	}
	root := &cobra.Command{
		Use:   "kubectl-switchback",
		Short: "See and steer the applications that Switchback releases, from a terminal",
		Long: "Shows what Switchback has made in a cluster: its applications, their releases, who has the traffic, and what was done. " +
			"It reads the clusters themselves, and needs neither Terraform nor its state. Some of its commands change something: each says what will happen, and asks. Flags and kubeconfigs are kubectl's.",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl switchback"},
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: `%s --help` lists them%s", args[0], cmd.DisplayName(), suggested(cmd, args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w: see `%s --help`", err, cmd.CommandPath())
	})
	t.reach.addFlags(root, version)
	_ = root.RegisterFlagCompletionFunc("namespace", t.completeNamespace())
	root.AddCommand(
		t.get(),
		t.history(),
		t.diagnose(),
		t.logs(),
		t.watch(),
		t.runbook(),
		t.guard(),
		t.events(),
		t.access(),
		t.rollback(),
		t.abort(),
		t.hold(),
		t.promote(),
		t.resume(),
		t.retry(),
		t.restart(),
		t.stop(),
		t.start(),
	)
	return root
}

// suggested is the end of a sentence about a command that does not exist.
func suggested(cmd *cobra.Command, typed string) string {
	cmd.SuggestionsMinimumDistance = 2
	if names := cmd.SuggestionsFor(typed); len(names) > 0 {
		return ". Did you mean " + strings.Join(names, " or ") + "?"
	}
	return ""
}

// oneApplication is for commands about one application, by its name.
func oneApplication(cmd *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return usagef("name an application: `%s NAME`; `kubectl switchback get` lists them", cmd.CommandPath())
	}
	return usagef("one application at a time, please: there are %d names (%s)", len(args), strings.Join(args, ", "))
}

// errNotFound is what a command that names something ends with where it is not there.
var errNotFound = errors.New("not found")

// notFound says that an application is in none of the clusters, and which ones are; also
// where a group is called so.
func notFound(namespace, application string, there []observe.Application) error {
	has := "It has none."
	if members := membersOf(there, application); len(members) > 0 {
		has = isGroup(application, members) + "."
	} else if len(there) > 0 {
		has = "It has: " + strings.Join(namesOf(there), ", ") + "."
	}
	return fmt.Errorf("application %q %w in namespace %q. %s", application, errNotFound, namespace, has)
}
