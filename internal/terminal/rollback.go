package terminal

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// What each command takes to be allowed, as the roles of SECURITY.md say it.
var (
	toAsk     = []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy}
	toAct     = []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeatureLock}
	toPromote = []cluster.Feature{cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeaturePromote, cluster.FeatureTerminate, cluster.FeatureLock}
)

// routes are what an address's route takes, and what it takes where only a rule of it is
// adopted.
var routes = map[traffic.RouteKind][2]cluster.Feature{
	traffic.HTTPRoute: {cluster.FeatureHTTPRoute, cluster.FeatureAdoptHTTPRoute},
	traffic.GRPCRoute: {cluster.FeatureGRPCRoute, cluster.FeatureAdoptGRPCRoute},
	traffic.TCPRoute:  {cluster.FeatureTCPRoute, cluster.FeatureAdoptTCPRoute},
}

// toMove is what it takes to move the traffic of an address.
func toMove(req rollout.PromoteRequest) []cluster.Feature {
	features := append([]cluster.Feature{}, toPromote...)
	if req.Service.Adopt {
		features = append(features, cluster.FeatureAdopt)
	}
	if r := req.Route; r != nil {
		feature := routes[r.Kind][0]
		if r.Adopt {
			feature = routes[r.Kind][1]
		}
		features = append(features, feature)
	}
	return features
}

func (t *terminal) rollback() *cobra.Command {
	a, to, whole := &acting{backwards: true}, "", &wholeGroup{}
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Move an application's traffic back",
		Long: "To the release that was main before, or to the one that --to names; from the middle of a canary, to who had the traffic before it, in one step. " +
			"The release is started where it was stopped, and is ready on every cluster before anything moves. " +
			"A run that is at such a canary, or watches the release with the traffic, is asked to go back, and does so within a second; what a run that died has left is taken back here.\n\n" +
			"It is remembered what was left, by whom and why: Terraform's next plan says so, and leaves the traffic where it is, until another deployment is asked for, " +
			"`retry_token` changes, or `kubectl switchback retry`.\n\n" +
			"With --group, all members go back that its last move has moved, those that moved last first. All of them are ready before the first moves, and where one cannot be moved, the others are put where they were.",
		Example:           "  kubectl switchback rollback api --reason \"5xx since 14:02\"\n  kubectl switchback rollback api --to api-0b8e4d27 --yes\n  kubectl switchback rollback --group shop",
		Args:              whole.args(a),
		ValidArgsFunction: t.completeApplication(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if whole.name != "" && to == "" {
				return t.act(cmd, a, []string{whole.name}, groupBack(func(ctx context.Context, req group.WayBackRequest) (group.WayBack, error) {
					return group.WayBackOf(ctx, req, release.GroupBack)
				}))
			}
			if to != "" && len(args) == 0 {
				return usagef("--to names a release of one application: name that one, too")
			}
			return t.act(cmd, a, args, func(ctx context.Context, c *clusters, name string) deed {
				if of, is := release.ApplicationOf(to); to != "" && (!is || of != name) {
					return deed{err: usagef("%q is no release of %s: `kubectl switchback get %s` lists them", to, name, name)}
				}
				back, err := rollout.WayBackOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, To: to, Clusters: c.on})
				return goingBack(c, name, back, err)
			})
		},
	}
	whole.addFlags(cmd)
	a.addFlags(t, cmd)
	cmd.Flags().StringVar(&to, "to", "", "The release to go back to, by its name. It must still be there.")
	_ = cmd.RegisterFlagCompletionFunc("to", t.completeRelease())
	return cmd
}

func (t *terminal) abort() *cobra.Command {
	a, whole := &acting{backwards: true}, &wholeGroup{}
	cmd := &cobra.Command{
		Use:   "abort NAME",
		Short: "Give up what is under way, as a Ctrl-C there would",
		Long: "Of an application: the promotion that is open. Its traffic goes back to who had it before, in one step; a run that is at it is asked to, and ends. " +
			"Nothing is remembered against the release: the next apply tries it once more. To have it refused, go back with `kubectl switchback rollback`.\n\n" +
			"Of a release: its start, its restart, or the change of its content. The run that is at it is asked to end, as after a Ctrl-C; what a run that died has left is given up here.\n\n" +
			"With --group: the group's move. Every member goes back, those that moved last first, and nothing is remembered either.",
		Example:           "  kubectl switchback abort api\n  kubectl switchback abort api-7f3c9a1e --yes\n  kubectl switchback abort --group shop",
		Args:              whole.args(a),
		ValidArgsFunction: t.completeSubject(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if whole.name != "" {
				return t.act(cmd, a, []string{whole.name}, groupBack(group.WayOutOf))
			}
			return t.act(cmd, a, args, func(ctx context.Context, c *clusters, name string) deed {
				if is, d := t.ofRelease(ctx, c, name, release.ActionCancel); is {
					return d
				}
				back, err := rollout.WayOutOf(ctx, rollout.WayBackRequest{Namespace: c.namespace, Application: name, Clusters: c.on})
				return goingBack(c, name, back, err)
			})
		},
	}
	whole.addFlags(cmd)
	a.addFlags(t, cmd)
	return cmd
}

// goingBack is what moves an application's traffic back.
func goingBack(c *clusters, name string, back rollout.WayBack, err error) deed {
	if err != nil {
		return deed{err: err}
	}
	to, from := back.To, ""
	if back.Theirs != "" {
		to = back.Theirs
	}
	if back.Leaves != "" {
		from = " from " + back.Leaves
	}
	alone := ""
	if back.Group != "" {
		alone = fmt.Sprintf(" It belongs to the group %q, whose other members stay where they are.", back.Group)
	}
	return deed{
		will: fmt.Sprintf("The traffic of %s/%s goes back%s to %s%s.%s", c.namespace, name, from, to, where(c, back.Clusters), alone),
		on:   back.Clusters, take: toMove(back.PromoteRequest),
		do: func(ctx context.Context, e *rollout.Engine, say func(string)) (string, []rollout.Notice, error) {
			back.Progress = say
			done, err := e.TakeBack(ctx, back)
			return back.Ends(), done.Notices, err
		},
	}
}
