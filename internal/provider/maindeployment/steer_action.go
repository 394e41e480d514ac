package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// NewHoldAction is switchback_hold.
func NewHoldAction() action.Action {
	return &mainAction{
		name: "hold", way: session.Onwards, find: holding,
		what: "Holds a canary of an application where it is, with its pods and those of the release before it. A run that is at it ends in a pause, within a second, and succeeds. An application that a group moves is refused, and one whose traffic moves all at once.",
		then: "every apply leaves it so, and the plan is empty, until the action `switchback_resume`.",
	}
}

// NewRetryAction is switchback_retry.
func NewRetryAction() action.Action {
	return &mainAction{
		name: "retry", way: session.Onwards, find: retrying,
		what: "Lets a deployment of an application be tried once more that the traffic was taken from, because it failed or because somebody asked for that: what a changed `retry_token` does in a configuration.",
		then: "it moves no traffic itself. The next apply of that deployment does.",
	}
}

// NewPromoteAction is switchback_promote.
func NewPromoteAction() action.Action {
	return &mainAction{
		name: "promote", way: session.Onwards, find: skipping,
		what: "Gives the new deployment of a canary all of the traffic at once: the shares and pauses that are left are skipped. It has all of its pods first. A run that is at the promotion does it, within a second; what waits, or what a run that died has left, is brought to its end here. " +
			"`bake` stays: the deployment is watched, and the traffic goes back where it fails, so that `timeout` has to last for it. What `canary.max_weight` keeps at a share is refused, and an application that a group moves. To go past one gate only, invoke `switchback_resume`.",
		then: "the next plan is empty.",
	}
}

// holding asks that a promotion stays where it is.
func holding(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
	on, err := rollout.MainOn(ctx, asked)
	return session.Deed{
		On: on, Need: session.ToLock(asked.Namespace),
		Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
			notices, err := now.Engine.Hold(ctx, rollout.ResumeRequest{Namespace: asked.Namespace, Application: asked.Application, Clusters: on, Progress: say})
			return unless(notices, "it is held where it is"), notices, err
		},
	}, err
}

// retrying forgets who is refused.
func retrying(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
	on, err := rollout.MainOn(ctx, asked)
	return session.Deed{
		On: on, Need: session.ToLock(asked.Namespace),
		Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
			notices, err := now.Engine.Retry(ctx, rollout.RetryRequest{Namespace: asked.Namespace, Application: asked.Application, Clusters: on, Progress: say})
			return unless(notices, "what was refused may be tried once more: the next apply of it does"), notices, err
		},
	}, err
}

// unless is how something has ended, unless notices say that there was nothing to do.
func unless(notices []rollout.Notice, ends string) string {
	if len(notices) > 0 {
		return ""
	}
	return ends
}

// skipping gives a deployment all of the traffic at once.
func skipping(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
	req, err := rollout.SkipOf(ctx, asked)
	return session.Deed{
		On: req.Clusters, Need: session.ToPromote(req.Service, false).And(req.Route),
		Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			done, err := now.Engine.Skip(ctx, req)
			return req.To + " has all of the traffic", done.Notices, err
		},
	}, err
}
