package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// addresses are where a main deployment is, one for each cluster; none while
// that is not known.
func (m *mainDeploymentModel) addresses(ctx context.Context) (at []string) {
	if !attrs.Known(m.ID) || !attrs.WhollyKnown(ctx, m.Clusters) {
		return nil
	}
	var diags diag.Diagnostics
	for _, name := range m.clusterNames(ctx, &diags) {
		at = append(at, name+"/"+m.ID.ValueString())
	}
	return at
}

// planPointer refuses to plan a main deployment that points at what is planned
// to be stopped.
func (r *mainDeploymentResource) planPointer(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() {
		return
	}
	var model mainDeploymentModel
	if req.Plan.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &model)...)
		r.Planned.Point(model.ID.ValueString(), "")
		r.Planned.Stand(model.addresses(ctx), false)
		return
	}
	resp.Diagnostics.Append(resp.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() || !attrs.Known(model.ID) {
		return
	}
	if r.Planned.Point(model.ID.ValueString(), model.DeploymentID.ValueString()) {
		resp.Diagnostics.AddAttributeError(path.Root("deployment_id"), session.StoppedMainSummary, session.StoppedMain(model.DeploymentID.ValueString(), model.ID.ValueString()))
	}
	if group := r.Planned.Stand(model.addresses(ctx), true); group != "" {
		resp.Diagnostics.AddAttributeError(path.Root("application"), session.TwoHoldersSummary, session.TwoHolders(model.ID.ValueString(), group))
	}
}

// planMainDeployment is switchback_main_deployment's ModifyPlan. Like
// planDeployment it sets every computed attribute itself.
func planMainDeployment(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		session.RememberDestroy(ctx, resp)
		checkMainLeft(ctx, configured, req, resp)
		return
	}
	p := mainDeploymentPlan{ctx: ctx, resp: resp}
	p.diagnose(req.Config.Get(ctx, &p.config))
	p.diagnose(req.Plan.Get(ctx, &p.plan))
	if !req.State.Raw.IsNull() {
		p.state = new(mainDeploymentModel)
		p.diagnose(req.State.Get(ctx, p.state))
	}
	if resp.Diagnostics.HasError() {
		return
	}

	p.inputs(configured)
	if resp.Diagnostics.HasError() {
		return
	}
	switch {
	case p.state == nil:
		p.advise()
		p.create()
	case !p.plan.Application.Equal(p.state.Application) || !p.plan.Namespace.Equal(p.state.Namespace):
		p.create() // the schema says that these force a replacement
	default:
		p.keepAdoption()
		p.update()
	}
	p.mayEndOtherwise()
	p.diagnose(resp.Plan.Set(ctx, &p.plan))
	session.RememberApplication(ctx, resp, p.plan.Namespace, p.plan.Application)
}

// mainDeploymentPlan is one planning.
type mainDeploymentPlan struct {
	ctx          context.Context
	resp         *resource.ModifyPlanResponse
	config, plan mainDeploymentModel
	state        *mainDeploymentModel // nil: nothing there yet
}

func (p *mainDeploymentPlan) diagnose(diags diag.Diagnostics) { p.resp.Diagnostics.Append(diags...) }

// inputs fills in the defaults that depend on something, and what follows from
// the inputs alone: id and url.
func (p *mainDeploymentPlan) inputs(configured session.ConfiguredClusters) {
	m := &p.plan
	prior := types.SetNull(types.StringType)
	if p.state != nil {
		prior = p.state.Clusters
		abandon := m.AbandonUnreachable.ValueBool() || p.state.AbandonUnreachable.ValueBool()
		if p.diagnose(session.CheckMissing(configured, p.state.what(), prior, p.config.Clusters, abandon)); p.resp.Diagnostics.HasError() {
			return
		}
	}
	clusters, diags := session.PlanClusters(configured, p.config.Clusters, prior)
	p.diagnose(diags)
	m.Clusters = clusters
	p.diagnose(attrs.CheckRollout(p.ctx, m.Rollout, clusters))
	p.checkBake()

	m.ID, m.URL = types.StringUnknown(), types.StringUnknown()
	if !m.Namespace.IsUnknown() && !m.Application.IsUnknown() {
		m.ID = types.StringValue(attrs.MainID(m.Namespace.ValueString(), m.Application.ValueString()))
	}
	configuredService, ok, diags := p.config.serviceModel(p.ctx)
	p.diagnose(diags)
	planned, ok2, diags := m.serviceModel(p.ctx)
	p.diagnose(diags)
	if !ok || !ok2 {
		return
	}
	if configuredService.Name.IsNull() {
		planned.Name = m.Application // unknown while that is
		p.diagnose(m.setServiceModel(p.ctx, planned))
	}
	if planned.Adopt.IsUnknown() || planned.Adopt.ValueBool() {
		p.adopted(planned)
		return
	}
	if !m.Namespace.IsUnknown() && !planned.Name.IsUnknown() && attrs.WhollyKnown(p.ctx, planned.Ports) {
		service, diags := m.service(p.ctx)
		p.diagnose(diags)
		m.setURL(service)
	}
}

