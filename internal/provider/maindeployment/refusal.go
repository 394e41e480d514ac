package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// warnOfRefusal tells at plan that the apply will be refused, because the
// deployment was main already and did not pass its bake. It is no error: the
// rest of the plan may be meant.
func (r *mainDeploymentResource) warnOfRefusal(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() || req.State.Raw.IsNull() {
		return
	}
	var plan, state model
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	quiet.Append(req.State.Get(ctx, &state)...)
	id, err := release.ParseID(plan.DeploymentID.ValueString())
	if err != nil || quiet.HasError() || plan.DeploymentID.Equal(state.DeploymentID) || plan.RetryToken.IsUnknown() || !attrs.WhollyKnown(ctx, plan.Clusters) {
		return
	}
	targets, _, readable := r.Readable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	for _, o := range observe.Mains(ctx, targets, plan.Namespace.ValueString(), plan.Application.ValueString(), "") {
		now, _ := o.Split.Stable()
		if o.Err != nil || o.Main == nil || now == id.Name || !o.Main.Breach.Refuses(id.Name, plan.RetryToken.ValueString()) {
			continue
		}
		summary, detail, _ := explain.Of(&release.TakenBackError{Cluster: o.Cluster, ID: id, Breach: *o.Main.Breach})
		resp.Diagnostics.AddAttributeWarning(path.Root("deployment_id"), summary, "The apply of this plan will be refused. "+detail)
		return
	}
}
