package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// tellTwin refuses what is planned to have the deployment of another resource. Where
// both have had it before this run, nothing is made worse: a warning says so, and what
// else is planned goes on, be it a destroy.
func (r *deploymentResource) tellTwin(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var prior *model
	if !req.State.Raw.IsNull() {
		prior = new(model)
		resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	at, says := path.Root("triggers"), session.TwinsBeside(plan.ID.ValueString(), plan.inPlace())
	if plan.inPlace() {
		at = path.Root("application")
	}
	switch r.hold(ctx, plan, prior) {
	case session.NewTwin:
		resp.Diagnostics.AddAttributeError(at, session.TwinsSummary, says)
	case session.HeldTwin:
		resp.Diagnostics.AddAttributeWarning(at, session.TwinsSummary, says)
	case session.NoTwin:
	}
}

// hold notes which deployment a resource is planned to have; prior is nil where it has
// none. What is not known yet is nobody's: it is found when it is planned again before
// it is made.
func (r *deploymentResource) hold(ctx context.Context, plan, prior *model) session.Twin {
	if !attrs.Known(plan.ID) || !attrs.WhollyKnown(ctx, plan.Clusters) || prior != nil && !attrs.Known(prior.Owner) {
		return session.NoTwin
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	one := session.Holder{Deployment: plan.ID.ValueString(), Clusters: r.Resolve(plan.clusterNames(ctx, &quiet), &quiet), Makes: true}
	if prior != nil {
		one.Owner, one.Makes = prior.Owner.ValueString(), !prior.ID.Equal(plan.ID)
	}
	return r.Holders.Hold(one)
}
