package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// warnOfColdStarts tells at plan where the release that is going to be created
// is retained without pods: going back to it takes as long as they take to start.
func (r *deploymentResource) warnOfColdStarts(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() || !req.State.Raw.IsNull() && len(resp.RequiresReplace) == 0 {
		return
	}
	var plan deploymentModel
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || !attrs.WhollyKnown(ctx, plan.Clusters) || quiet.HasError() || desiredOf(&plan) == release.DesiredStopped {
		return
	}
	names := attrs.Decode[[]string](ctx, &quiet, plan.Clusters)
	targets, _, readable := r.Readable(names, &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, session.LookPatience)
	defer cancel()
	for _, standing := range r.Engine.Standings(ctx, targets, id) {
		if standing.Record.Cold() {
			resp.Diagnostics.AddWarning("Going back will be a cold start",
				fmt.Sprintf("%s is retained on cluster %q without pods. Its pods are started again first, and traffic moves when all of them are ready. "+
					"With `keep_previous = { state = %q }` of the main deployment, what is retained keeps running, and going back takes seconds.",
					id, standing.Cluster, release.DesiredStarted))
		}
	}
}
