package deploymentgroup

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// validateDeploymentGroup is switchback_deployment_group's ValidateConfig: what
// one attribute says about another. Unknown values pass; Terraform calls it
// again when they are known.
func validateDeploymentGroup(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var g model
	resp.Diagnostics.Append(req.Config.Get(ctx, &g)...)
	if resp.Diagnostics.HasError() {
		return
	}
	members := g.members(ctx, &resp.Diagnostics)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member := members[name]
		m := address.New()
		m.DeploymentID, m.Traffic = member.DeploymentID, member.Traffic
		resp.Diagnostics.Append(m.Check(ctx, explain.Member(name))...)
	}
	resp.Diagnostics.Append(g.checkCanary(ctx)...)
	_, faults, known := g.order(ctx, &resp.Diagnostics)
	if known {
		resp.Diagnostics.Append(checkOrderOf(faults)...)
	}
}

// checkOrderOf puts each fault of a group's order on the attribute that says so.
func checkOrderOf(faults []release.OrderFault) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, f := range faults {
		at := path.Root("waves")
		if f.Wave >= 0 {
			at = at.AtListIndex(f.Wave).AtName("members")
		}
		if f.Member != "" {
			at = path.Root("members").AtMapKey(f.Member).AtName("after")
		}
		if f.Name != "" {
			at = at.AtSetValue(types.StringValue(f.Name))
		}
		diags.AddAttributeError(at, "Members cannot be put in order", explain.Sentence(f.Reason))
	}
	return diags
}

// planDeploymentGroup is switchback_deployment_group's ModifyPlan: each member's
// address is planned as that of a main deployment, and the group's status follows.
func planDeploymentGroup(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		session.RememberDestroy(ctx, resp)
		checkGroupLeft(ctx, configured, req, resp)
		return
	}
	p := planning{ctx: ctx, resp: resp, configured: configured}
	p.diagnose(req.Config.Get(ctx, &p.config))
	p.diagnose(req.Plan.Get(ctx, &p.plan))
	if !req.State.Raw.IsNull() {
		p.state = new(model)
		p.diagnose(req.State.Get(ctx, p.state))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if p.group(); resp.Diagnostics.HasError() {
		return
	}
	members := p.members()
	if resp.Diagnostics.HasError() {
		return
	}
	if p.state == nil {
		p.summarize(members)
	} else {
		p.plan.PlanSummary = p.state.PlanSummary
	}
	p.diagnose(resp.Plan.Set(ctx, &p.plan))
	if p.state != nil && !resp.Plan.Raw.Equal(req.State.Raw) {
		p.changes(members)
		p.summarize(members)
		p.diagnose(resp.Plan.Set(ctx, &p.plan))
	}
	session.RememberMembers(ctx, resp, p.addresses)
}

// checkGroupLeft refuses to plan a destroy on clusters that the provider does not
// have any more.
func checkGroupLeft(ctx context.Context, configured session.ConfiguredClusters, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	for _, member := range state.members(ctx, &resp.Diagnostics) {
		m := state.held(ctx, member, &resp.Diagnostics)
		resp.Diagnostics.Append(session.CheckMissing(configured, path.Root("clusters"), m.What(), m.Clusters, types.SetNull(types.StringType), state.AbandonUnreachable.ValueBool())...)
		m.TellDestroyed(ctx, &resp.Diagnostics)
	}
}

// planning is one planning.
type planning struct {
	ctx          context.Context
	resp         *resource.ModifyPlanResponse
	configured   session.ConfiguredClusters
	config, plan model
	state        *model // nil: nothing there yet

	addresses map[string]string // their ids, by the member's name
	refused   string            // the member whose deployment is refused, so that none moves
}

func (p *planning) diagnose(diags diag.Diagnostics) { p.resp.Diagnostics.Append(diags...) }

