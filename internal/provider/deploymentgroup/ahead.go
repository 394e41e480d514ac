package deploymentgroup

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// lookAhead tells what the apply would meet on the clusters: of each member whose
// address changes.
func (r *deploymentGroupResource) lookAhead(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	var plan, state model
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &plan)...)
	held := map[string]address.Model{} // by id
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		held = state.allHeld(ctx, &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() || plan.Members.IsUnknown() {
		return
	}
	members := plan.members(ctx, &resp.Diagnostics)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		planned := plan.address(members[name])
		a := address.Ahead{Session: r.Session, Place: explain.Member(name), Planned: &planned, Diags: &resp.Diagnostics}
		if prior, holds := held[planned.ID.ValueString()]; holds {
			if prior.Traffic.Equal(planned.Traffic) && prior.DeploymentID.Equal(planned.DeploymentID) && prior.Clusters.Equal(planned.Clusters) {
				continue
			}
			a.Prior = &prior
		}
		a.Look(ctx)
	}
}
