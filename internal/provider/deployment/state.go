package deployment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// setDeployed writes what became of the release.
func (m *model) setDeployed(done rollout.Deployed) {
	m.Owner = types.StringValue(done.Owner)
	m.Status = types.StringValue(string(done.Status))
	m.StatusReason = attrs.TextOrNull(done.Reason)
	m.CreatedAt = attrs.TimeOrNull(done.CreatedAt)
	m.CreatedBy = attrs.TextOrNull(done.CreatedBy)
	m.setDurations(done, types.Object{}, nil)
	m.ClusterStatus = withOutcomes(attrs.ClusterStatuses{}, done.Clusters...).Value()
	m.Drift = attrs.NoDrift()
}

// setFailed notes on a former state how an attempt to change it ended. What
// was started stays started, unless it was being stopped: nothing of it was
// taken away.
func (m *model) setFailed(done rollout.Deployed) {
	if done.Status == "" {
		return // refused before anything was changed
	}
	if m.Status.ValueString() != string(release.StatusStarted) || done.Status.Desired() == release.DesiredStopped {
		m.Status = types.StringValue(string(done.Status))
	}
	m.StatusReason = attrs.TextOrNull(done.Reason)
	m.setWritten(done.Clusters)
}

// plannedStarted says that the plan counts on pods.
func (m *model) plannedStarted() bool { return m.Status.ValueString() == string(release.StatusStarted) }

// setUpdated writes what an update learned, where the plan left room for it.
func (m *model) setUpdated(done rollout.Deployed, state *model) {
	m.Owner, m.CreatedAt, m.CreatedBy = state.Owner, state.CreatedAt, state.CreatedBy
	m.Status = types.StringValue(string(done.Status))
	if m.StatusReason.IsUnknown() {
		m.StatusReason = attrs.TextOrNull(done.Reason)
	}
	if m.Durations.IsUnknown() {
		var diags diag.Diagnostics
		m.setDurations(done, state.Durations, m.clusterNames(context.Background(), &diags))
	}
	m.setClusters(done, state)
	m.Drift = attrs.NoDrift()
}

// imported says that only the id is known: Read must rebuild the rest.
func (m *model) imported() bool { return m.ContentHash.IsNull() }

// clusterNames are the clusters of the resource; none where the attribute is
// not set, which means the provider's only one.
func (m *model) clusterNames(ctx context.Context, diags *diag.Diagnostics) []string {
	return attrs.Decode[[]string](ctx, diags, m.Clusters)
}

// takeBack are the fields that the plan has shown to change: they may be taken
// from other managers.
func (m *model) takeBack(ctx context.Context, plan *model, diags *diag.Diagnostics) []string {
	var fields []string
	for _, d := range attrs.Decode[[]attrs.Drift](ctx, diags, m.Drift) {
		if field := d.Field.ValueString(); field != "" {
			fields = append(fields, field)
		}
	}
	if !plan.Replicas.Equal(m.Replicas) || !plan.DesiredState.Equal(m.DesiredState) || m.Status.ValueString() != string(desiredOf(plan).Goal()) {
		fields = append(fields, workload.ReplicasField)
	}
	if !plan.Autoscaling.Equal(m.Autoscaling) {
		fields = append(fields, "spec.minReplicas", "spec.maxReplicas", "spec.metrics")
	}
	if !plan.Preview.Equal(m.Preview) {
		fields = append(fields, previewFields...)
	}
	// What is ignored no longer was not shown as drift, but is asked for.
	still := plan.ignored()
	for _, field := range m.ignored() {
		if !slices.Contains(still, field) {
			fields = append(fields, strings.ReplaceAll(strings.TrimSpace(field), `"`, ""))
		}
	}
	return fields
}

// refresh compares what lives with what we applied. It says whether anything
// is left of the release, or cannot be told to be gone.
//
// What forces replacement is never written: that would plan to replace a live
// release. It appears in drift.
func (m *model) refresh(ctx context.Context, observed []observe.Release, diags *diag.Diagnostics) bool {
	spec, more := m.spec(ctx)
	diags.Append(more...)
	if diags.HasError() {
		return true
	}
	// A state from before there were these attributes has none.
	m.DesiredState, m.Strategy = types.StringValue(string(spec.DesiredState)), types.StringValue(string(attrs.OrDefault(spec.Strategy, release.StrategyBlueGreen)))
	m.AbandonUnreachable = types.BoolValue(m.AbandonUnreachable.ValueBool())
	m.setURLs(ctx, diags)
	statuses := attrs.ClusterStatusesOf(ctx, m.ClusterStatus, diags)
	pending := func(cluster string) bool { return statuses[cluster].Status == attrs.StatusPending } // nothing was claimed there
	drift := []attrs.Drift{}
	exists := false
	for _, o := range observed {
		if o.Err != nil {
			exists = true
			drift = append(drift, m.driftOn(ctx, o.Cluster, diags)...)
			continue
		}
		if !o.Exists() {
			continue
		}
		exists = true
		drift = append(drift, driftOf(o, spec, diags)...)
		if o.Record.OutOfDate(m.Owner.ValueString()) && !pending(o.Cluster) {
			drift = append(drift, attrs.TakenBack(o.Cluster, "ConfigMap/"+m.Name.ValueString()))
		}
	}
	if !exists {
		return false
	}
	m.refreshStatus(ctx, observed, spec.DesiredState, diags)
	m.tellStopped(observed, diags)
	for _, o := range observed {
		if o.Err == nil && !o.Exists() {
			drift = append(drift, attrs.Gone(o.Cluster, "Deployment/"+m.Name.ValueString()))
		}
	}
	var err diag.Diagnostics
	m.Drift, err = attrs.DriftList(ctx, drift)
	diags.Append(err...)
	return true
}

