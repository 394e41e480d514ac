package deployment

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// planDeployment is switchback_deployment's ModifyPlan. It sets every computed
// attribute itself: the framework marks them unknown only where the proposed
// plan already differs from the state, and then all of them. It returns what is
// planned; nil where that is nothing, or is wrong.
func planDeployment(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) *model {
	if req.Plan.Raw.IsNull() {
		session.RememberDestroy(ctx, resp)
		var state model
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.Diagnostics.Append(session.CheckMissing(configured, path.Root("clusters"), state.what(), state.Clusters, types.SetNull(types.StringType), state.AbandonUnreachable.ValueBool())...)
		return nil
	}
	p := planning{ctx: ctx, resp: resp}
	p.diagnose(req.Config.Get(ctx, &p.config))
	p.diagnose(req.Plan.Get(ctx, &p.plan))
	if !req.State.Raw.IsNull() {
		p.state = new(model)
		p.diagnose(req.State.Get(ctx, p.state))
	}
	if resp.Diagnostics.HasError() {
		return nil
	}

	p.inputs(configured)
	if resp.Diagnostics.HasError() {
		return nil
	}
	switch {
	case p.state == nil:
		p.advise()
		p.warnOfPauses()
		p.create()
	case p.replaces():
		p.create()
	default:
		p.update()
	}
	p.diagnose(resp.Plan.Set(ctx, &p.plan))
	p.mayEndOtherwise(req.State.Raw)
	session.RememberApplication(ctx, resp, p.plan.Namespace, p.plan.Application)
	if p.known {
		session.RememberCompanions(ctx, resp, p.spec)
	}
	if resp.Diagnostics.HasError() {
		return nil
	}
	return &p.plan
}

// planning is one planning.
type planning struct {
	ctx          context.Context
	resp         *resource.ModifyPlanResponse
	config, plan model
	state        *model // nil: nothing there yet

	spec  release.Spec
	known bool // spec is: no input of the content is unknown
	rolls bool // another content, in place
}

func (p *planning) diagnose(diags diag.Diagnostics) { p.resp.Diagnostics.Append(diags...) }

// inputs fills in the defaults that depend on something, and the spec.
func (p *planning) inputs(configured session.ConfiguredClusters) {
	if p.defaults(configured); p.resp.Diagnostics.HasError() {
		return
	}
	if p.known = len(p.plan.unknownInputs(p.ctx)) == 0; p.known {
		spec, diags := p.plan.spec(p.ctx)
		p.diagnose(diags)
		p.spec = spec
	}
}

// defaults fills in the defaults that depend on something, and refuses what does not
// fit together.
func (p *planning) defaults(configured session.ConfiguredClusters) {
	prior := types.SetNull(types.StringType)
	if p.state != nil {
		prior = p.state.Clusters
		abandon := p.plan.AbandonUnreachable.ValueBool() || p.state.AbandonUnreachable.ValueBool()
		p.diagnose(session.CheckMissing(configured, path.Root("clusters"), p.state.what(), prior, p.config.Clusters, abandon))
		if p.resp.Diagnostics.HasError() {
			return
		}
	}
	clusters, diags := session.PlanClusters(configured, path.Root("clusters"), p.config.Clusters, prior)
	p.diagnose(diags)
	p.plan.Clusters = clusters
	p.diagnose(attrs.CheckRollout(p.ctx, p.plan.Rollout, clusters))
	p.checkBakesFit()

	// Never the prior version: the content follows from the configuration alone,
	// or going back to a former configuration would not find its release again.
	if p.config.Version.IsNull() {
		p.plan.Version = types.StringUnknown()
		if !p.plan.Image.IsUnknown() {
			p.plan.Version = types.StringValue(release.DefaultVersion(p.plan.Image.ValueString()))
		}
	}

	p.keepPatch()
}

// keepPatch keeps the prior spelling of a pod_template_patch that means the same. It
// is hashed as it was typed, for ever: another spelling would be another release. In
// the half of a replacement that creates there is no prior one, and so there it is
// the configuration's, as Terraform demands.
func (p *planning) keepPatch() {
	if p.state == nil || !attrs.Known(p.plan.PodTemplatePatch) || !attrs.Known(p.state.PodTemplatePatch) {
		return
	}
	if workload.SamePatch(p.plan.PodTemplatePatch.ValueString(), p.state.PodTemplatePatch.ValueString()) {
		p.plan.PodTemplatePatch = p.state.PodTemplatePatch
	}
}

