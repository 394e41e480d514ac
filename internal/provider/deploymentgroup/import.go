package deploymentgroup

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ImportState takes "namespace/name", or the identity; Read rebuilds the rest from what
// lives. Until then the id says where that is.
func (r *deploymentGroupResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	text := attrs.ImportID[groupIdentity](ctx, req, &resp.Diagnostics)
	id, err := release.ParseID(text)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id",
			"A deployment group is imported by \"namespace/name\", with the namespace of its members, such as shop/storefront. Got "+text+".")
		return
	}
	state := importedGroup(id)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity(ctx, &resp.Diagnostics))...)
}

// importedGroup is a model of which only the id is known.
func importedGroup(id release.ID) model {
	g := newModel()
	g.ID, g.Name = types.StringValue(id.String()), types.StringValue(id.Name)
	return g
}

// newModel has a null of the right type in every field, as tfsdk.State.Set demands.
func newModel() model {
	t := deploymentGroupTypes()
	keep := address.New().KeepPrevious
	return model{
		Members:      types.MapNull(types.ObjectType{AttrTypes: memberTypes()}),
		Clusters:     types.SetNull(types.StringType),
		Waves:        types.ListNull(t["waves"].(types.ListType).ElemType),
		Failure:      types.ObjectNull(failureTypes),
		KeepPrevious: keep,
		Canary:       address.New().Canary,
		Timeouts:     timeouts.Value{Object: types.ObjectNull(t["timeouts"].(timeouts.Type).AttrTypes)},
		Drift:        types.ListNull(attrs.DriftType()),
		PlanSummary:  types.ObjectNull(summaryTypes),
	}
}

// imported says that only the id is known: Read must rebuild the rest.
func (g *model) imported() bool { return g.Members.IsNull() }

// readImported is Read of what was imported just now.
func (r *deploymentGroupResource) readImported(ctx context.Context, state *model, resp *resource.ReadResponse) {
	id, err := release.ParseID(state.ID.ValueString())
	targets, _, readable := r.Readable(r.Clusters.Names(), &resp.Diagnostics) // it may be on any of them
	if err != nil || resp.Diagnostics.HasError() || !readable {
		return
	}
	found := observe.GroupIn(ctx, targets, id.Namespace, id.Name)
	exists := state.rebuild(ctx, id, found, &resp.Diagnostics)
	switch {
	case resp.Diagnostics.HasError():
		return
	case !exists:
		resp.State.RemoveResource(ctx)
		return
	}
	var looked []session.Looked
	for name, member := range state.members(ctx, &resp.Diagnostics) {
		a := state.address(member)
		looked = append(looked, a.LookedAt(found.Members[name].Mains)...)
	}
	r.CompareSights(ctx, resp.Private, looked, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}
