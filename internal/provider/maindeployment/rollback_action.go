package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// NewRollbackAction is switchback_rollback.
func NewRollbackAction() action.Action {
	return &mainAction{
		name: "rollback", way: session.Backwards,
		what: "Moves an application's traffic back, to the deployment that was main before or to a named one, with the settings that the address has. " +
			"It starts the deployment where it was stopped, makes sure that it is ready on every cluster, verifies the switch, and takes it back where it fails, as an apply does.",
		then: "what it leaves is remembered: plans warn, say who asked for it, and leave the traffic where it is, until another deployment is asked for, or `retry_token` changes. " +
			"Change the version, or `deployment_id`, back as well. " +
			"From the first deployment behind an adopted rule, before it has all of the traffic for good, the rule leads again to what it led to before, and nothing is main. " +
			"Without haste, changing the version back and applying does the same, and leaves nothing to do.",
		deployment: "The `id` of the deployment to go back to, such as `shop/api-7f3c9a1e`; it must still be there. " +
			"Default: the one that was main before, where all clusters agree on it.",
		find: func(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
			back, err := rollout.WayBackOf(ctx, asked)
			return goingBack(now, back), err
		},
	}
}

// NewAbortAction is switchback_abort.
func NewAbortAction() action.Action {
	return &mainAction{
		name: "abort", way: session.Backwards,
		what: "Gives up a promotion of an application that is open, as a Ctrl-C of its run would: the traffic goes back to where it was, in one step. The run that is at it is asked to, and ends; what a run that died has left is taken back here.",
		then: "nothing is remembered against the deployment, so that the next apply tries it once more. To have it refused, invoke `switchback_rollback`.",
		find: func(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
			back, err := rollout.WayOutOf(ctx, asked)
			return goingBack(now, back), err
		},
	}
}

// goingBack moves the traffic back: to what lives, with another deployment behind it; or to
// what an adopted rule led to before.
func goingBack(now session.Invocation, back rollout.WayBack) session.Deed {
	return session.Deed{
		On: back.Clusters, Need: session.ToPromote(back.Service, false).And(back.Route),
		Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
			back.Progress = say
			done, err := now.Engine.TakeBack(ctx, back)
			return back.Ends(), done.Notices, err
		},
	}
}