// replaces decides whether the state's release is another one than the plan's,
// and says which inputs make it so. Where the inputs are spelled differently
// but mean the same, it keeps the prior spelling.
func (p *planning) replaces() bool {
	var changed []input
	for _, in := range contentInputs {
		if !in.value(&p.plan).Equal(in.value(p.state)) {
			changed = append(changed, in)
		}
	}
	moved := !p.plan.Namespace.Equal(p.state.Namespace)
	if len(changed) == 0 || p.sameContent() {
		for _, in := range changed {
			// Terraform accepts a prior value in place of a configured one, but
			// not in place of none, nor none in place of one.
			if !in.value(&p.plan).IsNull() && !in.value(p.state).IsNull() {
				in.keep(&p.plan, p.state)
			}
		}
		return p.switches() || moved // the schema says that namespace forces it
	}
	if !p.switches() && p.plan.inPlace() {
		p.rolls = true
		return moved || !p.plan.Application.Equal(p.state.Application)
	}
	replace := path.Paths{path.Root("content_hash")}
	for _, in := range changed {
		replace.Append(differences(path.Root(in.name), in.value(&p.plan), in.value(p.state))...)
	}
	p.resp.RequiresReplace.Append(replace...)
	return true
}

// switches says that the strategy changes to one that names the release
// differently, which makes it another one.
func (p *planning) switches() bool {
	if p.plan.inPlace() == p.state.inPlace() && !p.plan.Strategy.IsUnknown() {
		return false
	}
	p.resp.RequiresReplace.Append(path.Root("strategy"))
	return true
}

// sameContent compares what both sides mean, not the stored hash: that way a
// provider that would hash differently than the one that wrote the state
// replaces nothing. An unknown input counts as changed; if it turns out to be
// the same, the create finds the release that is there and adopts it.
func (p *planning) sameContent() bool {
	if !p.known || len(p.state.unknownInputs(p.ctx)) > 0 {
		return false
	}
	prior, diags := p.state.spec(p.ctx)
	return !diags.HasError() && prior.Content.Hash() == p.spec.Content.Hash()
}

// differences are the paths to what differs, as deep as objects go on both
// sides: Terraform marks exactly these with "forces replacement".
func differences(at path.Path, planned, prior attr.Value) path.Paths {
	a, ok := planned.(types.Object)
	b, ok2 := prior.(types.Object)
	if !ok || !ok2 || a.IsNull() || a.IsUnknown() || b.IsNull() {
		return path.Paths{at}
	}
	var paths path.Paths
	others := b.Attributes()
	for name, v := range a.Attributes() {
		if !v.Equal(others[name]) {
			paths.Append(differences(at.AtName(name), v, others[name])...)
		}
	}
	return paths
}

// create plans a release that is not there yet. Status is not known: an
// interrupted create ends in another one, and with a known plan Terraform would
// taint what it made.
func (p *planning) create() {
	m := &p.plan
	m.ContentHash, m.Name, m.ID = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.ServiceName, m.InternalURL = types.StringUnknown(), types.StringUnknown()
	if p.known {
		m.setIdentity(p.spec, p.spec.Content.Hash())
		if m.Namespace.IsUnknown() {
			m.ID = types.StringUnknown()
			if !m.InternalURL.IsNull() {
				m.InternalURL = types.StringUnknown()
			}
		}
	}
	p.nameInPlace()
	p.checkHealthFits(p.plan.Timeouts.Create, "timeouts.create")
	m.Owner, m.CreatedAt, m.CreatedBy = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.Status = types.StringUnknown()
	p.attempt()
	m.Drift = attrs.NoDrift()
	m.setURLs(p.ctx, &p.resp.Diagnostics)
}

// update plans a change in place: the release stays the same one, so that what
// depends on it has no difference.
func (p *planning) update() {
	m, prior := &p.plan, p.state
	m.ContentHash, m.Name, m.ID = prior.ContentHash, prior.Name, prior.ID
	m.ServiceName, m.InternalURL = prior.ServiceName, prior.InternalURL
	m.Owner, m.CreatedAt, m.CreatedBy = prior.Owner, prior.CreatedAt, prior.CreatedBy
	m.Status, m.StatusReason, m.Durations, m.ClusterStatus = prior.Status, prior.StatusReason, prior.Durations, prior.ClusterStatus
	m.Drift = attrs.NoDrift()
	p.checkHealthFits(m.Timeouts.Update, "timeouts.update")

	if goal := p.goal(); !prior.settled(goal) && !prior.staysStopped(goal) && !prior.waits(m) || !m.Clusters.Equal(prior.Clusters) || m.restarts(prior) {
		m.Status = goal
		p.attempt()
	}
	if p.rolls || !m.RollingUpdate.Equal(prior.RollingUpdate) || !m.Timeouts.Equal(prior.Timeouts) {
		p.warnOfPauses()
	}
	if p.rolls {
		p.planRoll()
	}
	m.setURLs(p.ctx, &p.resp.Diagnostics)
}

