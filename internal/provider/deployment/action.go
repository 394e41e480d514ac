package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
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

// deploymentAction asks one thing of a deployment that is there, or of an application as a
// whole.
type deploymentAction struct {
	*session.Session
	verb release.Action
	what string // it does
	then string // what that means for the next apply
	ends string // how it has ended
	way  session.Way

	run func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)

	// ofApplication is what it does to an application; nil: it acts on a deployment only.
	ofApplication func(ctx context.Context, a *deploymentAction, asked rollout.WayBackRequest) (session.Deed, error)
}

// NewRestartAction is switchback_restart.
func NewRestartAction() action.Action {
	return &deploymentAction{
		verb: release.ActionRestart, run: (*rollout.Engine).Restart, ofApplication: restarting, way: session.Onwards, ends: "it has been restarted",
		what: "Replaces the pods of a deployment, a few at a time and never below the number that it has. It ends when all pods are new and ready. " +
			"Where the new ones do not become ready, the old ones stay. Of an application, these are the pods of its main deployment.",
		then: "after a restart, nothing is planned. To have it in the configuration, change `restart_triggers` of the `switchback_deployment` instead.",
	}
}

// NewStopAction is switchback_stop.
func NewStopAction() action.Action {
	return &deploymentAction{
		verb: release.ActionStop, run: (*rollout.Engine).Stop, ofApplication: resting(release.DesiredStopped), way: session.Backwards, ends: "it is stopped",
		what: "Scales a deployment to zero, and keeps everything else of it, also how many pods it had. It ends when the pods are gone. " +
			"A deployment that carries traffic is refused, on all clusters.\n\n" +
			"Of an application, the pods of all its deployments go, also of the one with the traffic, and its address stays: what `desired_state = \"stopped\"` of its `switchback_main_deployment` does.",
		then: "what is stopped stays so until `switchback_start`: plans say who has stopped it and why, and applies change everything else of it. " +
			"A deployment is started, too, when it is made main.",
	}
}

// NewStartAction is switchback_start.
func NewStartAction() action.Action {
	return &deploymentAction{
		verb: release.ActionStart, run: (*rollout.Engine).Start, ofApplication: resting(release.DesiredStarted), way: session.Onwards, ends: "it is started",
		what: "Brings a stopped deployment back to the number of pods that it had. It ends when they are healthy. It also resumes one whose start was cancelled or failed. " +
			"Of an application, these are all the pods that it had before it was stopped.",
		then: "the next apply stops the deployment again where `desired_state` of the `switchback_deployment` is `\"stopped\"`, and the application where that of the `switchback_main_deployment` is.",
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

func (a *deploymentAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + string(a.verb)
}

func (a *deploymentAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	deployment := schema.StringAttribute{MarkdownDescription: "The `id` of the deployment, such as `shop/api-7f3c9a1e`: of a `switchback_deployment`, or of one that is kept for going back."}
	all := map[string]schema.Attribute{
		"clusters": session.ActionClusters("all on which the deployment is."),
		"reason":   session.ActionReason(),
		"timeout":  session.ActionTimeout("it"),
	}
	if a.ofApplication == nil {
		deployment.Required = true
	} else {
		all = session.ActionAttributes("It must have a `switchback_main_deployment`.", "all on which the deployment is, or the application has a main deployment.")
		namespace := all["namespace"].(schema.StringAttribute)
		namespace.Required, namespace.Optional = false, true
		namespace.MarkdownDescription = "In place of `deployment_id`: the Kubernetes namespace of one application, or of several."
		all["namespace"] = namespace
		deployment.Optional = true
	}
	all["deployment_id"] = deployment
	resp.Schema = schema.Schema{MarkdownDescription: a.what + session.ActionNeeds + a.then, Attributes: all}
}

func (a *deploymentAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// read is the configuration, of which it says early what could only fail later.
func (a *deploymentAction) read(ctx context.Context, from tfsdk.Config, diags *diag.Diagnostics) session.ActionConfig {
	config := session.ActionConfigOf(ctx, from, diags)
	diags.Append(config.CheckOneWay()...)
	return config
}

// ValidateConfig says early what could only fail later.
func (a *deploymentAction) ValidateConfig(ctx context.Context, req action.ValidateConfigRequest, resp *action.ValidateConfigResponse) {
	a.read(ctx, req.Config, &resp.Diagnostics)
}

// ModifyPlan refuses clusters that are not configured, too.
func (a *deploymentAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	if config := a.read(ctx, req.Config, &resp.Diagnostics); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.PlanActionClusters(config.Clusters)...)
	}
}

// Invoke does it, and tells how far it is.
func (a *deploymentAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	config := a.read(ctx, req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	now := a.Act(req, resp)
	if config.DeploymentID.IsNull() {
		now.Do(ctx, config, a.way, func(ctx context.Context, asked rollout.WayBackRequest) (session.Deed, error) {
			return a.ofApplication(ctx, a, asked)
		})
		return
	}
	now.DoOne(ctx, config, func(ctx context.Context) (session.Deed, error) {
		id, _ := release.ParseID(config.DeploymentID.ValueString()) // checked above
		return a.ofDeployment(rollout.ActionRequest{ID: id, Clusters: whereIs(ctx, now, id, config.Clusters)}), nil
	})
}

// ofDeployment is what it does to a deployment.
func (a *deploymentAction) ofDeployment(req rollout.ActionRequest) session.Deed {
	return session.Deed{
		On: req.Clusters, Need: session.ToAct(req.ID),
		Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
			req.Progress = say
			done, err := a.run(a.Engine, ctx, req)
			return a.ends, done.Notices, err
		},
	}
}

// restarting restarts an application's main deployment.
func restarting(ctx context.Context, a *deploymentAction, asked rollout.WayBackRequest) (session.Deed, error) {
	req, err := rollout.RestartOf(ctx, asked)
	return a.ofDeployment(req), err
}

// resting stops an application as a whole, or starts it.
func resting(desired release.DesiredState) func(context.Context, *deploymentAction, rollout.WayBackRequest) (session.Deed, error) {
	return func(ctx context.Context, a *deploymentAction, asked rollout.WayBackRequest) (session.Deed, error) {
		req, err := rollout.RestOf(ctx, asked, desired)
		return session.Deed{
			On: req.Clusters, Need: session.ToPromote(req.Service, false).And(req.Route),
			Do: func(ctx context.Context, say func(string)) (string, []rollout.Notice, error) {
				req.Progress = say
				done, err := a.Engine.GoBack(ctx, req)
				return a.ends, done.Notices, err
			},
		}, err
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
