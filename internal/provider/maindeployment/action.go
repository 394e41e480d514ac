package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// mainAction is what actions on a main deployment have in common.
type mainAction struct{ *session.Session }

// actionModel is the configuration of such an action.
type actionModel struct {
	Namespace    types.String `tfsdk:"namespace"`
	Application  types.String `tfsdk:"application"`
	DeploymentID types.String `tfsdk:"deployment_id"`
	Clusters     types.Set    `tfsdk:"clusters"`
	Reason       types.String `tfsdk:"reason"`
	Timeout      types.String `tfsdk:"timeout"`
}

// actionAttributes are its attributes. deployment says what `deployment_id` is for.
func actionAttributes(deployment string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"namespace": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Kubernetes namespace.",
			Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
		},
		"application": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name of the application. It must have a `switchback_main_deployment`.",
			Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
		},
		"deployment_id": schema.StringAttribute{Optional: true, MarkdownDescription: deployment},
		"clusters":      session.ActionClusters("all on which the application has a main deployment."),
		"reason":        session.ActionReason(),
		"timeout":       session.ActionTimeout(),
	}
}

func (a *mainAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig says early what could only fail later.
func (a *mainAction) ValidateConfig(ctx context.Context, req action.ValidateConfigRequest, resp *action.ValidateConfigResponse) {
	var config actionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), config.DeploymentID, config.Namespace, config.Application)...)
}

// ModifyPlan refuses clusters that are not configured.
func (a *mainAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config actionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.PlanActionClusters(config.Clusters)...)
	}
}
