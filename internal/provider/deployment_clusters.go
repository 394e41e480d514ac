package provider

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// what names the resource in a sentence.
func (m *deploymentModel) what() string { return "deployment " + m.ID.ValueString() }

// differing are the attributes of a resource that differ in anything.
func differing(planned, prior tftypes.Value) ([]string, error) {
	differences, err := planned.Diff(prior)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range differences {
		if steps := d.Path.Steps(); len(steps) > 0 { // else it is the whole, because of what is told beside it
			name, _ := steps[0].(tftypes.AttributeName)
			names = append(names, string(name))
		}
	}
	return names, nil
}

// governing are the attributes that say how changes are made and are no change
// themselves: where only they differ, no cluster is touched.
var governing = []string{"clusters", "rollout", "abandon_unreachable", "on_failure", "timeouts", "duration_budget"}

// asks says that going from one to the other changes something on every cluster
// that the resource is on: an input differs which is more than a way to do it.
func asks(planned, prior tftypes.Value) bool {
	inputs := deploymentSchema(context.Background()).Attributes
	names, err := differing(planned, prior)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		a, ok := inputs[name]
		if ok && name == "health" {
			return healthAsks(planned, prior)
		}
		return ok && (a.IsRequired() || a.IsOptional()) && !slices.Contains(governing, name)
	})
}

// withOutcomes adds how an operation ended.
func withOutcomes(s clusterStatuses, outcomes ...rollout.Outcome) clusterStatuses {
	for _, o := range outcomes {
		s.ended(o.Cluster, string(o.Status), o.Reason)
	}
	return s
}

// setWritten notes after a failure what the clusters themselves tell of it.
// Where they do not, nothing was changed.
func (m *deploymentModel) setWritten(outcomes []rollout.Outcome) {
	var diags diag.Diagnostics
	statuses := clusterStatusesOf(context.Background(), m.ClusterStatus, &diags)
	m.ClusterStatus = withOutcomes(statuses, slices.DeleteFunc(slices.Clone(outcomes), func(o rollout.Outcome) bool { return o.Status == "" })...).value()
}

// setClusters writes what an update did on each cluster, and keeps what is known
// of those that it had nothing to do on.
func (m *deploymentModel) setClusters(done rollout.Deployed, state *deploymentModel) {
	if !m.ClusterStatus.IsUnknown() {
		return // nothing was attempted that could end in another one
	}
	var diags diag.Diagnostics
	ctx := context.Background()
	prior, now := clusterStatusesOf(ctx, state.ClusterStatus, &diags), m.clusterNames(ctx, &diags)
	maps.DeleteFunc(prior, func(name string, _ clusterStatus) bool { return !slices.Contains(now, name) })
	m.ClusterStatus = withOutcomes(prior, done.Clusters...).value()
}

// setLeft puts back the clusters that were to be left, and could not be.
func (m *deploymentModel) setLeft(ctx context.Context, left map[string]error, ended []rollout.Outcome, state *deploymentModel, diags *diag.Diagnostics) {
	names := m.clusterNames(ctx, diags)
	statuses, prior := clusterStatusesOf(ctx, m.ClusterStatus, diags), clusterStatusesOf(ctx, state.ClusterStatus, diags)
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
	m.Clusters, m.ClusterStatus = clusterSet(ctx, slices.Sorted(slices.Values(names)), diags), statuses.value()
}

// driftOn is the drift that was last seen on a cluster.
func (m *deploymentModel) driftOn(ctx context.Context, cluster string, diags *diag.Diagnostics) []driftModel {
	return slices.DeleteFunc(decode[[]driftModel](ctx, diags, m.Drift), func(d driftModel) bool { return d.Cluster.ValueString() != cluster })
}

