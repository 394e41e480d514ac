package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
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
	ctx, cancel := session.Limited(ctx, config.Timeout)
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

// resume asks for what is paused. A cluster that cannot be read may have it: then it has
// to be said which to act on.
func (a goingOn) resume(ctx context.Context, config actionModel) rollout.ResumeRequest {
	req := rollout.ResumeRequest{Namespace: config.Namespace.ValueString(), Application: config.Application.ValueString()}
	id := attrs.MainID(req.Namespace, req.Application)
	if attrs.Known(config.DeploymentID) {
		to, _ := release.ParseID(config.DeploymentID.ValueString()) // checked before
		req.To = to.Name
	}
	clusters, named := a.ClustersOf(ctx, config.Clusters)
	if a.Diags().HasError() {
		return req
	}
	for i, o := range observe.Mains(ctx, clusters, req.Namespace, req.Application, "") { // both in the order of the names
		switch {
		case o.Err != nil:
			a.Fail(fmt.Errorf("it cannot be told whether a promotion of %s is paused on cluster %q; name in `clusters` those to act on: %w", id, o.Cluster, o.Err))
		case o.Main == nil && a.inPlace(ctx, clusters[i], req):
			req.Clusters = append(req.Clusters, clusters[i])
		case a.Diags().HasError():
		case o.Main == nil && named:
			a.Diags().AddAttributeError(path.Root("application"), "No main deployment", fmt.Sprintf("There is no main deployment of %s on cluster %q. Nothing was written. Apply its switchback_main_deployment.", id, o.Cluster))
		case o.Main != nil:
			req.Clusters = append(req.Clusters, clusters[i])
		}
	}
	if len(req.Clusters) == 0 && !a.Diags().HasError() {
		a.Diags().AddAttributeError(path.Root("application"), "No main deployment", fmt.Sprintf("There is no main deployment of %s on any cluster. Nothing was written. Apply its switchback_main_deployment.", id))
	}
	if !a.Diags().HasError() {
		req.Clusters = a.Allowed(ctx, req.Clusters, session.ToAsk(req.Namespace))
	}
	return req
}

// inPlace says that a deployment whose content changes in place is there, which needs no main
// deployment, and that it may be meant.
func (a goingOn) inPlace(ctx context.Context, c rollout.Cluster, req rollout.ResumeRequest) bool {
	id := release.ID{Namespace: req.Namespace, Name: release.InPlaceName(req.Application)}
	if req.To != "" && req.To != id.Name {
		return false
	}
	o := observe.Releases(ctx, []rollout.Cluster{c}, id)[0]
	if o.Err != nil {
		a.Fail(fmt.Errorf("it cannot be told whether %s is paused on cluster %q; name in `clusters` those to act on: %w", id, o.Cluster, o.Err))
	}
	return o.Record != nil
}