// group plans what is not about a single member.
func (p *planning) group() {
	g := &p.plan
	g.ID, g.Drift = g.Name, attrs.NoDrift()
	if p.state == nil {
		// An interrupted create ends in another status, as that of an address.
		g.Owner, g.Status, g.StatusReason = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	} else {
		g.Owner, g.Status, g.StatusReason = p.state.Owner, p.state.Status, p.state.StatusReason
		p.checkStop()
	}
	p.clusters()
}

// checkStop refuses to stop a group that is on its way: what has moved could not be
// watched any more, nor go back.
func (p *planning) checkStop() {
	if !address.Stopped(p.plan.DesiredState) || address.Stopped(p.state.DesiredState) {
		return
	}
	if release.MainStatus(p.state.Status.ValueString()).Kind() == release.KindTransient {
		p.resp.Diagnostics.AddAttributeError(path.Root("desired_state"), "Group is on its way",
			fmt.Sprintf("The group %q is %s: %s. Let it come to its end, or go back, with the desired_state that it had; then stop it, in an apply of its own.",
				p.plan.Name.ValueString(), p.state.Status.ValueString(), attrs.OrDefault(p.state.StatusReason.ValueString(), "its last move has not come to its end")))
	}
}

// clusters plans the group's default, which is needed only where a member has
// none of its own.
func (p *planning) clusters() {
	needed := p.config.Members.IsUnknown()
	for _, member := range p.config.members(p.ctx, &p.resp.Diagnostics) {
		needed = needed || member.Clusters.IsNull()
	}
	if !needed && p.config.Clusters.IsNull() {
		p.plan.Clusters = types.SetNull(types.StringType)
		return
	}
	prior := types.SetNull(types.StringType)
	if p.state != nil {
		prior = p.state.Clusters
	}
	clusters, diags := session.PlanClusters(p.configured, path.Root("clusters"), p.config.Clusters, prior)
	p.diagnose(diags)
	p.plan.Clusters = clusters
}

// members plans every member, and writes what is planned.
func (p *planning) members() map[string]memberModel {
	p.addresses = map[string]string{}
	if p.plan.Members.IsUnknown() {
		return nil
	}
	diags := &p.resp.Diagnostics
	config, plan, state := p.config.members(p.ctx, diags), p.plan.members(p.ctx, diags), map[string]memberModel{}
	if p.state != nil {
		state = p.state.members(p.ctx, diags)
	}
	if p.refused = p.refusedOf(plan, state); diags.HasError() {
		return plan
	}
	taken := map[string]string{} // by cluster and address: the member that has it
	for _, name := range slices.Sorted(maps.Keys(plan)) {
		member := plan[name]
		var prior *address.Model
		if was, ok := state[name]; ok {
			m := p.state.held(p.ctx, was, diags)
			prior = &m
		}
		planned := p.member(name, p.config.address(config[name]), p.plan.address(member), prior)
		p.once(taken, name, planned)
		if attrs.Known(planned.ID) {
			p.addresses[name] = planned.ID.ValueString()
		}
		member.take(planned)
		plan[name] = member
	}
	p.plan.setMembers(p.ctx, plan, diags)
	return plan
}

// member plans one member's address. A prior one of another application is no prior
// one.
func (p *planning) member(name string, config, plan address.Model, prior *address.Model) address.Model {
	if prior != nil && !plan.ID.Equal(prior.ID) && !plan.ID.IsUnknown() {
		prior = nil
	}
	if config.Clusters.IsNull() {
		config.Clusters = p.plan.Clusters
	}
	var own, was types.String // the member's status, and the group's `desired_state`
	if prior != nil {         // whether anything is left to do is the group's to say
		own, prior.Status, prior.Drift, was = prior.Status, p.state.Status, p.state.Drift, p.state.DesiredState
	}
	var diags diag.Diagnostics
	a := address.Plan{Place: explain.Member(name), Config: config, Planned: plan, Prior: prior, Diags: &diags, Watch: p.watch(name), Beside: p.refused}
	turns := a.Desire(was, p.plan.DesiredState)
	if a.ChooseClusters(p.configured) {
		a.Identify(p.ctx)
	}
	switch {
	case diags.HasError():
	case prior == nil:
		a.Advise(p.ctx)
		a.Create(p.ctx)
	default:
		a.KeepAdoption(p.ctx)
		a.KeepRoute(p.ctx)
		if a.Update(p.ctx, turns || p.startsOtherwise(&plan)); a.Planned.StatusReason.IsNull() {
			a.Planned.Status = own
		}
	}
	p.diagnose(diags)
	return a.Planned
}

