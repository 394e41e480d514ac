package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

var (
	_ resource.ResourceWithConfigure      = (*mainDeploymentResource)(nil)
	_ resource.ResourceWithValidateConfig = (*mainDeploymentResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*mainDeploymentResource)(nil)
	_ resource.ResourceWithImportState    = (*mainDeploymentResource)(nil)
	_ resource.ResourceWithIdentity       = (*mainDeploymentResource)(nil)
)

type mainDeploymentResource struct{ *session.Session }

// NewResource is switchback_main_deployment.
func NewResource() resource.Resource { return &mainDeploymentResource{} }

func (r *mainDeploymentResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_main_deployment"
}

func (r *mainDeploymentResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = mainDeploymentSchema(ctx)
}

func (r *mainDeploymentResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *mainDeploymentResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	defer explain.Where(&resp.Diagnostics)
	validateMainDeployment(ctx, req, resp)
	validateDNS(ctx, req, resp)
}

func (r *mainDeploymentResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	defer explain.Where(&resp.Diagnostics)
	planMainDeployment(ctx, r.Configured, req, resp)
	r.Contact(ctx, req, resp)
	r.planPointer(ctx, req, resp)
	r.warnOfRefusal(ctx, req, resp)
	r.lookAhead(ctx, req, resp)
	r.planDNS(ctx, req, resp)
}