// settled says that nothing is left to be done for a state to be at its goal. What is
// as desired and has a reason is what an update has failed to change, or was
// interrupted at: the pods it asked for may be what lives, but not well.
func (m *model) settled(goal types.String) bool {
	return m.Status.Equal(goal) && m.StatusReason.IsNull() && m.Drift.Equal(attrs.NoDrift())
}

// staysStopped says that a state is as it shall be without pods, because its application is
// stopped, or because the traffic was taken back from it.
func (m *model) staysStopped(goal types.String) bool {
	return goal.ValueString() == string(release.StatusStarted) && m.Status.ValueString() == string(release.StatusStopped) &&
		release.StaysStopped(m.StatusReason.ValueString()) && m.Drift.Equal(attrs.NoDrift())
}

// checkHealthFits refuses a wait that is longer than the planned operation may take.
func (p *planning) checkHealthFits(timeout func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), setting string) {
	if p.plan.Timeouts.IsUnknown() || p.plan.Health.IsNull() || p.plan.Health.IsUnknown() {
		return
	}
	if limit, diags := timeout(attrs.Quiet(p.ctx), attrs.DefaultTimeout); !diags.HasError() { // else it is said elsewhere
		p.diagnose(attrs.CheckHealth(p.ctx, p.plan.Health, limit, setting))
	}
}

// goal is the status that is planned: what `desired_state` comes to.
func (p *planning) goal() types.String {
	if p.plan.DesiredState.IsUnknown() {
		return types.StringUnknown()
	}
	return types.StringValue(string(release.DesiredState(p.plan.DesiredState.ValueString()).Goal()))
}

// attempt plans that pods will be brought up, and measured.
func (p *planning) attempt() {
	p.plan.StatusReason, p.plan.ClusterStatus = types.StringUnknown(), attrs.UnknownClusterStatus()
	p.plan.Durations = types.ObjectUnknown(p.plan.Durations.AttributeTypes(p.ctx))
}

// advise warns when a release is going to be created. The plan of a
// replacement comes by here too, in its second half.
func (p *planning) advise() {
	if !p.known {
		return
	}
	p.warn(workload.Advice(p.spec))
}

func (p *planning) warn(problems []workload.Problem) {
	for _, problem := range problems {
		p.resp.Diagnostics.AddAttributeWarning(attributePath(p.ctx, p.resp.Plan.Schema, problem.Path), problem.Summary, problem.Detail)
	}
}

// planDesired refuses to plan a stop of what a main deployment of this run is
// planned to point at.
func (r *deploymentResource) planDesired(ctx context.Context, plan *model, resp *resource.ModifyPlanResponse) {
	if resp.Diagnostics.HasError() || !attrs.Known(plan.ID) {
		return
	}
	r.Planned.Limit(plan.ID.ValueString(), plan.mostPods(ctx))
	if plan.DesiredState.IsUnknown() {
		return
	}
	if main := r.noteDesired(plan); main != "" {
		resp.Diagnostics.AddAttributeError(path.Root("desired_state"), session.StoppedMainSummary, session.StoppedMain(plan.ID.ValueString(), main))
	}
}

// noteDesired notes what a plan asks for, and returns the main deployment of this run
// that it would stop.
func (r *deploymentResource) noteDesired(plan *model) (main string) {
	return r.Planned.Stop(plan.ID.ValueString(), desiredOf(plan) == release.DesiredStopped)
}

// mostPods is how many pods the model asks for at most; 0: that is not known.
func (m *model) mostPods(ctx context.Context) int32 {
	if !attrs.WhollyKnown(ctx, m.Autoscaling) || m.Replicas.IsUnknown() {
		return 0
	}
	var quiet diag.Diagnostics // said elsewhere
	if scaler := attrs.AutoscalingOf(ctx, &quiet, m.Autoscaling); scaler != nil {
		return scaler.Max
	}
	return m.Replicas.ValueInt32()
}

// desiredOf is what the model asks for.
func desiredOf(m *model) release.DesiredState {
	return release.DesiredState(attrs.OrDefault(m.DesiredState.ValueString(), string(release.DesiredStarted)))
}

// restarts says that going from prior to m replaces the pods: other triggers,
// of what runs and goes on running.
func (m *model) restarts(prior *model) bool {
	return !m.RestartTriggers.Equal(prior.RestartTriggers) && desiredOf(m) == release.DesiredStarted && desiredOf(prior) == release.DesiredStarted &&
		(len(m.RestartTriggers.Elements()) > 0 || len(prior.RestartTriggers.Elements()) > 0)
}
