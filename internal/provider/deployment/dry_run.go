package deployment

import (
	"context"
	"reflect"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// offer notes what the pods of a plan that changes something are, for the address that
// leads to them, and asks the API servers about its objects.
func (r *deploymentResource) offer(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if resp.Diagnostics.HasError() || resp.Plan.Raw.Equal(req.State.Raw) || len(plan.unknownInputs(ctx)) > 0 {
		return
	}
	spec, objects := planned(ctx, plan)
	if len(objects) > 0 && attrs.Known(plan.ID) {
		r.Planned.Offer(plan.ID.ValueString(), &objects[0].(*appsv1.Deployment).Spec.Template.Spec)
	}
	if r.Asks() && attrs.WhollyKnown(ctx, plan.Clusters) && desiredOf(plan) != release.DesiredStopped {
		r.askServer(ctx, plan, spec, objects, req, resp)
	}
}

// askServer asks the API servers about what a plan creates or changes in place.
func (r *deploymentResource) askServer(ctx context.Context, plan *model, spec release.Spec, objects []rollout.Object, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	creates := session.Creates(req, resp)
	if !creates {
		var state model
		quiet.Append(req.State.Get(ctx, &state)...)
		objects = changed(ctx, &state, objects)
	}
	names := attrs.Decode[[]string](ctx, &quiet, plan.Clusters)
	clusters := r.Reachable(names)
	if quiet.HasError() || len(objects) == 0 {
		return
	}
	r.Ask(ctx, r.without(ctx, clusters, spec, creates), session.Asking{
		What: "deployment", Objects: objects, Creates: creates, MayGoOn: attrs.MayContinue(ctx, plan.Rollout),
		// The apply takes it from whoever has set it.
		Mended: func(field string) bool {
			return field == workload.RollingUpdateField && spec.Strategy == release.StrategyRecreate
		},
		At: func(obj rollout.Object, field string) path.Path {
			if field == "" {
				return path.Empty()
			}
			return attributePath(ctx, resp.Plan.Schema, workload.AttributeOf(spec, obj.GetObjectKind().GroupVersionKind().Kind, field))
		},
	}, &resp.Diagnostics)
}

// planned are the spec of a plan and its objects; none where it cannot be rendered.
func planned(ctx context.Context, m *model) (release.Spec, []rollout.Object) {
	spec, diags := m.spec(ctx)
	if diags.HasError() {
		return spec, nil
	}
	objects, err := workload.Planned(spec)
	if err != nil {
		return spec, nil
	}
	return spec, objects
}

// changed are those of some objects that a state does not have like that.
func changed(ctx context.Context, state *model, objects []rollout.Object) []rollout.Object {
	_, before := planned(ctx, state)
	return slices.DeleteFunc(objects, func(obj rollout.Object) bool {
		return slices.ContainsFunc(before, func(other rollout.Object) bool { return reflect.DeepEqual(obj, other) })
	})
}

// without leaves out the clusters on which a release that is to be created runs: it is
// adopted there, and nothing is made.
func (r *deploymentResource) without(ctx context.Context, clusters []rollout.Cluster, spec release.Spec, creates bool) []rollout.Cluster {
	if !creates {
		return clusters
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	runs := map[string]bool{}
	for _, on := range observe.Records(ctx, clusters, release.ID{Namespace: spec.Namespace, Name: spec.NameFor(spec.Content.Hash())}) {
		runs[on.Cluster] = on.Record != nil && on.Record.Status == release.StatusStarted
	}
	return slices.DeleteFunc(slices.Clone(clusters), func(c rollout.Cluster) bool { return runs[c.Name()] })
}