// startsOtherwise says that new deployments of a member are to start with other pods than
// before.
func (p *planning) startsOtherwise(member *address.Model) bool {
	was, is := address.Model{Canary: p.state.Canary}, address.Model{Canary: p.plan.Canary}
	return member.MayRoute(p.ctx) && was.StartsOtherwise(p.ctx, &is)
}

// watch is how the member's wave is watched.
func (p *planning) watch(name string) address.Watch {
	w := address.Watch{
		Group: true, Unknown: !attrs.WhollyKnown(p.ctx, p.plan.Waves) || p.plan.DesiredState.IsUnknown() || !attrs.WhollyKnown(p.ctx, p.plan.Canary),
		Canary: address.CanaryOf(p.ctx, p.plan.Canary, &p.resp.Diagnostics), Changed: p.state != nil && !p.plan.Canary.Equal(p.state.Canary),
		Limit: address.TypedLimit(p.ctx, p.plan.Timeouts),
	}
	if w.Unknown {
		return w
	}
	for _, wave := range attrs.Decode[[]waveModel](p.ctx, &p.resp.Diagnostics, p.plan.Waves) {
		if slices.Contains(attrs.Decode[[]string](p.ctx, &p.resp.Diagnostics, wave.Members), name) {
			w.Bake = wave.bake()
		}
	}
	return w
}

// once refuses two members that would be one address.
func (p *planning) once(taken map[string]string, name string, a address.Model) {
	if !attrs.Known(a.ID) || !attrs.WhollyKnown(p.ctx, a.Clusters) {
		return
	}
	for _, cluster := range a.ClusterNames(p.ctx, &p.resp.Diagnostics) {
		at := cluster + "/" + a.ID.ValueString()
		if other, twice := taken[at]; twice {
			p.resp.Diagnostics.AddAttributeError(explain.Member(name).Named("deployment_id"), "Two members of one application on one cluster",
				fmt.Sprintf("The members %q and %q are both the application %s on cluster %q, which has one address. Give them different clusters, or remove one of them.",
					other, name, a.ID.ValueString(), cluster))
			return
		}
		taken[at] = name
	}
}

// mayPause says that the apply may end in a pause, or move nothing of what it is not known
// yet whether it is refused: then the group's status is not known.
func (p *planning) mayPause() bool {
	refused := func(m memberModel) bool { return !m.Refused.IsNull() }
	return !p.plan.Canary.IsNull() || p.state.Status.ValueString() == string(release.MainPaused) ||
		slices.ContainsFunc(slices.Collect(maps.Values(p.state.members(p.ctx, &p.resp.Diagnostics))), refused)
}

// changes plans that the group is brought to its goal, because something of it
// is not as it was.
func (p *planning) changes(members map[string]memberModel) {
	p.plan.Status, p.plan.StatusReason = types.StringValue(string(release.MainFinalized)), types.StringUnknown()
	changed := members == nil || slices.ContainsFunc(slices.Collect(maps.Values(members)), func(m memberModel) bool { return m.Status.IsUnknown() })
	if changed && p.mayPause() {
		p.plan.Status = types.StringUnknown()
	}
	if members == nil {
		return // unknown as a whole
	}
	for name, member := range members {
		member.Status = p.plan.Status
		members[name] = member
	}
	p.plan.setMembers(p.ctx, members, &p.resp.Diagnostics)
}
