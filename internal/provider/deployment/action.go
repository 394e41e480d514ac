package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ action.ActionWithConfigure      = (*deploymentAction)(nil)
	_ action.ActionWithValidateConfig = (*deploymentAction)(nil)
	_ action.ActionWithModifyPlan     = (*deploymentAction)(nil)
)

// deploymentAction asks one thing of a deployment that is there.
type deploymentAction struct {
	*session.Session
	verb release.Action
	what string // it does
	then string // what that means for the next apply
	run  func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)
}

// NewRestartAction is switchback_restart.
func NewRestartAction() action.Action {
	return &deploymentAction{
		verb: release.ActionRestart, run: (*rollout.Engine).Restart,
		what: "Replaces the pods of a deployment, a few at a time and never below the number that it has. It ends when all pods are new and ready. " +
			"Where the new ones do not become ready, the old ones stay.",
		then: "after a restart, nothing is planned. To have it in the configuration, change `restart_triggers` of the `switchback_deployment` instead.",
	}
}

// NewStopAction is switchback_stop.
func NewStopAction() action.Action {
	return &deploymentAction{
		verb: release.ActionStop, run: (*rollout.Engine).Stop,
		what: "Scales a deployment to zero, and keeps everything else of it, also how many pods it had. It ends when the pods are gone. " +
			"A deployment that carries traffic is refused, on all clusters.",
		then: "the next apply starts the deployment again. To keep it stopped, set `desired_state = \"stopped\"` in the `switchback_deployment`.",
	}
}

// NewStartAction is switchback_start.
func NewStartAction() action.Action {
	return &deploymentAction{
		verb: release.ActionStart, run: (*rollout.Engine).Start,
		what: "Brings a stopped deployment back to the number of pods that it had. It ends when they are healthy. It also resumes one whose start was cancelled or failed.",
		then: "the next apply stops the deployment again where `desired_state` of the `switchback_deployment` is `\"stopped\"`.",
	}
}

// NewCancelAction is switchback_cancel.
func NewCancelAction() action.Action {
	return &deploymentAction{
		verb: release.ActionCancel, run: (*rollout.Engine).Cancel,
		what: "Gives up the start of a deployment, wherever the run is that is at it: that run ends as after a Ctrl-C, the deployment is scaled down and has the status `cancelled`. " +
			"What a run that died has left is cancelled too. Anything but a start is refused.",
		then: "the next apply resumes the deployment in place.",
	}
}

// deploymentActionModel is their configuration.
type deploymentActionModel struct {
	DeploymentID types.String `tfsdk:"deployment_id"`
	Clusters     types.Set    `tfsdk:"clusters"`
	Reason       types.String `tfsdk:"reason"`
	Timeout      types.String `tfsdk:"timeout"`
}

func (a *deploymentAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + string(a.verb)
}

func (a *deploymentAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: a.what + session.ActionNeeds + a.then,
		Attributes: map[string]schema.Attribute{
			"deployment_id": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The `id` of the deployment, such as `shop/api-7f3c9a1e`: of a `switchback_deployment`, or of one that is kept for going back.",
			},
			"clusters": session.ActionClusters("all on which the deployment is."),
			"reason":   session.ActionReason(),
			"timeout":  session.ActionTimeout(),
		},
	}
}

func (a *deploymentAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig says early what could only fail later.
func (a *deploymentAction) ValidateConfig(ctx context.Context, req action.ValidateConfigRequest, resp *action.ValidateConfigResponse) {
	var config deploymentActionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), config.DeploymentID, types.StringNull(), types.StringNull())...)
	}
}

// ModifyPlan refuses clusters that are not configured.
func (a *deploymentAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config deploymentActionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.PlanActionClusters(config.Clusters)...)
	}
}

// Invoke does it, and tells how far it is.
func (a *deploymentAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config deploymentActionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), config.DeploymentID, types.StringNull(), types.StringNull())...)
	if resp.Diagnostics.HasError() {
		return
	}
	lines := session.NewStream(resp.SendProgress)
	defer lines.End(ctx)
	ctx, cancel := session.Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	now := a.Act(req, resp)
	id, _ := release.ParseID(config.DeploymentID.ValueString()) // checked above
	on := whereIs(ctx, now, id, config.Clusters)
	if resp.Diagnostics.HasError() {
		return
	}
	on = now.Allowed(ctx, on, session.ToAct(id))
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := a.run(a.Engine, ctx, rollout.ActionRequest{ID: id, Clusters: on, Progress: lines.Say})
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		now.Fail(err)
	}
}

// whereIs finds the clusters on which a deployment is, or takes those that are
// named. One that cannot be read may have it: then it has to be said.
func whereIs(ctx context.Context, a session.Invocation, id release.ID, set types.Set) []rollout.Cluster {
	clusters, named := a.ClustersOf(ctx, set)
	if named || a.Diags().HasError() {
		return clusters
	}
	var found []rollout.Cluster
	var diags diag.Diagnostics
	for i, o := range observe.Releases(ctx, clusters, id) {
		switch {
		case o.Err != nil:
			explain.Error(&diags, fmt.Errorf("it cannot be told whether %s is on cluster %q; name in `clusters` those to act on: %w", id, o.Cluster, o.Err))
		case o.Exists():
			found = append(found, clusters[i]) // both are in the order of the names
		}
	}
	if len(found) == 0 && !diags.HasError() {
		diags.AddAttributeError(path.Root("deployment_id"), "No such deployment", fmt.Sprintf("There is no deployment %s on any cluster.", id))
	}
	a.Tell(diags)
	return found
}
