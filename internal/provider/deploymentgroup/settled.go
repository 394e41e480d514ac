package deploymentgroup

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var _ fastpath.Settler = (*deploymentGroupResource)(nil)

// Settled is planDeploymentGroup, and what follows it, for a plan whose inputs are those
// of the state.
func (r *deploymentGroupResource) Settled(ctx context.Context, u fastpath.Unchanged) bool {
	var config, state model
	if r.Session == nil || !u.Config.Into(ctx, deploymentGroupTypes(), &config) || !u.State.Into(ctx, deploymentGroupTypes(), &state) {
		return false
	}
	p := planning{ctx: ctx, resp: new(resource.ModifyPlanResponse), configured: r.Configured, config: config, plan: state, state: &state}
	if p.group(); p.resp.Diagnostics.HasError() {
		return false
	}
	p.members()
	if len(p.resp.Diagnostics) > 0 || !fastpath.Same(&p.plan, &state) || !session.MarkMembers(u.Private, p.addresses) {
		return false
	}
	r.point(ctx, &state, false, &p.resp.Diagnostics)
	return len(p.resp.Diagnostics) == 0
}
