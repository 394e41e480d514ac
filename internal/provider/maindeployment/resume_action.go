package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ action.ActionWithConfigure      = (*resumeAction)(nil)
	_ action.ActionWithValidateConfig = (*resumeAction)(nil)
	_ action.ActionWithModifyPlan     = (*resumeAction)(nil)
)

type resumeAction struct{ mainAction }

// NewResumeAction is switchback_resume.
func NewResumeAction() action.Action { return &resumeAction{} }

func (a *resumeAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_resume"
}

func (a *resumeAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lets a promotion of an application, or a change of its deployment in place, go on from the pause that it is in: a `gate = \"manual\"` of `canary.steps` or of `rolling_update.pause_at`, or a pause that outlasted its apply. " +
			"It holds for this promotion or change, and this pause: the next gate asks again. One that waits at `canary.max_weight` is refused; where nothing is paused, nothing is written, and a warning says so." + session.ActionNeeds +
			"it moves no traffic, and makes no pods, itself. **The next `terraform apply` goes on**, with the configuration that it has then.",
		Attributes: resumeAttributes(),
	}
}

func resumeAttributes() map[string]schema.Attribute {
	all := actionAttributes("The `id` of the deployment whose promotion goes on, or whose content changes in place, such as `shop/api-7f3c9a1e`. Where the promotion to another one is under way by then, the action is refused. " +
		"Default: whichever is paused; where both are, it has to be said.")
	application := all["application"].(schema.StringAttribute)
	application.MarkdownDescription = "Name of the application. It must have a `switchback_main_deployment`, or a `switchback_deployment` whose content changes in place."
	all["application"] = application
	all["clusters"] = session.ActionClusters("all on which the application has one of these.")
	return all
}

// Invoke asks for it.
func (a *resumeAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config actionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), config.DeploymentID, config.Namespace, config.Application)...)
	if resp.Diagnostics.HasError() {
		return
	}
	lines := session.NewStream(resp.SendProgress)
	defer lines.End(ctx)
	ctx, cancel := session.Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	now := goingOn{a.Act(req, resp)}
	on := now.resume(ctx, config)
	if resp.Diagnostics.HasError() {
		return
	}
	on.Progress = lines.Say
	notices, err := a.Engine.Resume(ctx, on)
	explain.Notices(&resp.Diagnostics, notices, false)
	if err != nil {
		now.Fail(err)
	}
}

// goingOn is one invocation.
type goingOn struct{ session.Invocation }

// resume asks for what is paused.
func (a goingOn) resume(ctx context.Context, config actionModel) rollout.ResumeRequest {
	asked := rollout.WayBackRequest{Namespace: config.Namespace.ValueString(), Application: config.Application.ValueString()}
	if attrs.Known(config.DeploymentID) {
		to, _ := release.ParseID(config.DeploymentID.ValueString()) // checked before
		asked.To = to.Name
	}
	asked.Clusters, asked.Named = a.ClustersOf(ctx, config.Clusters)
	if a.Diags().HasError() {
		return rollout.ResumeRequest{}
	}
	req, err := rollout.ResumeOn(ctx, asked)
	if err != nil {
		a.Fail(err)
		return req
	}
	req.Clusters = a.Allowed(ctx, req.Clusters, session.ToAsk(req.Namespace))
	return req
}
