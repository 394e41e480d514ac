package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

var (
	_ resource.ResourceWithConfigure      = (*deploymentResource)(nil)
	_ resource.ResourceWithValidateConfig = (*deploymentResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*deploymentResource)(nil)
	_ resource.ResourceWithImportState    = (*deploymentResource)(nil)
	_ resource.ResourceWithIdentity       = (*deploymentResource)(nil)
)

type deploymentResource struct{ *session.Session }

// NewResource is switchback_deployment.
func NewResource() resource.Resource { return &deploymentResource{} }

func (r *deploymentResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_deployment"
}

func (r *deploymentResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = deploymentSchema(ctx)
}

func (r *deploymentResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Session = session.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *deploymentResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	defer explain.Where(&resp.Diagnostics)
	validateDeployment(ctx, req, resp)
}

func (r *deploymentResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	defer explain.Where(&resp.Diagnostics)
	second := session.SecondHalf(ctx, req)
	plan := planDeployment(ctx, r.Configured, req, resp)
	if r.Session == nil || plan == nil {
		return
	}
	if !second { // the first half has said whose it is
		r.tellTwin(ctx, plan, req, resp)
	}
	r.Contact(ctx, req, resp)
	r.planDesired(ctx, plan, resp)
	r.warnOfColdStarts(ctx, plan, req, resp)
	r.warnOfSelection(ctx, plan, req, resp)
	r.warnOfBudgets(ctx, plan, req, resp)
	r.warnOfPause(ctx, plan, req, resp)
	r.tellGoesOn(ctx, plan, req, resp)
	r.warnOfPreview(ctx, plan, req, resp)
	r.offer(ctx, plan, req, resp)
}

