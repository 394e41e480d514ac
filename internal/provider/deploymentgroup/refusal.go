package deploymentgroup

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// warnOfRefusals tells at plan of each member's deployment that the apply will refuse.
func (r *deploymentGroupResource) warnOfRefusals(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
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
	if quiet.HasError() || plan.Members.IsUnknown() {
		return
	}
	held := map[string]address.Model{}
	if !isNew {
		held = state.allHeld(ctx, &quiet)
	}
	members := plan.members(ctx, &quiet)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		a := plan.address(members[name])
		prior, holds := held[a.ID.ValueString()]
		oneCluster := !prior.Refused.IsNull() && !resp.Plan.Raw.Equal(req.State.Raw) // has left it alone
		if holds && (oneCluster || !prior.DeploymentID.Equal(a.DeploymentID)) || !holds && a.AdoptsRule(ctx) {
			a.WarnOfRefusal(ctx, r.Session, explain.Member(name), &resp.Diagnostics)
		}
	}
}
