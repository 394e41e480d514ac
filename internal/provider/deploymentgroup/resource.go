package deploymentgroup

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var (
	_ resource.ResourceWithConfigure      = (*deploymentGroupResource)(nil)
	_ resource.ResourceWithValidateConfig = (*deploymentGroupResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*deploymentGroupResource)(nil)
	_ resource.ResourceWithImportState    = (*deploymentGroupResource)(nil)
	_ resource.ResourceWithIdentity       = (*deploymentGroupResource)(nil)
)

type deploymentGroupResource struct{ *session.Session }

// NewResource is switchback_deployment_group.
func NewResource() resource.Resource { return &deploymentGroupResource{} }

func (r *deploymentGroupResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployment_group"
	resp.ResourceBehavior.MutableIdentity = true // a group may be renamed
}

func (r *deploymentGroupResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = deploymentGroupSchema(ctx)
}

func (r *deploymentGroupResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *deploymentGroupResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	defer explain.Where(&resp.Diagnostics)
	validateDeploymentGroup(ctx, req, resp)
}

func (r *deploymentGroupResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	defer explain.Where(&resp.Diagnostics)
	planDeploymentGroup(ctx, r.Configured, req, resp)
	r.contactMembers(ctx, req, resp)
	r.planPointers(ctx, req, resp)
	r.warnOfRefusals(ctx, req, resp)
	r.lookAhead(ctx, req, resp)
}

// Create makes the members' addresses, or takes them over. Like that of a main
// deployment, it never returns an error together with a state; one that fails
// has gone back as a whole.
func (r *deploymentGroupResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	limit, more := plan.Timeouts.Create(attrs.Quiet(ctx), attrs.DefaultTimeout+plan.pauses(ctx, &resp.Diagnostics))
	resp.Diagnostics.Append(more...)
	ctx, cancel := session.Within(ctx, limit+plan.bakes(ctx, &resp.Diagnostics), "timeouts.create")
	defer cancel()
	asked := r.moving(ctx, &plan, nil, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := group.New(r.Engine).Promote(ctx, asked.request)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil && !allMoved(done) {
		explain.GroupCreationError(&resp.Diagnostics, err, asked.request)
		return
	}
	if err != nil {
		explain.Unfinished(&resp.Diagnostics, done.Status, err)
	}
	r.setClusters(ctx, &plan, &resp.Diagnostics)
	plan.setPromoted(ctx, done, asked, &resp.Diagnostics)
	explain.Paused(&resp.Diagnostics, done.Status, plan.StatusReason.ValueString())
	r.RememberAll(ctx, resp.Private, asked.stays(), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity(ctx, &resp.Diagnostics))...)
}

