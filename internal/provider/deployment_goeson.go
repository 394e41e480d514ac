package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// tellGoesOn tells at plan that a release to which a promotion went back stays: the
// plan shows it as created, and a deposed object of it as destroyed, while it has all
// traffic.
func (r *deploymentResource) tellGoesOn(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || !session.Creates(req, resp) {
		return
	}
	var plan deploymentModel
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || quiet.HasError() || !attrs.WhollyKnown(ctx, plan.Clusters) || desiredOf(&plan) == release.DesiredStopped {
		return
	}
	targets, _, readable := r.Readable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, session.LookPatience)
	defer cancel()
	for _, name := range r.Engine.GoesOn(ctx, targets, id, plan.Application.ValueString()) {
		resp.Diagnostics.AddWarning(rollout.GoesOnSummary, rollout.GoesOnDetail(name, id))
	}
}
