package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
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
			"**the next `terraform apply` plans to move the traffic forward again.** Change the version, or `deployment_id`, back as well; until then do not apply. " +
			"From the first deployment behind an adopted rule, before it has all of the traffic for good, the rule leads again to what it led to before, and nothing is main. " +
			"In the middle of a canary of a later one, what it leaves is remembered: plans warn, and leave the traffic where it is, until another deployment is asked for, or `retry_token` changes. " +
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
	ctx, cancel := session.Limited(ctx, config.Timeout)
	defer cancel()
	now := goingBack{a.Act(req, resp)}
	back, theirs := now.rollback(ctx, config)
	if resp.Diagnostics.HasError() {
		return
	}
	back.Progress = lines.Say
	if theirs != "" {
		if _, err := a.Engine.Undo(ctx, back); err != nil {
			now.Fail(err)
			return
		}
		lines.Say(fmt.Sprintf("the rule of %s/%s leads to %s again, as before; nothing is main", back.Service.Namespace, back.Service.Application, theirs))
		return
	}
	if err := address.Warm(ctx, a.Engine, back.PromoteRequest); err != nil {
		now.Fail(err)
		return
	}
	done, err := a.Engine.GoBack(ctx, back)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		now.Fail(err)
		return
	}
	lines.Say(fmt.Sprintf("%s/%s is back on %s", back.Service.Namespace, back.Service.Application, back.To))
}

// goingBack is one invocation.
type goingBack struct{ session.Invocation }

// rollback asks for what lives, with another deployment behind it; or with what an adopted
// rule led to before, which theirs says then.
func (a goingBack) rollback(ctx context.Context, config actionModel) (req rollout.GoBackRequest, theirs string) {
	namespace, application := config.Namespace.ValueString(), config.Application.ValueString()
	clusters, named := a.ClustersOf(ctx, config.Clusters)
	id := attrs.MainID(namespace, application)
	var there []observe.Main
	for _, o := range observe.Mains(ctx, clusters, namespace, application, "") {
		switch {
		case o.Err != nil:
			a.Fail(o.Err)
		case o.Main == nil && !named:
		case o.Main == nil || o.Service == nil:
			a.missing(o, id)
		default:
			there = append(there, o)
		}
	}
	living := address.LivingOf(namespace, application, there)
	req = living.Request
	for _, cluster := range living.Unlike {
		a.Diags().AddAttributeError(path.Root("clusters"), "Clusters are not alike",
			fmt.Sprintf("The main deployment of %s on cluster %q has other settings, or another owner, than on cluster %q. Traffic was not touched. "+
				"Name in `clusters` those to go back on together, and invoke the action again for the others.", id, cluster, living.Standings[0].Cluster))
	}
	if len(living.Standings) == 0 && !a.Diags().HasError() {
		a.missing(observe.Main{}, id)
	}
	if a.Diags().HasError() {
		return req, ""
	}
	req.To, theirs = a.rollbackTo(config.DeploymentID, id, living.Standings)
	for _, c := range clusters {
		if _, ok := req.Was[c.Name()]; ok {
			req.Clusters = append(req.Clusters, c)
		}
	}
	req.Clusters = a.Allowed(ctx, req.Clusters, session.ToPromote(req.Service, false).And(req.Route))
	return req, theirs
}

// rollbackTo is the deployment to go back to; or the one that is taken back, where the
// traffic goes back to what an adopted rule led to before, which theirs says then.
func (a goingBack) rollbackTo(deploymentID types.String, id string, standings []release.MainOn) (to, theirs string) {
	if attrs.Known(deploymentID) {
		to, _ := release.ParseID(deploymentID.ValueString()) // checked before
		return to.Name, ""
	}
	to, theirs, err := release.Undo(id, standings)
	if err == nil && theirs == "" {
		to, err = release.GoBack(id, standings)
	}
	if err != nil {
		a.Fail(err)
	}
	return to, theirs
}

// missing tells that there is no address to move.
func (a goingBack) missing(o observe.Main, id string) {
	where := "any cluster"
	if o.Cluster != "" {
		where = fmt.Sprintf("cluster %q", o.Cluster)
	}
	what := "There is no main deployment of " + id + " on " + where + "."
	if o.Main != nil {
		what = fmt.Sprintf("The Service %s of the main deployment of %s is gone from %s; its settings with it.", o.Main.Service, id, where)
	}
	a.Diags().AddAttributeError(path.Root("application"), "No main deployment", what+" Apply its switchback_main_deployment.")
}