// Read shows who really gets the traffic. It keeps what an unreachable cluster had.
func (r *deploymentGroupResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity(ctx, &resp.Diagnostics))...)
	if state.imported() {
		r.readImported(ctx, &state, resp)
		return
	}
	var found []session.Looked
	exists, readable := state.refresh(ctx, func(m *address.Model) ([]observe.Main, bool) {
		targets, missing, ok := r.Readable(m.ClusterNames(ctx, &resp.Diagnostics), &resp.Diagnostics)
		if !ok {
			return nil, false
		}
		observed := observe.Mains(ctx, targets, m.Namespace.ValueString(), m.Application.ValueString(), m.Service(ctx, &resp.Diagnostics).Name)
		found = append(found, m.LookedAt(observed)...)
		return address.Unread(r.Session, observed, missing, false, &resp.Diagnostics), true
	}, &resp.Diagnostics)
	if readable && !resp.Diagnostics.HasError() {
		r.CompareSights(ctx, resp.Private, found, &resp.Diagnostics)
	}
	switch {
	case resp.Diagnostics.HasError() || !readable:
	case !exists:
		resp.State.RemoveResource(ctx)
	default:
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update moves the group, and lets go of the addresses that are no longer its
// members'. When it fails, the state says where the traffic really is.
func (r *deploymentGroupResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity(ctx, &resp.Diagnostics))...)
	limit, more := plan.Timeouts.Update(attrs.Quiet(ctx), attrs.DefaultTimeout+plan.pauses(ctx, &resp.Diagnostics))
	resp.Diagnostics.Append(more...)
	r.setClusters(ctx, &plan, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() && plan.asksNothing(&state) {
		plan.StatusReason = types.StringNull()
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
		return
	}
	ctx, cancel := session.Within(ctx, limit+plan.bakes(ctx, &resp.Diagnostics), "timeouts.update")
	defer cancel()
	asked := r.moving(ctx, &plan, &state, &resp.Diagnostics)
	leave := r.leave(ctx, &plan, &state, asked.stays(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		state.AbandonUnreachable = plan.AbandonUnreachable // it is for when nothing else can be done
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	done, err := group.New(r.Engine).Promote(ctx, asked.request)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		explain.GroupError(&resp.Diagnostics, err)
	} else {
		r.remove(ctx, state.Name.ValueString(), leave, false, &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		state.setFailed(ctx, &plan, done, asked, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	plan.setPromoted(ctx, done, asked, &resp.Diagnostics)
	explain.Paused(&resp.Diagnostics, done.Status, plan.StatusReason.ValueString())
	r.RememberAll(ctx, resp.Private, asked.stays(), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity(ctx, &resp.Diagnostics))...)
}

// Delete removes the members' addresses, except as one half of a replacement:
// those that the other half has, too, stay for it.
func (r *deploymentGroupResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	defer explain.Where(&resp.Diagnostics)
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	limit, more := state.Timeouts.Delete(attrs.Quiet(ctx), attrs.DefaultTimeout)
	resp.Diagnostics.Append(more...)
	replaced, more := session.ReplacedMembers(ctx, req.Private)
	resp.Diagnostics.Append(more...)
	ctx, cancel := session.Within(ctx, limit, "timeouts.delete")
	defer cancel()
	leave := r.leave(ctx, &state, &state, nil, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	for i, l := range leave {
		leave[i].request.Replaced = replaced[l.address.ID.ValueString()]
	}
	r.remove(ctx, state.Name.ValueString(), leave, len(replaced) > 0, &resp.Diagnostics)
}

// setClusters fills in the default where even the clusters' names were not known
// at plan.
func (r *deploymentGroupResource) setClusters(ctx context.Context, plan *model, diags *diag.Diagnostics) {
	if plan.Clusters.IsUnknown() {
		plan.Clusters = attrs.ClusterSet(ctx, r.Resolve(nil, diags), diags)
	}
}

// asksNothing says that a plan changes only how later changes are made.
func (g *model) asksNothing(state *model) bool {
	return g.Members.Equal(state.Members) && g.Name.Equal(state.Name) && g.Clusters.Equal(state.Clusters) && g.KeepPrevious.Equal(state.KeepPrevious) &&
		g.Drain.Equal(state.Drain) && g.Status.Equal(state.Status) && len(state.Drift.Elements()) == 0
}

// allMoved says that the traffic of every member is where it was asked to be.
func allMoved(done group.Result) bool {
	for _, member := range done.Members {
		if !member.Moved {
			return false
		}
	}
	return len(done.Members) > 0
}

// planPointers refuses to plan a group that points at what is planned to be
// stopped, or that has a main deployment beside it.
func (r *deploymentGroupResource) planPointers(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() {
		return
	}
	var g model
	gone := req.Plan.Raw.IsNull()
	if gone {
		resp.Diagnostics.Append(req.State.Get(ctx, &g)...)
	} else {
		resp.Diagnostics.Append(resp.Plan.Get(ctx, &g)...)
	}
	if !resp.Diagnostics.HasError() && !g.Members.IsUnknown() {
		r.point(ctx, &g, gone, &resp.Diagnostics)
	}
}

// point notes where a group's members are planned to point, or that they are planned
// to be gone, and refuses what does not fit to what else is planned.
func (r *deploymentGroupResource) point(ctx context.Context, g *model, gone bool, diags *diag.Diagnostics) {
	for name, member := range g.members(ctx, diags) {
		a := g.address(member)
		if !attrs.Known(a.ID) {
			continue
		}
		at, to := explain.Member(name).Named("deployment_id"), member.DeploymentID.ValueString()
		if gone {
			to = ""
		}
		if r.Planned.Point(a.ID.ValueString()+" of the group "+g.Name.ValueString()+" as "+name, to) {
			diags.AddAttributeError(at, session.StoppedMainSummary, session.StoppedMain(to, a.ID.ValueString()))
		}
		if !gone {
			diags.Append(a.CheckPods(ctx, r.Planned.Most(to))...)
		}
		if r.Planned.Join(a.Addresses(ctx), g.Name.ValueString(), !gone) {
			diags.AddAttributeError(at, session.TwoHoldersSummary, session.TwoHolders(a.ID.ValueString(), g.Name.ValueString()))
		}
	}
}

// contactMembers is contact for a group, whose members may have clusters of their
// own, and namespaces: whether nobody is let in there is told of their deployments.
func (r *deploymentGroupResource) contactMembers(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || !session.Creates(req, resp) {
		return
	}
	var (
		plan  model
		names []string
		quiet diag.Diagnostics
	)
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	sets := []types.Set{plan.Clusters}
	for _, member := range plan.members(ctx, &quiet) {
		sets = append(sets, member.Clusters)
	}
	for _, set := range sets {
		if !set.IsNull() && attrs.WhollyKnown(ctx, set) {
			names = append(names, attrs.Decode[[]string](ctx, &quiet, set)...)
		}
	}
	if !quiet.HasError() {
		resp.Diagnostics.Append(r.ContactAll(ctx, slices.Compact(slices.Sorted(slices.Values(names))), "", false)...)
	}
}
