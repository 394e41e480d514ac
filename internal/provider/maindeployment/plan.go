package maindeployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// planMainDeployment is switchback_main_deployment's ModifyPlan. It
// sets every computed attribute itself: the framework would mark all of them unknown
// where one input differs.
func planMainDeployment(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		session.RememberDestroy(ctx, resp)
		checkMainLeft(ctx, configured, req, resp)
		return
	}
	p := planning{ctx: ctx, resp: resp}
	p.diagnose(req.Config.Get(ctx, &p.config))
	p.diagnose(req.Plan.Get(ctx, &p.plan))
	if !req.State.Raw.IsNull() {
		p.state = new(model)
		p.diagnose(req.State.Get(ctx, p.state))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	p.address(configured)
	if resp.Diagnostics.HasError() {
		return
	}
	p.mayEndOtherwise()
	p.diagnose(resp.Plan.Set(ctx, &p.plan))
	session.RememberApplication(ctx, resp, p.plan.Namespace, p.plan.Application)
}

// planning is one planning.
type planning struct {
	ctx          context.Context
	resp         *resource.ModifyPlanResponse
	config, plan model
	state        *model // nil: nothing there yet
}

func (p *planning) diagnose(diags diag.Diagnostics) { p.resp.Diagnostics.Append(diags...) }

// address plans the address, and what a main deployment has beside it.
func (p *planning) address(configured session.ConfiguredClusters) {
	a := address.Plan{Config: p.config.Model, Planned: p.plan.Model, Diags: &p.resp.Diagnostics}
	var was types.String // `desired_state`
	if p.state != nil {
		a.Prior, was = &p.state.Model, p.state.DesiredState
	}
	defer func() {
		p.plan.Model = a.Planned
		p.plan.URLs = p.plan.Model.URLs(p.ctx)
	}()
	if !a.ChooseClusters(configured) {
		return
	}
	p.plan.Clusters = a.Planned.Clusters
	p.diagnose(attrs.CheckRollout(p.ctx, p.plan.Rollout, p.plan.Clusters))
	p.checkBake()
	a.Watch = address.Watch{
		Bake: p.plan.bakes(), Canary: address.CanaryOf(p.ctx, p.plan.Canary, &p.resp.Diagnostics), Changed: p.state != nil && !p.plan.Canary.Equal(p.state.Canary),
		Limit:   address.TypedLimit(p.ctx, p.plan.Timeouts),
		Unknown: p.plan.Bake.IsUnknown() || p.plan.DesiredState.IsUnknown() || !attrs.WhollyKnown(p.ctx, p.plan.Canary),
	}
	turns := a.Desire(was, p.plan.DesiredState)
	if a.Identify(p.ctx); p.resp.Diagnostics.HasError() {
		return
	}
	switch {
	case p.state == nil:
		a.Advise(p.ctx)
		a.Create(p.ctx)
	case !a.Planned.Application.Equal(p.state.Application) || !a.Planned.Namespace.Equal(p.state.Namespace):
		a.Create(p.ctx) // the schema says that these force a replacement
	default:
		a.KeepAdoption(p.ctx)
		a.KeepRoute(p.ctx)
		a.Update(p.ctx, !p.plan.DNS.Equal(p.state.DNS) || turns || p.state.StartsOtherwise(p.ctx, &p.plan.Model))
		p.plan.DNSRecords = p.state.DNSRecords // planDNS knows more
	}
}

// validateMainDeployment is switchback_main_deployment's ValidateConfig: what
// one attribute says about another. Unknown values pass; Terraform calls it
// again when they are known.
func validateMainDeployment(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(m.Check(ctx, explain.Place{})...)
	resp.Diagnostics.Append(m.CheckCanary(ctx)...)
}

// checkMainLeft refuses to plan a destroy on clusters that the provider does not
// have any more.
func checkMainLeft(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(session.CheckMissing(configured, path.Root("clusters"), state.What(), state.Clusters, types.SetNull(types.StringType), state.AbandonUnreachable.ValueBool())...)
	state.TellDestroyed(ctx, &resp.Diagnostics)
}

// lookAhead tells what the apply would meet on the clusters, where it changes anything.
func (r *mainDeploymentResource) lookAhead(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	var plan, state model
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &plan)...)
	a := address.Ahead{Session: r.Session, Planned: &plan.Model, MayGoOn: attrs.MayContinue(ctx, plan.Rollout), Diags: &resp.Diagnostics}
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		a.Prior = &state.Model
	}
	if !resp.Diagnostics.HasError() {
		a.Look(ctx)
	}
}

// planPointer refuses to plan a main deployment that points at what is planned
// to be stopped.
func (r *mainDeploymentResource) planPointer(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() {
		return
	}
	var m model
	if req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
		r.Planned.Point(m.ID.ValueString(), "")
		r.Planned.Stand(m.Addresses(ctx), false)
		return
	}
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.point(ctx, &m)...)
	}
}

// point notes where a main deployment is planned to point, and refuses what does not
// fit to what else is planned.
func (r *mainDeploymentResource) point(ctx context.Context, m *model) (diags diag.Diagnostics) {
	if !attrs.Known(m.ID) {
		return nil
	}
	if r.Planned.Point(m.ID.ValueString(), m.DeploymentID.ValueString()) {
		diags.AddAttributeError(path.Root("deployment_id"), session.StoppedMainSummary, session.StoppedMain(m.DeploymentID.ValueString(), m.ID.ValueString()))
	}
	diags.Append(m.CheckPods(ctx, r.Planned.Most(m.DeploymentID.ValueString()))...)
	if group := r.Planned.Stand(m.Addresses(ctx), true); group != "" {
		diags.AddAttributeError(path.Root("application"), session.TwoHoldersSummary, session.TwoHolders(m.ID.ValueString(), group))
	}
	return diags
}