// tellStopped says who has stopped it without a configuration: every plan and apply leaves
// it so.
func (m *model) tellStopped(observed []observe.Release, diags *diag.Diagnostics) {
	for _, o := range observed {
		if o.Err != nil || o.Record == nil || !o.Record.Halted() || o.Record.StoppedBy == nil {
			continue
		}
		unfinished := ""
		if o.Record.Status != release.StatusStopped {
			unfinished = " The stop has not come to its end: the next apply finishes it."
		}
		diags.AddWarning("Deployment is stopped", mask.Redact(fmt.Sprintf("%s shall have no pods on cluster %q: it was %s, and not by a configuration.%s Nothing here starts it, unless it is made main: everything else of it can be changed. What replaces it, such as a new version, starts. "+
			"`kubectl switchback start %s --namespace %s`, or the action `switchback_start` with `deployment_id`, brings its pods back.",
			m.ID.ValueString(), o.Cluster, o.Record.StoppedBy.StopText(), unfinished, m.Name.ValueString(), m.Namespace.ValueString())))
	}
}

// refreshReplicas takes over how many pods the release is asked to have, from the
// first cluster where that is another number. Health is not in the state: it
// would make every refresh noisy.
func (m *model) refreshReplicas(o observe.Release) (changed bool) {
	// A stopped one keeps the number that it will have when it is started.
	if o.Record == nil || !o.Record.Status.Up() || o.Workload == nil || o.Workload.Spec.Replicas == nil ||
		!m.Autoscaling.IsNull() || slices.Contains(m.ignored(), workload.ReplicasField) {
		return false
	}
	pods := *o.Workload.Spec.Replicas
	if o.Share == pods { // as it should be
		pods = workload.StartedReplicas(o.Workload)
	}
	live := types.Int32Value(pods)
	changed = !live.Equal(m.Replicas)
	m.Replicas = live
	return changed
}

func (m *model) ignored() []string {
	var diags diag.Diagnostics
	return attrs.Decode[[]string](context.Background(), &diags, m.IgnoreDrift)
}

// rebuild fills an imported resource from what lives. A configured cluster that
// cannot be read is an error: a subset would plan to deploy to the rest again.
func (m *model) rebuild(ctx context.Context, id release.ID, observed []observe.Release, diags *diag.Diagnostics) bool {
	var names []string
	for _, o := range observed {
		if o.Err != nil {
			explain.Error(diags, o.Err)
			continue
		}
		if o.Workload == nil || o.Record == nil {
			continue
		}
		names = append(names, o.Cluster)
		if len(names) > 1 {
			continue
		}
		spec, _, err := workload.FromDeployment(o.Workload, o.Files...)
		if err != nil {
			diags.AddError("Deployment cannot be imported", explain.Sentence(fmt.Sprintf("%s on cluster %q: %s", id, o.Cluster, err)))
			return true
		}
		spec.OnFailure, spec.DesiredState = cmp.Or(o.Record.OnFailure, release.OnFailureStop), o.Record.Desired()
		spec.Health, spec.Rollout = workload.HealthOf(o.Workload, o.Record.Health), o.Record.Rollout
		spec.IgnoreServices, spec.AllowSelectedBy, spec.Disruption = o.Record.IgnoreServices, o.Record.AllowSelectedBy, o.Record.Disruption
		spec.Preview = o.Record.Preview
		if o.Autoscaler != nil {
			spec.Autoscaling, spec.Replicas = workload.FromAutoscaler(o.Autoscaler), workload.FirstReplicas(o.Workload)
		}
		diags.Append(m.fromSpec(ctx, spec)...)
		m.setIdentity(spec, o.Record.Hash)
		m.setURLs(ctx, diags)
		m.setDeployed(rollout.Deployed{
			Owner: o.Record.Owner, Status: o.Record.Status, Reason: o.Reason(),
			CreatedAt: o.Created, CreatedBy: o.Record.CreatedBy,
		})
	}
	if diags.HasError() {
		return true
	}
	m.setDurations(recordedDurations(observed), types.Object{}, nil)
	m.refreshStatus(ctx, observed, desiredOf(m), diags)
	m.Clusters = attrs.ClusterSet(ctx, names, diags)
	return len(names) > 0
}

// lookedAt are the clusters on which a deployment could be read.
func (m *model) lookedAt(observed []observe.Release) []session.Looked {
	var found []session.Looked
	for _, o := range observed {
		if o.Err == nil {
			found = append(found, session.Looked{
				Cluster: o.Cluster, Namespace: m.Namespace.ValueString(), Application: m.Application.ValueString(),
				Past: o.Past, OutOfDate: o.Record.OutOfDate(m.Owner.ValueString()),
			})
		}
	}
	return found
}
