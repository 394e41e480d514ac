package deployment

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// disruptionModel is `disruption_budget`.
type disruptionModel struct {
	Enabled        *bool   `tfsdk:"enabled"`
	MaxUnavailable *string `tfsdk:"max_unavailable"`
}

func disruptionAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "The PodDisruptionBudget that a deployment of two pods or more has (`replicas`, or `autoscaling.min`): how many of them may be missing while nodes are drained. " +
			"Pods that are not ready may always go. Kubernetes evicts no pod that two budgets count, so that no node could be drained: where there is another one for these pods already, turn this one off. " +
			"The plan warns of one where it may look." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"enabled":         optionalBool("`false`: there is none. Default: `true`."),
			"max_unavailable": attrs.OptionalString("A number of pods, or percent of them (rounded up), such as `25%`; at least 1. Default: `" + release.DefaultDisruption + "`."),
		},
	}
}

func (m *disruptionModel) disruption() *release.Disruption {
	if m == nil {
		return nil
	}
	return &release.Disruption{Enabled: m.Enabled, MaxUnavailable: value(m.MaxUnavailable)}
}

func (e encoder) disruption(d *release.Disruption) types.Object {
	attributes := deploymentTypes()["disruption_budget"].(types.ObjectType).AttrTypes
	if d == nil {
		return types.ObjectNull(attributes)
	}
	out, diags := types.ObjectValueFrom(e.ctx, attributes, disruptionModel{Enabled: d.Enabled, MaxUnavailable: pointer(d.MaxUnavailable)})
	e.diags.Append(diags...)
	return out
}

// warnOfBudgets tells at plan, where a release gets a budget for disruptions, that
// somebody else's counts its pods already.
func (r *deploymentResource) warnOfBudgets(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	if resp.Diagnostics.HasError() || len(plan.unknownInputs(ctx)) > 0 || !attrs.WhollyKnown(ctx, plan.Clusters) || !attrs.WhollyKnown(ctx, plan.DisruptionBudget) || !plan.budgeted(ctx) {
		return
	}
	if !session.Creates(req, resp) {
		var state model
		quiet.Append(req.State.Get(ctx, &state)...)
		if quiet.HasError() || state.budgeted(ctx) {
			return // it has been told, or the other one came later
		}
	}
	spec, more := plan.spec(ctx)
	quiet.Append(more...)
	targets, _, readable := r.Readable(attrs.Decode[[]string](ctx, &quiet, plan.Clusters), &quiet)
	if quiet.HasError() || !readable {
		return
	}
	ctx, cancel := r.Looking(ctx)
	defer cancel()
	for _, found := range r.Engine.OtherBudgets(ctx, targets, spec) {
		resp.Diagnostics.AddAttributeWarning(path.Root("disruption_budget"), "Two PodDisruptionBudgets would block every drain",
			fmt.Sprintf("On cluster %q, the pods of %s are counted by the PodDisruptionBudget %s of namespace %s already. Kubernetes evicts no pod that two budgets count: no node that has one of these could be drained. "+
				"Leave it to the other one with `disruption_budget = { enabled = false }`, or let that one select something else.",
				found.Cluster, spec.Name(), strings.Join(found.Names, ", "), spec.Namespace))
	}
}

// budgeted says that the deployment has a budget for disruptions.
func (m *model) budgeted(ctx context.Context) bool {
	if len(m.unknownInputs(ctx)) > 0 {
		return false
	}
	spec, diags := m.spec(ctx)
	return !diags.HasError() && workload.DisruptionBudget(spec) != nil
}
