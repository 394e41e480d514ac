package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var _ fastpath.Settler = (*mainDeploymentResource)(nil)

// Settled is planMainDeployment, and what follows it, for a plan whose inputs are those
// of the state.
func (r *mainDeploymentResource) Settled(ctx context.Context, u fastpath.Unchanged) bool {
	config, state := newModel(), newModel()
	if r.Session == nil || !u.Config.Into(ctx, mainDeploymentTypes(), &config) || !u.State.Into(ctx, mainDeploymentTypes(), &state) {
		return false
	}
	p := planning{ctx: ctx, resp: new(resource.ModifyPlanResponse), config: config, plan: state, state: &state}
	if p.address(r.Configured); len(p.resp.Diagnostics) > 0 {
		return false
	}
	p.mayEndOtherwise()
	if !fastpath.Same(&p.plan, &state) || !session.MarkApplication(u.Private, state.Namespace, state.Application) {
		return false
	}
	dns := dnsPlanning{ctx: ctx, diags: &p.resp.Diagnostics, plan: state, state: &state}
	return dns.records().Equal(state.DNSRecords) && len(p.resp.Diagnostics) == 0 && len(r.point(ctx, &state)) == 0
}
