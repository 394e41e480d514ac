package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

func (t *terminal) resume() *cobra.Command {
	a := &acting{}
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Let what is paused go on",
		Long: "Lets a promotion of the application, or a change of its content in place, go on from the pause that it is in: a gate, or a pause that outlasted its apply. " +
			"It holds for this pause alone: the next gate asks again. It moves no traffic, and makes no pods, itself: the next apply does. One that waits at `canary.max_weight` is refused.",
		Example:           "  kubectl switchback resume api --reason \"looked at the dashboard\"",
		Args:              a.args,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.act(cmd, a, args, resuming)
		},
	}
	a.addFlags(t, cmd)
	return cmd
}

// resuming lets go on what is paused.
func resuming(ctx context.Context, c *clusters, name string) deed {
	req, err := rollout.ResumeOn(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
	return deed{
		err: err, on: req.Clusters, take: toAsk, will: fmt.Sprintf("What is paused of %s/%s goes on with the next apply%s.", c.namespace, name, where(c, req.Clusters)),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			said := false
			req.Progress = func(line string) { said = true; say(line) }
			notices, err := e.Resume(ctx, req)
			if !said {
				return "", notices, err
			}
			return "the next apply goes on from here", notices, err
		},
	}
}

func (t *terminal) hold() *cobra.Command {
	a := &acting{}
	cmd := &cobra.Command{
		Use:   "hold NAME",
		Short: "Hold a canary where it is",
		Long: "The promotion of the application that is open stays at the share that it has, with its pods and those of the release before it. A run that is at it ends in a pause, within a second, and succeeds. " +
			"Every apply leaves it so, and the plan is empty, until `kubectl switchback resume`, or the action switchback_resume; then the pause or the gate that it was in counts, whose time has run on. " +
			"`kubectl switchback rollback` goes back from it. An application that a group moves cannot be held, nor one whose traffic moves all at once.",
		Example:           "  kubectl switchback hold api --reason \"looking at the error rate\"",
		Args:              a.args,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.act(cmd, a, args, holding)
		},
	}
	a.addFlags(t, cmd)
	return cmd
}

// holding keeps a promotion where it is.
func holding(ctx context.Context, c *clusters, name string) deed {
	req, err := rollout.HoldOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
	return deed{
		err: err, on: req.Clusters, take: toAct, will: fmt.Sprintf("The promotion of %s/%s%s stays where it is, until somebody lets it go on.", c.namespace, name, where(c, req.Clusters)),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			notices, err := e.Hold(ctx, req)
			if len(notices) > 0 {
				return "", notices, err
			}
			return "it is held where it is", nil, err
		},
	}
}

func (t *terminal) retry() *cobra.Command {
	a := &acting{}
	cmd := &cobra.Command{
		Use:   "retry NAME",
		Short: "Let a release be tried once more that was left",
		Long: "Forgets that a release of the application is refused, because it did not pass its bake or its canary, or because somebody went back from it: what a changed `retry_token` does in a configuration. " +
			"It moves nothing: the next apply that asks for that release does.",
		Example:           "  kubectl switchback retry api --reason \"the database is back\"",
		Args:              a.args,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.act(cmd, a, args, retrying)
		},
	}
	a.addFlags(t, cmd)
	return cmd
}

// retrying forgets who is refused.
func retrying(ctx context.Context, c *clusters, name string) deed {
	on, breaches, err := rollout.RetryOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
	req, d := rollout.RetryRequest{Namespace: c.namespace, Application: name, Clusters: on}, deed{err: err, on: on, take: toAct}
	var refused []string
	for _, b := range breaches {
		if text := fmt.Sprintf("%s (%s)", b.To, b.Reason); !slices.Contains(refused, text) {
			refused = append(refused, text)
		}
	}
	d.will = fmt.Sprintf("Of %s/%s, nothing is refused%s.", c.namespace, name, where(c, d.on))
	if len(refused) > 0 {
		d.will = fmt.Sprintf("Of %s/%s, this may be tried once more: %s.", c.namespace, name, strings.Join(refused, "; "))
	}
	d.do = func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
		req.Progress = say
		notices, err := e.Retry(ctx, req)
		if err != nil || len(notices) > 0 {
			return "", notices, err
		}
		return "what was refused may be tried once more: the next apply of it does", nil, nil
	}
	return d
}
