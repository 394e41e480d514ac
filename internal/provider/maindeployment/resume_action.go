package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// NewResumeAction is switchback_resume.
func NewResumeAction() action.Action {
	return &mainAction{
		name: "resume", way: session.Onwards, find: resuming,
		what: "Lets a promotion of an application, or a change of its deployment in place, go on from the pause that it is in: a `gate = \"manual\"` of `canary.steps` or of `rolling_update.pause_at`, or a pause that outlasted its apply. " +
			"It holds for this promotion or change, and this pause: the next gate asks again. One that waits at `canary.max_weight` is refused; where nothing is paused, nothing is written, and a warning says so.",
		then:        "it moves no traffic, and makes no pods, itself. **The next `terraform apply` goes on**, with the configuration that it has then.",
		application: "It must have a `switchback_main_deployment`, or a `switchback_deployment` whose content changes in place.",
		clusters:    "all on which the application has one of these.",
		deployment: "The `id` of the deployment whose promotion goes on, or whose content changes in place, such as `shop/api-7f3c9a1e`. Where the promotion to another one is under way by then, the action is refused. " +
			"Default: whichever is paused; where both are, it has to be said.",
	}
}

// resuming asks for what is paused.
func resuming(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error) {
	req, err := rollout.ResumeOn(ctx, asked)
	return session.Deed{
		On: req.Clusters, Need: session.ToAsk(req.Namespace),
		Do: func(ctx context.Context, say func(string)) (ends string, notices []rollout.Notice, err error) {
			req.Progress = func(line string) {
				ends = "the next apply goes on from here"
				say(line)
			}
			notices, err = now.Engine.Resume(ctx, req)
			return ends, notices, err
		},
	}, err
}
