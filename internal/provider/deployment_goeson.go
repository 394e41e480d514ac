package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// tellGoesOn tells at plan that a release to which a promotion went back stays: the
// plan shows it as created, and a deposed object of it as destroyed, while it has all
// traffic.
func (r *deploymentResource) tellGoesOn(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.session == nil || !creates(req, resp) {
		return
	}
	var plan deploymentModel
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || quiet.HasError() || !whollyKnown(ctx, plan.Clusters) || desiredOf(&plan) == release.DesiredStopped {
		return
	}
	targets, _, readable := r.readable(decode[[]string](ctx, &quiet, plan.Clusters), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	for _, name := range r.engine.GoesOn(ctx, targets, id, plan.Application.ValueString()) {
		resp.Diagnostics.AddWarning(rollout.GoesOnSummary, rollout.GoesOnDetail(name, id))
	}
}
