package deploymentgroup

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// moving is a group's members as they are asked of the engine.
type moving struct {
	request group.Request
	planned map[string]address.Model // by member
	names   map[string][]string      // of their clusters
}

// moving asks for what is planned. state is nil for a create.
func (r *deploymentGroupResource) moving(ctx context.Context, plan, state *model, diags *diag.Diagnostics) moving {
	m := moving{planned: map[string]address.Model{}, names: map[string][]string{}}
	m.request = group.Request{Name: plan.Name.ValueString(), Scope: plan.scope(ctx, diags), Members: map[string]rollout.PromoteRequest{}}
	m.request.Canary = address.CanaryOf(ctx, plan.Canary, diags)
	order, faults, _ := plan.order(ctx, diags)
	diags.Append(checkOrderOf(faults)...)
	m.request.Plan = order
	held := map[string]address.Model{} // by id
	if state != nil {
		m.request.Owner = state.Owner.ValueString()
		held = state.allHeld(ctx, diags)
	}
	asked := plan.asked(ctx, diags)
	for name, member := range plan.members(ctx, diags) {
		var more diag.Diagnostics
		a := plan.address(member)
		names := r.Resolve(a.ClusterNames(ctx, &more), &more)
		prior, holds := held[a.ID.ValueString()]
		promote := a.Request(ctx, "", &more)
		promote.Asked, promote.Stopped = asked, address.Stopped(plan.DesiredState)
		if holds {
			promote.Owner = m.request.Owner
			promote.Starts = address.Starts(state.DesiredState, plan.DesiredState)
			promote.Planned = prior.PlannedTraffic(ctx, &more)
			promote.TakeBack = !a.DeploymentID.Equal(prior.DeploymentID) || !a.Traffic.Equal(prior.Traffic) || len(state.Drift.Elements()) > 0
		}
		if !more.HasError() {
			promote.Clusters = r.Targets(ctx, names, session.ToPromote(promote.Service, false).And(promote.Route), &more)
		}
		a.Clusters = attrs.ClusterSet(ctx, names, &more)
		m.request.Members[name], m.planned[name], m.names[name] = promote, a, names
		diags.Append(explain.Member(name).Put(more)...)
	}
	return m
}

// allHeld are the addresses that a state has, by id. Those of one application on
// several clusters are one.
func (g *model) allHeld(ctx context.Context, diags *diag.Diagnostics) map[string]address.Model {
	held := map[string]address.Model{}
	for _, member := range g.members(ctx, diags) {
		m := g.held(ctx, member, diags)
		if other, ok := held[m.ID.ValueString()]; ok {
			m.Clusters = attrs.ClusterSet(ctx, slices.Concat(other.ClusterNames(ctx, diags), m.ClusterNames(ctx, diags)), diags)
		}
		held[m.ID.ValueString()] = m
	}
	return held
}

// left is one address that a group leaves on some clusters.
type left struct {
	address address.Model
	request rollout.UnmainRequest
	session.Leaving
}

// leave prepares to leave the addresses of a state, except on the clusters that
// stay, by id.
func (r *deploymentGroupResource) leave(ctx context.Context, plan, state *model, stay map[string][]string, diags *diag.Diagnostics) []left {
	var all []left
	held := state.allHeld(ctx, diags)
	for _, id := range slices.Sorted(maps.Keys(held)) {
		a := held[id]
		_, _, drop := session.Changes(a.ClusterNames(ctx, diags), stay[id])
		if len(drop) == 0 {
			continue
		}
		service := a.Service(ctx, diags)
		abandon := plan.AbandonUnreachable.ValueBool() || a.AbandonUnreachable.ValueBool()
		l := left{address: a, Leaving: address.Leave(ctx, r.Session, drop, service, a.Route(ctx, diags), false, abandon, diags)}
		l.request = rollout.UnmainRequest{Service: service, Route: a.Route(ctx, diags), Owner: state.Owner.ValueString(), Clusters: l.Clusters}
		all = append(all, l)
	}
	return all
}

// remove leaves them, and tells what could only be forgotten.
func (r *deploymentGroupResource) remove(ctx context.Context, name string, all []left, quietly bool, diags *diag.Diagnostics) {
	var requests []rollout.UnmainRequest
	for _, l := range all {
		if len(l.request.Clusters) > 0 {
			requests = append(requests, l.request)
		}
	}
	notices, err := group.New(r.Engine).Remove(ctx, name, requests)
	explain.Notices(diags, notices, quietly)
	if err != nil {
		explain.Error(diags, err)
		return
	}
	for _, l := range all {
		l.address.TellForgotten(l.Leaving, l.request.Service, l.request.Route, false, diags)
	}
}

