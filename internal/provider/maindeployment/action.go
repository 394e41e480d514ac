package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ action.ActionWithConfigure      = (*mainAction)(nil)
	_ action.ActionWithValidateConfig = (*mainAction)(nil)
	_ action.ActionWithModifyPlan     = (*mainAction)(nil)
)

// mainAction asks one thing of an application's traffic, or of its promotion, whichever it is.
type mainAction struct {
	*session.Session
	name string
	what string // it does
	then string // what that means for the next apply
	way  session.Way

	application string // what it must have; empty: a main deployment
	deployment  string // what `deployment_id` is for; empty: it has none
	clusters    string // on which it acts where none is named; empty: where there is a main deployment

	find func(ctx context.Context, now session.Invocation, asked rollout.WayBackRequest) (session.Deed, error)
}

func (a *mainAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.name
}

func (a *mainAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	application, clusters := "It must have a `switchback_main_deployment`.", "all on which the application has a main deployment."
	if a.application != "" {
		application = a.application
	}
	if a.clusters != "" {
		clusters = a.clusters
	}
	all := session.ActionAttributes(application, clusters)
	if a.deployment != "" {
		all["deployment_id"] = schema.StringAttribute{Optional: true, MarkdownDescription: a.deployment}
	}
	resp.Schema = schema.Schema{MarkdownDescription: a.what + session.ActionNeeds + a.then, Attributes: all}
}

func (a *mainAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// read is the configuration, of which it says early what could only fail later.
func (a *mainAction) read(ctx context.Context, from tfsdk.Config, diags *diag.Diagnostics) session.ActionConfig {
	config := session.ActionConfigOf(ctx, from, diags)
	diags.Append(config.CheckApplications()...)
	diags.Append(config.CheckDeploymentOfOne()...)
	return config
}

// ValidateConfig says early what could only fail later.
func (a *mainAction) ValidateConfig(ctx context.Context, req action.ValidateConfigRequest, resp *action.ValidateConfigResponse) {
	a.read(ctx, req.Config, &resp.Diagnostics)
}

// ModifyPlan refuses clusters that are not configured, too.
func (a *mainAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	if config := a.read(ctx, req.Config, &resp.Diagnostics); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.PlanActionClusters(config.Clusters)...)
	}
}

// Invoke does it, and tells how far it is.
func (a *mainAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	config := a.read(ctx, req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	now := a.Act(req, resp)
	now.Do(ctx, config, a.way, func(ctx context.Context, asked rollout.WayBackRequest) (session.Deed, error) {
		return a.find(ctx, now, asked)
	})
}