// refreshStatus takes over how the last operation ended on each cluster: from
// the records, unless nothing there tells of it. Of several clusters, the first
// one that is not as desired is shown as the whole's.
func (m *deploymentModel) refreshStatus(ctx context.Context, observed []rollout.Observed, desired release.DesiredState, diags *diag.Diagnostics) {
	prior, now, scaled := clusterStatusesOf(ctx, m.ClusterStatus, diags), clusterStatuses{}, false
	for _, o := range observed {
		was, had := prior[o.Cluster]
		switch {
		case o.Err == nil && o.Record != nil && was.Status != statusPending:
			now[o.Cluster] = clusterStatus{Status: string(o.Record.Status), Message: o.Record.Reason}
			scaled = scaled || m.refreshReplicas(o)
		case had:
			now[o.Cluster] = was
		}
	}
	m.ClusterStatus = now.value()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		one := now[name]
		m.Status, m.StatusReason = types.StringValue(one.Status), textOrNull(one.Message)
		if one.Status == statusPending {
			m.Status = types.StringValue(string(pendingStatus(desired)))
		}
		if !now.done(name, string(desired.Goal())) {
			return
		}
	}
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
func (p *deploymentPlan) checkBakesFit() {
	if p.plan.Timeouts.IsUnknown() {
		return
	}
	limit, diags := p.plan.Timeouts.Create(quiet(p.ctx), defaultTimeout)
	setting := "timeouts.create"
	if p.state != nil {
		limit, diags = p.plan.Timeouts.Update(quiet(p.ctx), defaultTimeout)
		setting = "timeouts.update"
	}
	if !diags.HasError() {
		p.diagnose(checkBakes(p.ctx, p.plan.Rollout, p.plan.Clusters, limit, setting))
	}
}

// mayEndOtherwise plans the status as unknown where the rollout may end without
// some clusters, and something is going to be done.
func (p *deploymentPlan) mayEndOtherwise(prior tftypes.Value) {
	if p.state == nil || prior.IsNull() || !mayContinue(p.ctx, p.plan.Rollout) {
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
func (m *deploymentModel) divide(ctx context.Context, state *deploymentModel, keep []string, asks bool, diags *diag.Diagnostics) divided {
	prior, goal := clusterStatusesOf(ctx, state.ClusterStatus, diags), string(desiredOf(m).Goal())
	var d divided
	for _, name := range keep {
		switch {
		case prior[name].Status == statusPending:
			d.rejoin = append(d.rejoin, name)
		case !asks && prior.done(name, goal) && len(state.driftOn(ctx, name, diags)) == 0:
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
func (m *deploymentModel) missedRestart(ctx context.Context, state *deploymentModel, on []string, diags *diag.Diagnostics) bool {
	if desiredOf(m) != release.DesiredStarted || len(m.RestartTriggers.Elements()) == 0 {
		return false
	}
	prior := clusterStatusesOf(ctx, state.ClusterStatus, diags)
	return slices.ContainsFunc(on, func(name string) bool { return !prior.done(name, string(release.DesiredStarted.Goal())) })
}

// reachable are those of the clusters whose connection is known, without a word
// about the others: nothing is to be done there.
func (s *session) reachable(names []string) []rollout.Cluster {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !s.clusters.Known(name) })
	if len(names) == 0 {
		return nil
	}
	found, _ := s.clusters.Get(names)
	return found
}

// readyFor is ready for a rollout: one that does not continue needs them all.
func (s *session) readyFor(ctx context.Context, r release.Rollout, names []string, n need, unready map[string]error, diags *diag.Diagnostics) []rollout.Cluster {
	if r.OnFailure != release.FailureContinue {
		return s.targets(ctx, names, n, diags)
	}
	found, not := s.ready(ctx, names, n, diags)
	maps.Copy(unready, not)
	return found
}

// rollout is what the model's `rollout` asks for.
func (m *deploymentModel) rollout(ctx context.Context, diags *diag.Diagnostics) release.Rollout {
	return rolloutOf(ctx, diags, m.Rollout)
}

// setRemoved notes after a failed destroy where the release still is.
func (m *deploymentModel) setRemoved(ctx context.Context, failed map[string]error, ended []rollout.Outcome, diags *diag.Diagnostics) {
	prior := *m
	m.Clusters, m.ClusterStatus = clusterSet(ctx, []string{}, diags), clusterStatuses{}.value()
	m.setLeft(ctx, failed, ended, &prior, diags)
	for _, o := range ended {
		if o.Err != nil {
			m.Status, m.StatusReason = types.StringValue(string(o.Status)), textOrNull(o.Reason)
			return
		}
	}
}
