package deployment

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// what names the resource in a sentence.
func (m *model) what() string { return "deployment " + m.ID.ValueString() }

// asks says that going from one to the other changes something on every cluster
// that the resource is on: an input differs which is more than a way to do it.
func asks(planned, prior tftypes.Value) bool {
	inputs := deploymentSchema(context.Background()).Attributes
	names, err := attrs.Differing(planned, prior)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		a, ok := inputs[name]
		if ok && name == "health" {
			return attrs.HealthAsks(planned, prior)
		}
		return ok && (a.IsRequired() || a.IsOptional()) && !slices.Contains(attrs.Governing, name)
	})
}

// withOutcomes adds how an operation ended.
func withOutcomes(s attrs.ClusterStatuses, outcomes ...rollout.Outcome) attrs.ClusterStatuses {
	for _, o := range outcomes {
		s.Ended(o.Cluster, string(o.Status), o.Reason)
	}
	return s
}

// setWritten notes after a failure what the clusters themselves tell of it.
// Where they do not, nothing was changed.
func (m *model) setWritten(outcomes []rollout.Outcome) {
	var diags diag.Diagnostics
	statuses := attrs.ClusterStatusesOf(context.Background(), m.ClusterStatus, &diags)
	m.ClusterStatus = withOutcomes(statuses, slices.DeleteFunc(slices.Clone(outcomes), func(o rollout.Outcome) bool { return o.Status == "" })...).Value()
}

// setClusters writes what an update did on each cluster, and keeps what is known
// of those that it had nothing to do on.
func (m *model) setClusters(done rollout.Deployed, state *model) {
	if !m.ClusterStatus.IsUnknown() {
		return // nothing was attempted that could end in another one
	}
	var diags diag.Diagnostics
	ctx := context.Background()
	prior, now := attrs.ClusterStatusesOf(ctx, state.ClusterStatus, &diags), m.clusterNames(ctx, &diags)
	maps.DeleteFunc(prior, func(name string, _ attrs.ClusterStatus) bool { return !slices.Contains(now, name) })
	m.ClusterStatus = withOutcomes(prior, done.Clusters...).Value()
}

// setLeft puts back the clusters that were to be left, and could not be.
func (m *model) setLeft(ctx context.Context, left map[string]error, ended []rollout.Outcome, state *model, diags *diag.Diagnostics) {
	names := m.clusterNames(ctx, diags)
	statuses, prior := attrs.ClusterStatusesOf(ctx, m.ClusterStatus, diags), attrs.ClusterStatusesOf(ctx, state.ClusterStatus, diags)
	for name := range left {
		names = append(names, name)
		if was, ok := prior[name]; ok {
			statuses[name] = was
		}
	}
	for _, o := range ended {
		if o.Err != nil {
			names = append(names, o.Cluster)
			withOutcomes(statuses, o)
		}
	}
	m.Clusters, m.ClusterStatus = attrs.ClusterSet(ctx, slices.Sorted(slices.Values(names)), diags), statuses.Value()
}

// driftOn is the drift that was last seen on a cluster.
func (m *model) driftOn(ctx context.Context, cluster string, diags *diag.Diagnostics) []attrs.Drift {
	return slices.DeleteFunc(attrs.Decode[[]attrs.Drift](ctx, diags, m.Drift), func(d attrs.Drift) bool { return d.Cluster.ValueString() != cluster })
}

// refreshStatus takes over how the last operation ended on each cluster: from
// the records, unless nothing there tells of it. Of several clusters, the first
// one that is not as desired is shown as the whole's.
func (m *model) refreshStatus(ctx context.Context, observed []observe.Release, desired release.DesiredState, diags *diag.Diagnostics) {
	prior, now, scaled := attrs.ClusterStatusesOf(ctx, m.ClusterStatus, diags), attrs.ClusterStatuses{}, false
	for _, o := range observed {
		was, had := prior[o.Cluster]
		switch {
		case o.Err == nil && o.Record != nil && was.Status != attrs.StatusPending:
			now[o.Cluster] = attrs.ClusterStatus{Status: string(o.Status()), Message: o.Reason()}
			scaled = scaled || m.refreshReplicas(o)
		case had:
			now[o.Cluster] = was
		}
	}
	m.ClusterStatus = now.Value()
	names := slices.Sorted(maps.Keys(now))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(lasts(now[a]), lasts(now[b])) })
	for _, name := range names {
		one := now[name]
		m.Status, m.StatusReason = types.StringValue(one.Status), attrs.TextOrNull(one.Message)
		if one.Status == attrs.StatusPending {
			m.Status = types.StringValue(string(pendingStatus(desired)))
		}
		if !now.Done(name, string(desired.Goal())) {
			return
		}
	}
}