// Create makes the application's address. It never returns an error together
// with a state: the next apply would delete a tainted address. What has moved
// but is unfinished succeeds, with a warning and status finalizing.
func (r *mainDeploymentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	limit, more := plan.Timeouts.Create(attrs.Quiet(ctx), plan.defaultLimit(ctx, &resp.Diagnostics))
	resp.Diagnostics.Append(more...)
	names := r.Resolve(plan.ClusterNames(ctx, &resp.Diagnostics), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.create")
	defer cancel()
	promote := plan.request(ctx, "", &resp.Diagnostics)
	promote.Clusters = r.ReadyFor(ctx, promote.Rollout, names, session.ToPromote(promote.Service, plan.asksExternalDNS()).And(promote.Route), promote.Unready, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := r.promote(ctx, &plan, promote, &resp.Diagnostics)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil && !done.Moved {
		explain.CreationError(&resp.Diagnostics, err, promote.To)
		return
	}
	if err != nil {
		explain.Unfinished(&resp.Diagnostics, done.Status, err)
	} else {
		explain.LeftBehind(&resp.Diagnostics, done.Clusters)
	}
	plan.Clusters = attrs.ClusterSet(ctx, names, &resp.Diagnostics)
	plan.SetPromoted(ctx, nil, done, names, &resp.Diagnostics)
	plan.URLs = plan.Model.URLs(ctx)
	r.Remember(ctx, resp.Private, names, plan.Namespace.ValueString(), plan.Application.ValueString(), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

// Read shows who really gets the traffic. It keeps what an unreachable cluster had.
func (r *mainDeploymentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	found, done := fastpath.Found[*refreshed](ctx)
	if done {
		found.keep(ctx, resp)
	} else {
		var state model
		if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
			return
		}
		found = r.look(ctx, state, resp.Private)
	}
	resp.Diagnostics.Append(resp.Identity.Set(ctx, found.identity)...)
	resp.Diagnostics.Append(found.diags...)
	switch {
	case resp.Diagnostics.HasError() || !found.read:
	case !found.exists:
		resp.State.RemoveResource(ctx)
	default:
		resp.Diagnostics.Append(resp.State.Set(ctx, &found.state)...)
	}
}

// Update moves the traffic, or repairs the address. When it fails, the state
// says where the traffic really is, and keeps what was configured before.
func (r *mainDeploymentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	limit, more := plan.Timeouts.Update(attrs.Quiet(ctx), plan.defaultLimit(ctx, &resp.Diagnostics))
	resp.Diagnostics.Append(more...)
	names := r.Resolve(plan.ClusterNames(ctx, &resp.Diagnostics), &resp.Diagnostics)
	_, _, drop := session.Changes(state.ClusterNames(ctx, &resp.Diagnostics), names)
	if resp.Diagnostics.HasError() {
		return
	}
	if onlyGoverns(req.Plan.Raw, req.State.Raw) && !state.StartsOtherwise(ctx, &plan.Model) {
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
		return // no cluster need be there for it
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.update")
	defer cancel()
	promote := plan.request(ctx, state.Owner.ValueString(), &resp.Diagnostics)
	promote.Planned, promote.Starts = state.PlannedTraffic(ctx, &resp.Diagnostics), address.Starts(state.DesiredState, plan.DesiredState)
	promote.TakeBack = !plan.DeploymentID.Equal(state.DeploymentID) || !plan.Traffic.Equal(state.Traffic) || len(state.Drift.Elements()) > 0
	promote.Clusters = r.ReadyFor(ctx, promote.Rollout, names, session.ToPromote(promote.Service, plan.asksExternalDNS() || state.asksExternalDNS()).And(promote.Route).And(state.Route(ctx, &resp.Diagnostics)), promote.Unready, &resp.Diagnostics)
	dropped := r.leave(ctx, drop, &plan, &state, promote.Service, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		state.AbandonUnreachable = plan.AbandonUnreachable // it is for when nothing else can be done
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	done, err := r.promote(ctx, &plan, promote, &resp.Diagnostics)
	if err == nil && len(dropped.Clusters) > 0 {
		var notices []rollout.Notice
		notices, err = r.Engine.Unmain(ctx, rollout.UnmainRequest{Service: promote.Service, Route: state.Route(ctx, &resp.Diagnostics), Owner: promote.Owner, Clusters: dropped.Clusters, DNS: state.asksExternalDNS()})
		done.Notices = append(done.Notices, notices...)
	}
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		explain.Error(&resp.Diagnostics, err)
		state.AbandonUnreachable = plan.AbandonUnreachable
		state.SetFailed(ctx, done, promote, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	state.TellForgotten(dropped, promote.Service, promote.Route, state.asksExternalDNS(), &resp.Diagnostics)
	explain.LeftBehind(&resp.Diagnostics, done.Clusters)
	explain.Paused(&resp.Diagnostics, done.Status, done.Reason)
	plan.SetUpdated(ctx, &state.Model, done, names, &resp.Diagnostics)
	plan.URLs = plan.Model.URLs(ctx)
	r.Remember(ctx, resp.Private, names, plan.Namespace.ValueString(), plan.Application.ValueString(), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete removes the address, except as one half of a replacement of the same
// application: then the address stays for the other half.
func (r *mainDeploymentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	defer explain.Where(&resp.Diagnostics)
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	limit, more := state.Timeouts.Delete(attrs.Quiet(ctx), attrs.DefaultTimeout)
	resp.Diagnostics.Append(more...)
	names := state.ClusterNames(ctx, &resp.Diagnostics)
	replaced, more := session.HalfOfReplacement(ctx, req.Private, state.Namespace.ValueString(), state.Application.ValueString())
	resp.Diagnostics.Append(more...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.delete")
	defer cancel()
	request := state.request(ctx, state.Owner.ValueString(), &resp.Diagnostics)
	l := r.leave(ctx, names, &state, &state, request.Service, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	notices, err := r.Engine.Unmain(ctx, rollout.UnmainRequest{Service: request.Service, Route: request.Route, Owner: request.Owner, Clusters: l.Clusters, Replaced: replaced, DNS: state.asksExternalDNS()})
	explain.Notices(&resp.Diagnostics, notices, replaced)
	if err != nil {
		explain.Error(&resp.Diagnostics, err)
		return
	}
	state.TellForgotten(l, request.Service, request.Route, state.asksExternalDNS(), &resp.Diagnostics)
}

// leave prepares to leave clusters. What the plan or the state abandons may be
// forgotten.
func (r *mainDeploymentResource) leave(ctx context.Context, names []string, plan, state *model, service traffic.ServiceSpec, diags *diag.Diagnostics) session.Leaving {
	abandon := plan.AbandonUnreachable.ValueBool() || state.AbandonUnreachable.ValueBool()
	return address.Leave(ctx, r.Session, names, service, state.Route(ctx, diags), plan.asksExternalDNS() || state.asksExternalDNS(), abandon, diags)
}

// ImportState takes "namespace/application", or the identity; Read rebuilds the
// rest from what lives.
func (r *mainDeploymentResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	text := attrs.ImportID[mainDeploymentIdentity](ctx, req, &resp.Diagnostics)
	id, err := release.ParseID(text)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id",
			"A main deployment is imported by \"namespace/application\", such as shop/api. Got "+text+".")
		return
	}
	state := importedMainDeployment(id.Namespace, id.Name)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
}