// stays are the clusters on which a plan has each address, by id.
func (m moving) stays() map[string][]string {
	stay := map[string][]string{}
	for name, planned := range m.planned {
		id := planned.ID.ValueString()
		stay[id] = append(stay[id], m.names[name]...)
	}
	return stay
}

// setPromoted writes what became of a group that has moved, where the plan left
// room for it.
func (g *model) setPromoted(ctx context.Context, done group.Result, asked moving, diags *diag.Diagnostics) {
	members := g.members(ctx, diags)
	for name, member := range members {
		a := asked.planned[name]
		a.SetUpdated(ctx, nil, done.Members[name], asked.names[name], diags)
		member.take(a)
		members[name] = member
	}
	g.setMembers(ctx, members, diags)
	if g.PlanSummary.IsUnknown() { // Terraform plans again when all is known
		g.PlanSummary = types.ObjectNull(summaryTypes)
	}
	g.ID, g.Owner, g.Drift = g.Name, types.StringValue(done.Owner), attrs.NoDrift()
	g.Status, g.StatusReason = types.StringValue(string(done.Status)), attrs.TextOrNull(done.Reason)
}

// setFailed notes on a former state how an attempt to change it ended. Where
// traffic really has moved, the member moves with it.
func (g *model) setFailed(ctx context.Context, plan *model, done group.Result, asked moving, diags *diag.Diagnostics) {
	members, planned := g.members(ctx, diags), plan.members(ctx, diags)
	for name, a := range asked.planned {
		result, request, names := done.Members[name], asked.request.Members[name], asked.names[name]
		was, ok := members[name]
		prior := g.held(ctx, was, diags)
		switch {
		case ok && prior.ID.Equal(a.ID):
			prior.SetFailed(ctx, result, request, diags)
			was.take(prior)
			members[name] = was
		case result.Moved:
			member := planned[name]
			a.SetPromoted(ctx, nil, result, names, diags)
			member.take(a)
			members[name] = member
		}
	}
	g.setMembers(ctx, members, diags)
	g.AbandonUnreachable = plan.AbandonUnreachable
	g.Status, g.StatusReason = types.StringValue(string(done.Status)), attrs.TextOrNull(done.Reason)
}

// refresh writes who really gets the traffic of every member, and what follows
// for the group. It says whether anything of the group is left.
func (g *model) refresh(ctx context.Context, observe func(*address.Model) ([]observe.Main, bool), diags *diag.Diagnostics) (exists, readable bool) {
	members, drift := g.members(ctx, diags), []attrs.Drift{}
	var statuses []release.MainStatus
	var why reason
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member := members[name]
		a := g.held(ctx, member, diags)
		observed, ok := observe(&a)
		if !ok || diags.HasError() {
			return true, false
		}
		if !address.Exists(observed) {
			delete(members, name)
			continue
		}
		a.Refresh(ctx, observed, address.LeftEndpoints(observed), diags)
		g.DesiredState = address.StateOf(g.DesiredState, observed)
		address.TellStopped(observed, a.ID.ValueString(), diags)
		wentBack := !a.DeploymentID.Equal(member.DeploymentID) && a.DeploymentID.Equal(member.PreviousDeploymentID)
		if wentBack && a.StatusReason.IsNull() {
			a.Status = types.StringValue(string(release.MainRolledBack))
			a.StatusReason = types.StringValue("it went back by itself to " + a.DeploymentID.ValueString())
		}
		why.add(name, a.Status, a.StatusReason, observed)
		drift = append(drift, attrs.Decode[[]attrs.Drift](ctx, diags, a.Drift)...)
		statuses = append(statuses, release.MainStatus(a.Status.ValueString()))
		member.take(a)
		members[name] = member
	}
	if len(members) == 0 {
		return false, true
	}
	g.setMembers(ctx, members, diags)
	list, more := attrs.DriftList(ctx, drift)
	diags.Append(more...)
	g.Drift = list
	if status := types.StringValue(string(release.GroupStatus(statuses...))); !status.Equal(g.Status) || why.text != "" {
		g.Status, g.StatusReason = status, why.value()
	}
	return true, true
}
