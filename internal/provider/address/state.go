package address

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Request is what the model asks of the engine, less the clusters.
func (m *Model) Request(ctx context.Context, owner string, diags *diag.Diagnostics) rollout.PromoteRequest {
	id, err := release.ParseID(m.DeploymentID.ValueString())
	diags.Append(m.checkDeployment(explain.Place{})...)
	keep, more := KeepOf(ctx, m.KeepPrevious)
	diags.Append(more...)
	if err != nil || diags.HasError() {
		return rollout.PromoteRequest{}
	}
	route := m.Route(ctx, diags)
	if route != nil {
		route.Cohort = m.cohort(ctx, diags)
	}
	return rollout.PromoteRequest{
		Service: m.Service(ctx, diags), Route: route, Canary: CanaryOf(ctx, m.Canary, diags), To: id.Name, Owner: owner, Keep: keep, Drain: DrainOf(m.Drain),
		RetryToken: m.RetryToken.ValueString(), Unready: map[string]error{},
	}
}

// SetPromoted writes what became of the address. prior is nil at first.
func (m *Model) SetPromoted(ctx context.Context, prior *Model, done rollout.Promoted, names []string, diags *diag.Diagnostics) {
	m.ID = types.StringValue(attrs.MainID(m.Namespace.ValueString(), m.Application.ValueString()))
	m.Owner = types.StringValue(done.Owner)
	if m.Traffic.IsUnknown() || !attrs.WhollyKnown(ctx, m.Traffic) {
		planned, _, more := m.ServiceModel(ctx)
		diags.Append(more...)
		diags.Append(m.setService(ctx, m.Service(ctx, diags))...)
		resolved, _, more := m.ServiceModel(ctx)
		diags.Append(more...)
		resolved.Adopt = planned.Adopt // false is not null
		diags.Append(m.setServiceModel(ctx, resolved)...)
	}
	service := m.Service(ctx, diags)
	m.setURL(service)
	if service.Adopt && m.URL.IsUnknown() {
		m.URL = types.StringNull()
		m.setAdoptedURL(done.Service)
	}
	m.setStays(done.Stays)
	if m.PlanSummary.IsUnknown() { // Terraform plans again when all is known
		m.PlanSummary = types.ObjectNull(summaryTypes)
	}
	if m.Refused.IsUnknown() {
		m.Refused = types.ObjectNull(refusedTypes) // another one is main now
	}
	m.setStopped(done)
	m.setMoved(done)
	m.setEnded(ctx, prior, done, names, diags)
	m.Status = types.StringValue(string(done.Status))
	m.StatusReason = attrs.TextOrNull(done.Reason)
	m.Drift = attrs.NoDrift()
}

// setMoved writes what is known once traffic is where it was asked to be.
func (m *Model) setMoved(done rollout.Promoted) {
	m.PreviousDeploymentID = types.StringNull()
	if done.Previous != "" {
		m.PreviousDeploymentID = m.deployment(done.Previous)
	}
	m.PromotedAt = attrs.TimeOrNull(done.PromotedAt)
}

// SetUpdated writes what an update learned, where the plan left room for it.
func (m *Model) SetUpdated(ctx context.Context, prior *Model, done rollout.Promoted, names []string, diags *diag.Diagnostics) {
	planned := *m
	m.SetPromoted(ctx, prior, done, names, diags)
	if !planned.StatusReason.IsUnknown() {
		m.StatusReason = planned.StatusReason
	}
	if !planned.ClusterStatus.IsUnknown() {
		m.ClusterStatus = planned.ClusterStatus
	}
	if !planned.Retained.IsUnknown() {
		m.Retained, m.StoppedBy = planned.Retained, planned.StoppedBy
	}
	if !planned.PreviousDeploymentID.IsUnknown() {
		m.PreviousDeploymentID, m.PromotedAt, m.Split = planned.PreviousDeploymentID, planned.PromotedAt, planned.Split
	}
}

// SetFailed notes on a former state how an attempt to change it ended. Only
// where the traffic really has moved does the pointer move with it.
func (m *Model) SetFailed(ctx context.Context, done rollout.Promoted, asked rollout.PromoteRequest, diags *diag.Diagnostics) {
	if done.Moved {
		m.DeploymentID = m.deployment(asked.To)
		m.setMoved(done)
	}
	if done.Stays != nil {
		m.setStays(done.Stays)
	}
	prior, names := *m, m.ClusterNames(ctx, diags)
	m.setEnded(ctx, &prior, done, names, diags)
	if name := agreed(done.Clusters, names); name != "" && !done.Moved {
		// What a run that was cut off had moved, and a refresh has seen, may be back.
		m.DeploymentID = m.deployment(name)
	}
	m.Status = types.StringValue(string(done.Status))
	m.StatusReason = attrs.TextOrNull(done.Reason)
}

// setEnded writes how a promotion ended on each of the clusters and, as far as
// that was seen, who has the traffic there; the rest is as it was.
func (m *Model) setEnded(ctx context.Context, prior *Model, done rollout.Promoted, names []string, diags *diag.Diagnostics) {
	statuses, splits := attrs.ClusterStatuses{}, map[string]release.Split{}
	if prior != nil {
		was := splitOf(ctx, prior.Split, diags)
		before := attrs.ClusterStatusesOf(ctx, prior.ClusterStatus, diags)
		for _, name := range names {
			splits[name] = was[name]
			if one, ok := before[name]; ok {
				statuses[name] = one
			}
		}
	}
	for _, o := range done.Clusters {
		if !slices.Contains(names, o.Cluster) {
			continue // of an update that failed: the state does not have that cluster
		}
		statuses.Ended(o.Cluster, string(o.Status), o.Reason)
		if o.Split != nil {
			splits[o.Cluster] = o.Split
		}
	}
	for _, name := range names {
		if splits[name] == nil {
			splits[name] = release.Split{}
		}
	}
	m.ClusterStatus, m.Split = statuses.Value(), SplitValue(splits)
}

// agreed is the deployment that has all the traffic on all of the clusters, as
// was seen; empty where they differ, or where one was not seen.
func agreed(outcomes []rollout.MainOutcome, names []string) string {
	on := map[string]bool{}
	for _, name := range names {
		i := slices.IndexFunc(outcomes, func(o rollout.MainOutcome) bool { return o.Cluster == name })
		if i < 0 {
			return ""
		}
		now, _ := outcomes[i].Split.Stable()
		on[now] = true
	}
	return Agreed(on)
}
