package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// decisive are the attributes by which a plan whose inputs are those of the state
// decides. The content is not among them: it has not changed.
var decisive = []string{
	"namespace", "application", "image", "version", "strategy", "replicas", "autoscaling", "desired_state",
	"clusters", "rollout", "health", "timeouts", "abandon_unreachable",
	"id", "name", "preview", "internal_url", "preview_url", "urls", "owner", "status", "status_reason", "drift", "cluster_status", "durations",
}

var _ fastpath.Settler = (*deploymentResource)(nil)

// Settled is planDeployment, and what follows it, for a plan whose inputs are those of
// the state: nothing is asked of a cluster for such a one.
func (r *deploymentResource) Settled(ctx context.Context, u fastpath.Unchanged) bool {
	config, state := newModel(), newModel()
	if r.Session == nil || !u.Config.Into(ctx, deploymentTypes(), &config, "version", "clusters") || !u.State.Into(ctx, deploymentTypes(), &state, decisive...) {
		return false
	}
	p := planning{ctx: ctx, resp: new(resource.ModifyPlanResponse), config: config, plan: state, state: &state}
	if p.defaults(r.Configured); p.resp.Diagnostics.HasError() {
		return false
	}
	p.update()
	if len(p.resp.Diagnostics) > 0 || !fastpath.Same(&p.plan, &state) {
		return false
	}
	if attrs.Known(state.ID) {
		r.Planned.Limit(state.ID.ValueString(), state.mostPods(ctx))
	}
	return session.MarkApplication(u.Private, state.Namespace, state.Application) &&
		session.MarkCompanions(u.Private, state.scale(ctx, &p.resp.Diagnostics)) &&
		(!attrs.Known(state.ID) || r.noteDesired(&state) == "") &&
		r.hold(ctx, &state, &state) == session.NoTwin
}
