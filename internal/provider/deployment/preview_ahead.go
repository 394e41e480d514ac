package deployment

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// previewPath is where the preview is configured.
var previewPath = path.Root("preview")

// unserved is the attribute that a fault of the preview's route comes from, where the
// Gateway is the i-th of its parents.
func unserved(field string, i int) path.Path {
	if field == "hostnames" {
		return previewPath.AtName("hostname")
	}
	return attrs.ParentFaultPath(previewPath.AtName("parent_refs"), field, i)
}

// warnOfPreview tells at plan what keeps a preview that is new, or another one than
// before, from being served. The apply makes the deployment all the same.
func (r *deploymentResource) warnOfPreview(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if resp.Diagnostics.HasError() || plan.Preview.IsNull() || len(plan.unknownInputs(ctx)) > 0 || !attrs.WhollyKnown(ctx, plan.Preview) || !attrs.WhollyKnown(ctx, plan.Clusters) {
		return
	}
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	if !session.Creates(req, resp) {
		var state model
		quiet.Append(req.State.Get(ctx, &state)...)
		if quiet.HasError() || plan.Preview.Equal(state.Preview) {
			return
		}
	}
	spec, more := plan.spec(ctx)
	quiet.Append(more...)
	clusters := r.Reachable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters))
	preview := workload.Preview(spec)
	if quiet.HasError() || preview == nil {
		return
	}
	look, cancel := r.Looking(ctx)
	defer cancel()
	for _, c := range clusters {
		r.tellUnserved(look, c, traffic.RouteSpecOf("", preview), &resp.Diagnostics)
	}
}

// tellUnserved tells what a preview's route would meet on a cluster.
func (r *deploymentResource) tellUnserved(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec, diags *diag.Diagnostics) {
	warn := func(at path.Path, summary, detail string, args ...any) {
		diags.AddAttributeWarning(at, summary, fmt.Sprintf("On the cluster %q: "+detail, append([]any{c.Name()}, args...)...))
	}
	const nowhere = " `preview_url` leads nowhere until then. The deployment is made all the same."
	routes, err := r.Routes.Like(ctx, c, route)
	if routes.Unknown {
		warn(previewPath, "Cluster does not know the route's kind", "There is no %s. Unless this same apply installs the CustomResourceDefinitions of the Gateway API first, the apply of this plan will fail.", route.Kind)
		return
	}
	seen := observe.ParentsOf(ctx, c, route)
	if len(seen.Missing) > 0 {
		warn(previewPath.AtName("parent_refs"), "Gateway is not there", "There is no Gateway %s. Name another one, or have it made."+nowhere, strings.Join(seen.Missing, ", "))
	}
	for _, parent := range seen.There {
		for _, fault := range parent.Faults(route) {
			summary := "Gateway does not serve the preview"
			if fault.Doubt {
				summary = "Gateway may not serve the preview"
			}
			warn(unserved(fault.Field, parent.At), summary, "%s Ask for what it takes, or have it changed."+nowhere, fault.Reason)
		}
	}
	if err != nil {
		return // which routes there are cannot be told
	}
	for _, parent := range slices.Concat(seen.There, seen.Unseen) {
		for _, rival := range parent.Rivals(route, routes.All) {
			if rival.Serves {
				warn(previewPath.AtName("hostname"), "Another route serves", "The %s %s asks %s for the same as the preview: %s. Both are accepted, and the other one serves, because it is older: `preview_url` leads there. "+
					"Where that is the same application in another namespace, put `{namespace}` into `hostname`; otherwise choose another domain.", route.Kind, rival, rival.On, rival.Shared)
			}
		}
	}
}