// Create deploys the release, or adopts it. A create that fails leaves no
// state, so that Terraform goes back to the release before; one that is
// interrupted leaves a cancelled one, which the next apply resumes.
func (r *deploymentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	limit, more := plan.Timeouts.Create(attrs.Quiet(ctx), attrs.DefaultTimeout+plan.pauses(ctx))
	resp.Diagnostics.Append(more...)
	spec, more := plan.spec(ctx)
	resp.Diagnostics.Append(more...)
	names := r.Resolve(plan.clusterNames(ctx, &resp.Diagnostics), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.create")
	defer cancel()
	deploy := rollout.DeployRequest{Spec: spec, Rollout: plan.rollout(ctx, &resp.Diagnostics), Unready: map[string]error{}}
	deploy.Clusters = r.ReadyFor(ctx, deploy.Rollout, names, session.ToDeploy(spec), deploy.Unready, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	done, err := r.Engine.DeployOver(ctx, deploy)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		explain.CreationError(&resp.Diagnostics, err, "")
		return
	}
	explain.PausedChange(&resp.Diagnostics, done.Status, done.Reason)
	explain.Tolerated(&resp.Diagnostics, done.Clusters)
	plan.Clusters = attrs.ClusterSet(ctx, names, &resp.Diagnostics)
	plan.Version = types.StringValue(spec.Content.Version)
	plan.setIdentity(spec, spec.Content.Hash())
	plan.setURLs(ctx, &resp.Diagnostics)
	plan.setDeployed(done)
	r.Remember(ctx, resp.Private, names, spec.Namespace, spec.Content.Application, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

// Read shows what the clusters have. It keeps what an unreachable cluster had.
func (r *deploymentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
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

// Update changes a release in place. When it fails, the state keeps what was
// true before, and says in what status the attempt left it.
func (r *deploymentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	defer explain.Where(&resp.Diagnostics)
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
	limit, more := plan.Timeouts.Update(attrs.Quiet(ctx), attrs.DefaultTimeout+plan.pauses(ctx))
	resp.Diagnostics.Append(more...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.update")
	defer cancel()
	update, l := r.updateRequest(ctx, &plan, &state, asks(req.Plan.Raw, req.State.Raw), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		state.AbandonUnreachable = plan.AbandonUnreachable // it is for when nothing else can be done
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	done, err := r.Engine.Update(ctx, update)
	explain.Notices(&resp.Diagnostics, done.Notices, false)
	if err != nil {
		explain.Error(&resp.Diagnostics, err)
	}
	if !done.Reached {
		state.AbandonUnreachable = plan.AbandonUnreachable
		state.setFailed(done)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	explain.PausedChange(&resp.Diagnostics, done.Status, done.Reason)
	explain.Tolerated(&resp.Diagnostics, done.Clusters)
	l.TellFailed(&resp.Diagnostics)
	l.TellForgotten(&resp.Diagnostics, plan.what(), update.Spec.Namespace, rollout.ByHand(state.Name.ValueString(), !state.Preview.IsNull()))
	plan.rolled(update.Spec)
	plan.setURLs(ctx, &resp.Diagnostics)
	stopped := plan.plannedStarted() && release.StaysStopped(done.Reason)
	plan.setUpdated(done, &state)
	if stopped {
		plan.StatusReason = types.StringValue(done.Reason)
		explain.Error(&resp.Diagnostics, &release.StoppedMeanwhileError{ID: done.ID, Application: update.Spec.Content.Application, Reason: done.Reason})
	}
	if len(l.Failed) > 0 || err != nil {
		plan.setLeft(ctx, l.Failed, done.Left, &state, &resp.Diagnostics)
	}
	r.Remember(ctx, resp.Private, plan.clusterNames(ctx, &resp.Diagnostics), update.Spec.Namespace, update.Spec.Content.Application, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// updateRequest compares plan and state; asks says that all clusters are
// concerned. What is said of clusters that are left, but for those in the
// request, is in leaving.
func (r *deploymentResource) updateRequest(ctx context.Context, plan, state *model, asks bool, diags *diag.Diagnostics) (rollout.UpdateRequest, session.Leaving) {
	spec, more := plan.spec(ctx)
	diags.Append(more...)
	was, more := state.spec(ctx)
	diags.Append(more...)
	now := r.Resolve(plan.clusterNames(ctx, diags), diags)
	before := state.clusterNames(ctx, diags)
	over := plan.rollout(ctx, diags)
	if diags.HasError() {
		return rollout.UpdateRequest{}, session.Leaving{}
	}
	keep, add, drop := session.Changes(before, now)
	on := plan.divide(ctx, state, keep, asks, diags)
	restart := plan.restarts(state) || plan.missedRestart(ctx, state, append(on.work, on.rejoin...), diags)
	unready, changed := map[string]error{}, session.ToDeploy(was, spec)
	l := r.Leave(ctx, drop, session.ToTerminate(release.ID{Namespace: was.Namespace, Name: was.Name()}, was), plan.AbandonUnreachable.ValueBool() || state.AbandonUnreachable.ValueBool(), diags)
	return rollout.UpdateRequest{
		Spec: spec, Owner: state.Owner.ValueString(), TakeBack: append(state.takeBack(ctx, plan, diags), workload.Changed(was, spec)...), Restart: restart,
		Keep:    r.ReadyFor(ctx, over, on.work, changed, unready, diags),
		Rejoin:  r.ReadyFor(ctx, over, on.rejoin, changed, unready, diags),
		Add:     r.ReadyFor(ctx, over, add, session.ToDeploy(spec), unready, diags),
		Settled: r.Reachable(on.settled), Drop: l.Clusters, Rollout: over, Unready: unready,
	}, l
}

// Delete removes the release, or keeps it for going back, or leaves what
// carries traffic. See internal/rollout. No cluster waits for another: where it
// fails on some, the state keeps these.
func (r *deploymentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	defer explain.Where(&resp.Diagnostics)
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	limit, more := state.Timeouts.Delete(attrs.Quiet(ctx), attrs.DefaultTimeout)
	resp.Diagnostics.Append(more...)
	id, err := release.ParseID(state.ID.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("id"), "Invalid deployment id", explain.Sentence(err.Error()))
	}
	spec, more := state.spec(ctx)
	resp.Diagnostics.Append(more...)
	names := state.clusterNames(ctx, &resp.Diagnostics)
	replaced, more := session.HalfOfReplacement(ctx, req.Private, state.Namespace.ValueString(), state.Application.ValueString())
	resp.Diagnostics.Append(more...)
	planned, more := session.PlannedCompanions(ctx, req.Private)
	resp.Diagnostics.Append(more...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := session.Within(ctx, limit, "timeouts.delete")
	defer cancel()
	ends := session.ToTerminate(id, spec)
	if replaced {
		ends = ends.Before(planned)
	}
	l := r.Leave(ctx, names, ends, state.AbandonUnreachable.ValueBool(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	notices, ended := r.Engine.TerminateOn(ctx, rollout.TerminateRequest{
		ID: id, Application: state.Application.ValueString(), Owner: state.Owner.ValueString(), Clusters: l.Clusters,
	})
	explain.Notices(&resp.Diagnostics, notices, replaced)
	l.TellForgotten(&resp.Diagnostics, state.what(), id.Namespace, rollout.ByHand(id.Name, !state.Preview.IsNull()))
	l.TellFailed(&resp.Diagnostics)
	for _, o := range ended {
		if o.Err != nil {
			explain.Error(&resp.Diagnostics, o.Err)
		}
	}
	if resp.Diagnostics.HasError() { // else Terraform forgets it
		state.setRemoved(ctx, l.Failed, ended, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// ImportState takes "namespace/name", or the identity; Read rebuilds the rest
// from what lives.
func (r *deploymentResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	text := attrs.ImportID[deploymentIdentity](ctx, req, &resp.Diagnostics)
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
