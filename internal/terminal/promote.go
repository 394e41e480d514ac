package terminal

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

func (t *terminal) promote() *cobra.Command {
	a, full := &acting{}, false
	cmd := &cobra.Command{
		Use:   "promote NAME",
		Short: "Take a canary past its gate, or, with --full, to all of the traffic at once",
		Long: "Without --full, the same as `kubectl switchback resume`: the gate, or the pause, that the promotion is in is over, and the next apply goes on.\n\n" +
			"With --full, the shares and pauses that are left are skipped, and the release gets all of the traffic now, when it has all of its pods. A run that is at the promotion does so, within a second; " +
			"what waits, or what a run that died has left, is brought to its end here, without Terraform: the next plan is empty. What comes after the last share stays: the release is watched for as long as `bake` says, " +
			"and goes back where it fails. A hold is lifted. A promotion that `canary.max_weight` keeps at a share is refused, and so is one that a group moves.",
		Example:           "  kubectl switchback promote api\n  kubectl switchback promote api --full --reason \"v1 is on fire\"",
		Args:              a.args,
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if full {
				return t.act(cmd, a, args, skipping)
			}
			return t.act(cmd, a, args, resuming)
		},
	}
	a.addFlags(t, cmd)
	cmd.Flags().BoolVar(&full, "full", false, "Skip the shares and pauses that are left: the release gets all of the traffic now.")
	return cmd
}

// skipping gives a release all of the traffic at once.
func skipping(ctx context.Context, c *clusters, name string) deed {
	req, err := rollout.SkipOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
	if err != nil {
		return deed{err: err}
	}
	watched := ""
	if req.Bake > 0 {
		watched = fmt.Sprintf(", and is watched for %s", release.DurationText(req.Bake))
	}
	return deed{
		on: req.Clusters, take: toMove(req.PromoteRequest), bake: req.Bake,
		will: fmt.Sprintf("%s gets all of the traffic of %s/%s%s: the shares and pauses that are left are skipped%s.", req.To, c.namespace, name, where(c, req.Clusters), watched),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			done, err := e.Skip(ctx, req)
			return req.To + " has all of the traffic", done.Notices, err
		},
	}
}
