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
	_ action.ActionWithConfigure      = (*rollbackAction)(nil)
	_ action.ActionWithValidateConfig = (*rollbackAction)(nil)
	_ action.ActionWithModifyPlan     = (*rollbackAction)(nil)
)

type rollbackAction struct{ mainAction }

// NewRollbackAction is switchback_rollback.
func NewRollbackAction() action.Action { return &rollbackAction{} }

func (a *rollbackAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_rollback"
}

func (a *rollbackAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Moves an application's traffic back, to the deployment that was main before or to a named one, with the settings that the address has. " +
			"It starts the deployment where it was stopped, makes sure that it is ready on every cluster, verifies the switch, and takes it back where it fails, as an apply does." + session.ActionNeeds +
			"what it leaves is remembered: plans warn, say who asked for it, and leave the traffic where it is, until another deployment is asked for, or `retry_token` changes. " +
			"Change the version, or `deployment_id`, back as well. " +
			"From the first deployment behind an adopted rule, before it has all of the traffic for good, the rule leads again to what it led to before, and nothing is main. " +
			"Without haste, changing the version back and applying does the same, and leaves nothing to do.",
		Attributes: actionAttributes("The `id` of the deployment to go back to, such as `shop/api-7f3c9a1e`; it must still be there. " +
			"Default: the one that was main before, where all clusters agree on it."),
	}
}

// Invoke moves main back.
func (a *rollbackAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
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
	now := goingBack{a.Act(req, resp)}
	back := now.rollback(ctx, config)
	if resp.Diagnostics.HasError() {
		return
	}
	back.Progress = lines.Say
	done, err := a.Engine.TakeBack(ctx, back)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		now.Fail(err)
		return
	}
	lines.Say(back.Ends())
}

// goingBack is one invocation.
type goingBack struct{ session.Invocation }

// rollback asks for what lives, with another deployment behind it; or with what an adopted
// rule led to before.
func (a goingBack) rollback(ctx context.Context, config actionModel) rollout.WayBack {
	req := rollout.WayBackRequest{Namespace: config.Namespace.ValueString(), Application: config.Application.ValueString()}
	if attrs.Known(config.DeploymentID) {
		to, _ := release.ParseID(config.DeploymentID.ValueString()) // checked before
		req.To = to.Name
	}
	req.Clusters, req.Named = a.ClustersOf(ctx, config.Clusters)
	if a.Diags().HasError() {
		return rollout.WayBack{}
	}
	back, err := rollout.WayBackOf(ctx, req)
	if err != nil {
		a.Fail(err)
		return back
	}
	back.Clusters = a.Allowed(ctx, back.Clusters, session.ToPromote(back.Service, false).And(back.Route))
	return back
}
