package deployment

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// warnOfColdStarts tells at plan where the release that is going to be created
// is retained without pods: going back to it takes as long as they take to start.
func (r *deploymentResource) warnOfColdStarts(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !session.Creates(req, resp) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || !attrs.WhollyKnown(ctx, plan.Clusters) || desiredOf(plan) == release.DesiredStopped {
		return
	}
	names := attrs.Decode[[]string](ctx, &quiet, plan.Clusters)
	targets, _, readable := r.Readable(names, &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	for _, standing := range observe.Records(ctx, targets, id) {
		if standing.Record.Cold() {
			resp.Diagnostics.AddWarning("Going back will be a cold start",
				fmt.Sprintf("%s is retained on cluster %q without pods. Its pods are started again first, and traffic moves when all of them are ready. "+
					"With `keep_previous = { state = %q }` of the main deployment, what is retained keeps running, and going back takes seconds.",
					id, standing.Cluster, release.DesiredStarted))
		}
	}
}

// tellGoesOn tells at plan that a release to which a promotion went back stays: the
// plan shows it as created, and a deposed object of it as destroyed, while it has all
// traffic.
func (r *deploymentResource) tellGoesOn(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !session.Creates(req, resp) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || !attrs.WhollyKnown(ctx, plan.Clusters) || desiredOf(plan) == release.DesiredStopped {
		return
	}
	targets, _, readable := r.Readable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	for _, name := range observe.CameBack(ctx, targets, id, plan.Application.ValueString()) {
		resp.Diagnostics.AddWarning(rollout.GoesOnSummary, rollout.GoesOnDetail(name, id))
	}
}

// warnOfSelection tells at plan which Services would send traffic to the pods of
// a release that is going to be created, before it is main. The apply refuses it:
// until then, the Services may have changed.
func (r *deploymentResource) warnOfSelection(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !session.Creates(req, resp) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	id, err := release.ParseID(plan.ID.ValueString())
	if err != nil || !attrs.WhollyKnown(ctx, plan.Clusters) || !attrs.WhollyKnown(ctx, plan.IgnoreServices) || !attrs.WhollyKnown(ctx, plan.AllowSelectedBy) {
		return
	}
	spec, more := plan.spec(ctx)
	quiet.Append(more...)
	names := attrs.Decode[[]string](ctx, &quiet, plan.Clusters)
	targets, _, readable := r.Readable(names, &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	for _, found := range r.Engine.Selections(ctx, targets, spec) {
		if len(found.Selecting) > 0 {
			resp.Diagnostics.AddAttributeWarning(path.Root("allow_selected_by"), "Deployment would get traffic before it is main",
				fmt.Sprintf("On cluster %q, the pods of %s would get the traffic of the Service %s of namespace %s as soon as they are ready. The apply refuses that. "+
					"Let the Service select something else, or change `labels`; name it in `allow_selected_by` where it is meant to reach this deployment, and in `ignore_services` where it is no traffic.",
					found.Cluster, id, strings.Join(rollout.Names(found.Selecting), ", "), id.Namespace))
			continue
		}
		resp.Diagnostics.AddWarning(rollout.NamelessSummary, rollout.NamelessDetail(found.Cluster, id, found.Avoided))
	}
}
