package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ action.ActionWithConfigure  = (*steerAction)(nil)
	_ action.ActionWithModifyPlan = (*steerAction)(nil)
)

// steerAction asks one thing of an application's promotion, whichever it is.
type steerAction struct {
	*session.Session
	name string
	what string // it does
	then string // what that means for the next apply
	run  func(ctx context.Context, now session.Invocation, req rollout.WayBackRequest, say func(string)) ([]rollout.Notice, error)
}

// NewHoldAction is switchback_hold.
func NewHoldAction() action.Action {
	return &steerAction{
		name: "hold", run: hold,
		what: "Holds a canary of an application where it is, with its pods and those of the release before it. A run that is at it ends in a pause, within a second, and succeeds. An application that a group moves is refused, and one whose traffic moves all at once.",
		then: "every apply leaves it so, and the plan is empty, until the action `switchback_resume`.",
	}
}

// NewAbortAction is switchback_abort.
func NewAbortAction() action.Action {
	return &steerAction{
		name: "abort", run: abort,
		what: "Gives up a promotion of an application that is open, as a Ctrl-C of its run would: the traffic goes back to where it was, in one step. The run that is at it is asked to, and ends; what a run that died has left is taken back here.",
		then: "nothing is remembered against the deployment, so that the next apply tries it once more. To have it refused, invoke `switchback_rollback`.",
	}
}

// NewRetryAction is switchback_retry.
func NewRetryAction() action.Action {
	return &steerAction{
		name: "retry", run: retry,
		what: "Lets a deployment of an application be tried once more that the traffic was taken from, because it failed or because somebody asked for that: what a changed `retry_token` does in a configuration.",
		then: "it moves no traffic itself. The next apply of that deployment does.",
	}
}

// NewPromoteAction is switchback_promote.
func NewPromoteAction() action.Action {
	return &steerAction{
		name: "promote", run: promoteFull,
		what: "Gives the new deployment of a canary all of the traffic at once: the shares and pauses that are left are skipped. It has all of its pods first. A run that is at the promotion does it, within a second; what waits, or what a run that died has left, is brought to its end here. " +
			"`bake` stays: the deployment is watched, and the traffic goes back where it fails, so that `timeout` has to last for it. What `canary.max_weight` keeps at a share is refused, and an application that a group moves. To go past one gate only, invoke `switchback_resume`.",
		then: "the next plan is empty.",
	}
}

// steerModel is their configuration.
type steerModel struct {
	Namespace   types.String `tfsdk:"namespace"`
	Application types.String `tfsdk:"application"`
	Clusters    types.Set    `tfsdk:"clusters"`
	Reason      types.String `tfsdk:"reason"`
	Timeout     types.String `tfsdk:"timeout"`
}

func (a *steerAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.name
}

func (a *steerAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	all := actionAttributes("")
	delete(all, "deployment_id")
	resp.Schema = schema.Schema{MarkdownDescription: a.what + session.ActionNeeds + a.then, Attributes: all}
}

func (a *steerAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan refuses clusters that are not configured.
func (a *steerAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config steerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.PlanActionClusters(config.Clusters)...)
	}
}

// Invoke does it, and tells how far it is.
func (a *steerAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config steerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lines := session.NewStream(resp.SendProgress)
	defer lines.End(ctx)
	ctx, cancel := session.Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	now := a.Act(req, resp)
	asked := rollout.WayBackRequest{Namespace: config.Namespace.ValueString(), Application: config.Application.ValueString()}
	asked.Clusters, asked.Named = now.ClustersOf(ctx, config.Clusters)
	if resp.Diagnostics.HasError() {
		return
	}
	notices, err := a.run(ctx, now, asked, lines.Say)
	explain.Notices(&resp.Diagnostics, notices, false)
	if err != nil {
		now.Fail(err)
	}
}

func hold(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest, say func(string)) ([]rollout.Notice, error) {
	on, err := rollout.MainOn(ctx, asked)
	if err != nil {
		return nil, err
	}
	if on = now.Allowed(ctx, on, session.ToLock(asked.Namespace)); now.Diags().HasError() {
		return nil, nil
	}
	return now.Engine.Hold(ctx, rollout.ResumeRequest{Namespace: asked.Namespace, Application: asked.Application, Clusters: on, Progress: say})
}

func retry(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest, say func(string)) ([]rollout.Notice, error) {
	on, err := rollout.MainOn(ctx, asked)
	if err != nil {
		return nil, err
	}
	if on = now.Allowed(ctx, on, session.ToLock(asked.Namespace)); now.Diags().HasError() {
		return nil, nil
	}
	return now.Engine.Retry(ctx, rollout.RetryRequest{Namespace: asked.Namespace, Application: asked.Application, Clusters: on, Progress: say})
}

func abort(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest, say func(string)) ([]rollout.Notice, error) {
	back, err := rollout.WayOutOf(ctx, asked)
	if err != nil {
		return nil, err
	}
	if back.Clusters = now.Allowed(ctx, back.Clusters, session.ToPromote(back.Service, false).And(back.Route)); now.Diags().HasError() {
		return nil, nil
	}
	back.Progress = say
	done, err := now.Engine.TakeBack(ctx, back)
	if err == nil {
		say(back.Ends())
	}
	return done.Notices, err
}

func promoteFull(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest, say func(string)) ([]rollout.Notice, error) {
	req, err := rollout.SkipOf(ctx, asked)
	if err != nil {
		return nil, err
	}
	if req.Clusters = now.Allowed(ctx, req.Clusters, session.ToPromote(req.Service, false).And(req.Route)); now.Diags().HasError() {
		return nil, nil
	}
	req.Progress = say
	done, err := now.Engine.Skip(ctx, req)
	if err == nil {
		say(req.To + " has all of the traffic")
	}
	return done.Notices, err
}