// create plans a pointer that is not there yet.
func (p *mainDeploymentPlan) create() {
	p.plan.Owner = types.StringUnknown()
	// An interrupted create ends in another status; see deploymentPlan.create.
	p.plan.Status, p.plan.StatusReason = types.StringUnknown(), types.StringUnknown()
	p.plan.Drift, p.plan.ClusterStatus = attrs.NoDrift(), attrs.UnknownClusterStatus()
	p.move()
}

// update plans a change in place.
func (p *mainDeploymentPlan) update() {
	m, prior := &p.plan, p.state
	m.Owner, m.Status, m.StatusReason = prior.Owner, prior.Status, prior.StatusReason
	m.PreviousDeploymentID, m.PromotedAt, m.Split, m.ClusterStatus = prior.PreviousDeploymentID, prior.PromotedAt, prior.Split, prior.ClusterStatus
	m.DNSRecords = prior.DNSRecords // planDNS knows more
	m.Drift = attrs.NoDrift()

	moves := !m.DeploymentID.Equal(prior.DeploymentID) || !m.Clusters.Equal(prior.Clusters) || !m.Traffic.Equal(prior.Traffic) ||
		!m.Drift.Equal(prior.Drift) || !settled(release.MainStatus(prior.Status.ValueString()))
	if moves || !m.KeepPrevious.Equal(prior.KeepPrevious) || !m.Drain.Equal(prior.Drain) || !m.DNS.Equal(prior.DNS) {
		m.Status, m.StatusReason, m.ClusterStatus = types.StringValue(string(release.MainFinalized)), types.StringUnknown(), attrs.UnknownClusterStatus()
	}
	if moves {
		p.move()
	}
}

// move plans that traffic may move. Where it comes from is seen at apply:
// somebody may have moved it since, and a known value that turns out wrong
// would be an error of Terraform's.
func (p *mainDeploymentPlan) move() {
	p.plan.PreviousDeploymentID, p.plan.PromotedAt = types.StringUnknown(), types.StringUnknown()
	p.plan.Split = types.MapUnknown(splitType) // as a whole: half-known maps cannot be planned
}

// settled says that a promotion with this status has nothing left to do.
func settled(status release.MainStatus) bool { return status.Kind() == release.KindSettled }

// advise tells the one limit that Switchback cannot see past.
func (p *mainDeploymentPlan) advise() {
	s, ok, _ := p.plan.serviceModel(p.ctx)
	if !ok || s.Type.ValueString() != serviceLoadBalancer || s.ExternalTrafficPolicy.ValueString() != policyLocal {
		return
	}
	p.resp.Diagnostics.AddAttributeWarning(attrs.ServicePath.AtName("external_traffic_policy"), "Load balancer follows with a delay of its own",
		"With external_traffic_policy \"Local\" the load balancer sends traffic only to nodes that run a pod of the main deployment, and finds out by its own health checks "+
			"that they are other nodes after a switch. Switchback cannot see when that has happened. Set `drain` to longer than those health checks take, "+
			"or use \"Cluster\" where clients' addresses are not needed.")
}

// validateMainDeployment is switchback_main_deployment's ValidateConfig: what
// one attribute says about another. Unknown values pass; Terraform calls it
// again when they are known.
func validateMainDeployment(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m mainDeploymentModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(checkMainDeployment(ctx, m)...)
}

// checkMainDeployment is what deployment_id and traffic say about each other and
// themselves.
func checkMainDeployment(ctx context.Context, m mainDeploymentModel) diag.Diagnostics {
	diags := attrs.CheckDeploymentID(path.Root("deployment_id"), m.DeploymentID, m.Namespace, m.Application)
	s, ok, more := m.serviceModel(ctx)
	diags.Append(more...)
	if !ok {
		return diags
	}
	diags.Append(checkAdopt(s)...)
	if s.Adopt.ValueBool() || s.Type.IsUnknown() {
		return diags
	}
	is := attrs.OrDefault(s.Type.ValueString(), serviceClusterIP)
	if attrs.Known(s.LoadBalancerClass) && is != serviceLoadBalancer {
		diags.AddAttributeError(attrs.ServicePath.AtName("load_balancer_class"), "Load balancer class without a load balancer",
			fmt.Sprintf("The Service's type is %s. Set `type = %q`, or remove `load_balancer_class`.", is, serviceLoadBalancer))
	}
	if attrs.Known(s.ExternalTrafficPolicy) && is == serviceClusterIP {
		diags.AddAttributeError(attrs.ServicePath.AtName("external_traffic_policy"), "External traffic policy without external traffic",
			fmt.Sprintf("The Service's type is %s, which is not reached from outside. Set `type` to %s or %s, or remove `external_traffic_policy`.", is, serviceNodePort, serviceLoadBalancer))
	}
	return diags
}