// lasts is 1 for what waits: what is to be done on another cluster goes first, or nobody
// would do it.
func lasts(one attrs.ClusterStatus) int {
	if one.Status == string(release.StatusPaused) {
		return 1
	}
	return 0
}

// pendingStatus is that of a whole of which a part is pending.
func pendingStatus(desired release.DesiredState) release.Status {
	if desired == release.DesiredStopped {
		return release.StatusStopError
	}
	return release.StatusStartError
}

// checkBakesFit refuses a rollout that bakes longer than the planned operation may
// take: `timeouts.create` for what is new, `timeouts.update` for what is there.
func (p *planning) checkBakesFit() {
	if p.plan.Timeouts.IsUnknown() {
		return
	}
	limit, diags := p.plan.Timeouts.Create(attrs.Quiet(p.ctx), attrs.DefaultTimeout)
	setting := "timeouts.create"
	if p.state != nil {
		limit, diags = p.plan.Timeouts.Update(attrs.Quiet(p.ctx), attrs.DefaultTimeout)
		setting = "timeouts.update"
	}
	if !diags.HasError() {
		p.diagnose(attrs.CheckBakes(p.ctx, p.plan.Rollout, p.plan.Clusters, limit, setting))
	}
}

// mayEndOtherwise plans the status as unknown where something is going to be done, and
// the rollout may end without some clusters, or the application was stopped, or the traffic
// was taken back: it may be started by then. Of what is stopped by itself, the state does not tell whether its
// application is stopped as well.
func (p *planning) mayEndOtherwise(prior tftypes.Value) {
	if p.state == nil || prior.IsNull() {
		return
	}
	if p.mayPause(prior) {
		p.plan.Status = types.StringUnknown()
		p.attempt()
		p.diagnose(p.resp.Plan.Set(p.ctx, &p.plan))
		return
	}
	stays := release.StaysStopped(p.state.StatusReason.ValueString()) ||
		desiredOf(p.state) == release.DesiredStopped && desiredOf(&p.plan) == release.DesiredStarted
	if !stays && !attrs.MayContinue(p.ctx, p.plan.Rollout) {
		return
	}
	if !p.plan.ClusterStatus.IsUnknown() && !asks(p.resp.Plan.Raw, prior) {
		return
	}
	p.plan.Status = types.StringUnknown()
	p.attempt()
	p.diagnose(p.resp.Plan.Set(p.ctx, &p.plan))
}

// divided are the clusters that the resource stays on, by what an update has to
// do there.
type divided struct {
	work    []string // something
	rejoin  []string // something, and the last change has not reached it
	settled []string // nothing
}

// divide finds the clusters on which nothing is to be done: they need not even
// be there.
func (m *model) divide(ctx context.Context, state *model, keep []string, asks bool, diags *diag.Diagnostics) divided {
	prior, goal := attrs.ClusterStatusesOf(ctx, state.ClusterStatus, diags), string(desiredOf(m).Goal())
	var d divided
	for _, name := range keep {
		switch {
		case prior[name].Status == attrs.StatusPending:
			d.rejoin = append(d.rejoin, name)
		case !asks && prior.Done(name, goal) && len(state.driftOn(ctx, name, diags)) == 0:
			d.settled = append(d.settled, name)
		default:
			d.work = append(d.work, name)
		}
	}
	return d
}

// missedRestart says that on some cluster the last operation did not come to its
// end, which may have been a restart. Pods that were replaced for the same
// triggers are not replaced again.
func (m *model) missedRestart(ctx context.Context, state *model, on []string, diags *diag.Diagnostics) bool {
	if desiredOf(m) != release.DesiredStarted || len(m.RestartTriggers.Elements()) == 0 {
		return false
	}
	prior := attrs.ClusterStatusesOf(ctx, state.ClusterStatus, diags)
	return slices.ContainsFunc(on, func(name string) bool { return !prior.Done(name, string(release.DesiredStarted.Goal())) })
}

// rollout is what the model's `rollout` asks for.
func (m *model) rollout(ctx context.Context, diags *diag.Diagnostics) release.Rollout {
	return attrs.RolloutOf(ctx, diags, m.Rollout)
}

// setRemoved notes after a failed destroy where the release still is.
func (m *model) setRemoved(ctx context.Context, failed map[string]error, ended []rollout.Outcome, diags *diag.Diagnostics) {
	prior := *m
	m.Clusters, m.ClusterStatus = attrs.ClusterSet(ctx, []string{}, diags), attrs.ClusterStatuses{}.Value()
	m.setLeft(ctx, failed, ended, &prior, diags)
	for _, o := range ended {
		if o.Err != nil {
			m.Status, m.StatusReason = types.StringValue(string(o.Status)), attrs.TextOrNull(o.Reason)
			return
		}
	}
}
