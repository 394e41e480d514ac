package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// warnOfRefusal tells at plan of a deployment that the apply will refuse.
func (r *mainDeploymentResource) warnOfRefusal(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() {
		return
	}
	var plan, state model
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	isNew := req.State.Raw.IsNull()
	if !isNew {
		quiet.Append(req.State.Get(ctx, &state)...)
	}
	if quiet.HasError() {
		return
	}
	oneCluster := !state.Refused.IsNull() && !resp.Plan.Raw.Equal(req.State.Raw) // has left it alone
	if isNew && plan.AdoptsRule(ctx) || !isNew && (oneCluster || !plan.DeploymentID.Equal(state.DeploymentID)) {
		plan.WarnOfRefusal(ctx, r.Session, explain.Place{}, &resp.Diagnostics)
	}
}
