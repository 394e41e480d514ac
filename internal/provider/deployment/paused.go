package deployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// warnOfPause tells at plan that somebody has paused a Deployment whose pods the plan
// replaces in place: Kubernetes makes none of the new ones. It may go on by the apply.
func (r *deploymentResource) warnOfPause(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if resp.Diagnostics.HasError() || req.State.Raw.IsNull() || session.Creates(req, resp) || desiredOf(plan) == release.DesiredStopped || !attrs.WhollyKnown(ctx, plan.Clusters) {
		return
	}
	var (
		quiet diag.Diagnostics // whatever is wrong here is told elsewhere
		state model
	)
	quiet.Append(req.State.Get(ctx, &state)...)
	id, err := release.ParseID(state.ID.ValueString())
	if quiet.HasError() || err != nil || plan.ContentHash.Equal(state.ContentHash) && !plan.restarts(&state) {
		return
	}
	clusters := r.Reachable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters))
	look, cancel := r.Looking(ctx)
	defer cancel()
	for _, o := range observe.Releases(look, clusters, id) {
		if o.Workload == nil || !o.Workload.Spec.Paused {
			continue
		}
		by, manager := "somebody (Kubernetes has not recorded who)", workload.ManagerOf("spec.paused", o.Workload)
		if o.Record != nil && o.Record.Roll != nil && manager == release.FieldManager {
			continue // by us, at a stop of a change, which the apply goes on with
		}
		if manager != release.FieldManager {
			by = fmt.Sprintf("the field manager %q", mask.Redact(manager))
		}
		resp.Diagnostics.AddWarning("Deployment is paused",
			fmt.Sprintf("On cluster %q, the Deployment %s is paused by %s. Kubernetes makes no pods of another content until it goes on, so the apply of this plan will fail there. "+
				"Ask who paused it, and let it go on before the apply:\n  kubectl --namespace %s rollout resume deployment/%s", o.Cluster, id, by, id.Namespace, id.Name))
	}
}
