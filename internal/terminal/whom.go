package terminal

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
)

// whom says what a command acts on: one application by its name, or all that match.
type whom struct{ selector, environment string }

func (w *whom) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&w.selector, "selector", "l", "", "In place of a name: all applications of the namespace that have a release whose labels match, such as team=payments.")
	cmd.Flags().StringVar(&w.environment, "environment", "", "In place of a name: all applications of the namespace whose address leads to a release of this environment.")
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

// find finds what it acts on: applications that a group moves with others in its order, or
// the other way round. left says of others why they are left alone.
func (w *whom) find(ctx context.Context, c *clusters, args []string, backwards bool) (all []observe.Meant, left []Acted, err error) {
	if len(args) > 0 {
		return []observe.Meant{{Name: args[0]}}, nil, nil
	}
	matches, err := labels.Parse(w.selector)
	if err != nil {
		return nil, nil, usage(err)
	}
	meant := observe.Matching{Namespace: c.namespace, Environment: w.environment, Labels: matches, Backwards: backwards}
	all, others, unread := meant.Find(ctx, c.on)
	if _, err := unreadOf(unread, len(c.on)); err != nil {
		var part *exitError
		if errors.As(err, &part) {
			err = part.err // nothing is done where some of it cannot be seen
		}
		return nil, nil, err
	}
	for _, name := range others {
		left = append(left, Acted{Namespace: c.namespace, Name: name, Outcome: OutcomeNothing, Says: meant.OtherEnvironment(name), Notices: []string{}})
	}
	return all, left, nil
}
