package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

var (
	_ resource.ResourceWithConfigure      = (*deploymentResource)(nil)
	_ resource.ResourceWithValidateConfig = (*deploymentResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*deploymentResource)(nil)
	_ resource.ResourceWithImportState    = (*deploymentResource)(nil)
)

type deploymentResource struct{ *session }

// NewDeploymentResource is switchback_deployment.
func NewDeploymentResource() resource.Resource { return &deploymentResource{} }

func (r *deploymentResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployment"
}

func (r *deploymentResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = deploymentSchema(ctx)
}

func (r *deploymentResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.session = sessionOf(req.ProviderData, &resp.Diagnostics)
}

func (r *deploymentResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	validateDeployment(ctx, req, resp)
}

func (r *deploymentResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	planDeployment(ctx, r.configured, req, resp)
	r.contact(ctx, req, resp)
	r.planDesired(ctx, req, resp)
	r.warnOfColdStarts(ctx, req, resp)
	r.warnOfSelection(ctx, req, resp)
	r.tellGoesOn(ctx, req, resp)
}

// Create deploys the release, or adopts it. A create that fails leaves no
// state, so that Terraform goes back to the release before; one that is
// interrupted leaves a cancelled one, which the next apply resumes.
func (r *deploymentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan deploymentModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	limit, more := plan.Timeouts.Create(quiet(ctx), defaultTimeout)
	resp.Diagnostics.Append(more...)
	spec, more := plan.spec(ctx)
	resp.Diagnostics.Append(more...)
	names := r.resolve(plan.clusterNames(ctx, &resp.Diagnostics), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, limit, "timeouts.create")
	defer cancel()
	deploy := rollout.DeployRequest{Spec: spec, Rollout: plan.rollout(ctx, &resp.Diagnostics), Unready: map[string]error{}}
	deploy.Clusters = r.readyFor(ctx, deploy.Rollout, names, toDeploy(spec), deploy.Unready, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := r.engine.DeployOver(ctx, deploy)
	addNotices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		addCreationError(&resp.Diagnostics, err, "")
		return
	}
	addTolerated(&resp.Diagnostics, done.Clusters)
	plan.Clusters = clusterSet(ctx, names, &resp.Diagnostics)
	plan.Version = types.StringValue(spec.Content.Version)
	plan.setIdentity(spec, spec.Content.Hash())
	plan.setDeployed(done)
	r.remember(ctx, resp.Private, names, spec.Namespace, spec.Content.Application, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

// Read shows what the clusters have. It keeps what an unreachable cluster had.
func (r *deploymentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state deploymentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	id, err := release.ParseID(state.ID.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("id"), "Invalid deployment id", sentence(err.Error()))
	}
	names := state.clusterNames(ctx, &resp.Diagnostics)
	if state.imported() {
		names = r.clusters.Names() // it may be on any of them
	}
	targets, missing, readable := r.readable(names, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !readable {
		return
	}
	observed := r.engine.Observe(ctx, targets, id)
	for _, name := range missing {
		observed = append(observed, rollout.Observed{Cluster: name, Err: r.missing(name)})
	}
	for _, o := range observed {
		if o.Err != nil && !state.imported() {
			r.tellUnread(&resp.Diagnostics, o.Cluster, o.Err)
		}
	}
	var exists bool
	if state.imported() {
		exists = state.rebuild(ctx, id, observed, &resp.Diagnostics)
	} else {
		exists = state.refresh(ctx, observed, &resp.Diagnostics)
	}
	if !state.imported() || exists {
		r.compareSights(ctx, resp.Private, state.lookedAt(observed), &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if !exists {
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// Update changes a release in place. When it fails, the state keeps what was
// true before, and says in what status the attempt left it.
func (r *deploymentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state deploymentModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	limit, more := plan.Timeouts.Update(quiet(ctx), defaultTimeout)
	resp.Diagnostics.Append(more...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, limit, "timeouts.update")
	defer cancel()
	update, l := r.updateRequest(ctx, &plan, &state, asks(req.Plan.Raw, req.State.Raw), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		state.AbandonUnreachable = plan.AbandonUnreachable // it is for when nothing else can be done
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	done, err := r.engine.Update(ctx, update)
	addNotices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		addError(&resp.Diagnostics, err)
	}
	if !done.Reached {
		state.AbandonUnreachable = plan.AbandonUnreachable
		state.setFailed(done)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	addTolerated(&resp.Diagnostics, done.Clusters)
	l.tellFailed(&resp.Diagnostics)
	l.tellForgotten(&resp.Diagnostics, plan.what(), update.Spec.Namespace, rollout.ByHand(state.Name.ValueString()))
	plan.rolled(update.Spec)
	plan.setUpdated(done, &state)
	if len(l.failed) > 0 || err != nil {
		plan.setLeft(ctx, l.failed, done.Left, &state, &resp.Diagnostics)
	}
	r.remember(ctx, resp.Private, plan.clusterNames(ctx, &resp.Diagnostics), update.Spec.Namespace, update.Spec.Content.Application, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// updateRequest compares plan and state; asks says that all clusters are
// concerned. What is said of clusters that are left, but for those in the
// request, is in leaving.
func (r *deploymentResource) updateRequest(ctx context.Context, plan, state *deploymentModel, asks bool, diags *diag.Diagnostics) (rollout.UpdateRequest, leaving) {
	spec, more := plan.spec(ctx)
	diags.Append(more...)
	was, more := state.spec(ctx)
	diags.Append(more...)
	now := r.resolve(plan.clusterNames(ctx, diags), diags)
	before := state.clusterNames(ctx, diags)
	over := plan.rollout(ctx, diags)
	if diags.HasError() {
		return rollout.UpdateRequest{}, leaving{}
	}
	keep, add, drop := compare(before, now)
	on := plan.divide(ctx, state, keep, asks, diags)
	restart := plan.restarts(state) || plan.missedRestart(ctx, state, append(on.work, on.rejoin...), diags)
	unready, changed := map[string]error{}, toDeploy(was, spec)
	l := r.leave(ctx, drop, toTerminate(release.ID{Namespace: was.Namespace, Name: was.Name()}, was), plan.AbandonUnreachable.ValueBool() || state.AbandonUnreachable.ValueBool(), diags)
	return rollout.UpdateRequest{
		Spec: spec, Owner: state.Owner.ValueString(), TakeBack: state.takeBack(ctx, plan, diags), Restart: restart,
		Keep:    r.readyFor(ctx, over, on.work, changed, unready, diags),
		Rejoin:  r.readyFor(ctx, over, on.rejoin, changed, unready, diags),
		Add:     r.readyFor(ctx, over, add, toDeploy(spec), unready, diags),
		Settled: r.reachable(on.settled), Drop: l.clusters, Rollout: over, Unready: unready,
	}, l
}

// Delete removes the release, or keeps it for going back, or leaves what
// carries traffic. See internal/rollout. No cluster waits for another: where it
// fails on some, the state keeps these.
func (r *deploymentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state deploymentModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	limit, more := state.Timeouts.Delete(quiet(ctx), defaultTimeout)
	resp.Diagnostics.Append(more...)
	id, err := release.ParseID(state.ID.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("id"), "Invalid deployment id", sentence(err.Error()))
	}
	spec, more := state.spec(ctx)
	resp.Diagnostics.Append(more...)
	names := state.clusterNames(ctx, &resp.Diagnostics)
	replaced, more := halfOfReplacement(ctx, req.Private, state.Namespace.ValueString(), state.Application.ValueString())
	resp.Diagnostics.Append(more...)
	planned, more := plannedCompanions(ctx, req.Private)
	resp.Diagnostics.Append(more...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, limit, "timeouts.delete")
	defer cancel()
	ends := toTerminate(id, spec)
	if replaced {
		ends = ends.before(planned)
	}
	l := r.leave(ctx, names, ends, state.AbandonUnreachable.ValueBool(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	notices, ended := r.engine.TerminateOn(ctx, rollout.TerminateRequest{
		ID: id, Application: state.Application.ValueString(), Owner: state.Owner.ValueString(), Clusters: l.clusters,
	})
	addNotices(&resp.Diagnostics, notices, replaced)
	l.tellForgotten(&resp.Diagnostics, state.what(), id.Namespace, rollout.ByHand(id.Name))
	l.tellFailed(&resp.Diagnostics)
	for _, o := range ended {
		if o.Err != nil {
			addError(&resp.Diagnostics, o.Err)
		}
	}
	if resp.Diagnostics.HasError() { // else Terraform forgets it
		state.setRemoved(ctx, l.failed, ended, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// ImportState takes "namespace/name", or the identity; Read rebuilds the rest
// from what lives.
func (r *deploymentResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	text := importID[deploymentIdentity](ctx, req, &resp.Diagnostics)
	id, err := release.ParseID(text)
	state, ok := importedDeployment(id)
	if err != nil || !ok {
		resp.Diagnostics.AddError("Invalid import id",
			"A deployment is imported by \"namespace/name\", where the name ends in the 8 characters of its content hash, such as shop/api-7f3c9a1e. Got "+text+".")
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
}
