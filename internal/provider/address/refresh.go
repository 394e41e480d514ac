package address

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Exists says whether anything is left of an address, or cannot be told to be gone.
func Exists(observed []observe.Main) bool {
	return slices.ContainsFunc(observed, func(o observe.Main) bool { return o.Err != nil || o.Exists() })
}

// Refresh writes who really gets the traffic. deployment_id becomes another
// release only where all clusters that can be read agree on it; else drift and
// split show the disagreement. named is what is other than it should be of the
// name across clusters.
func (m *Model) Refresh(ctx context.Context, observed []observe.Main, named []attrs.Drift, diags *diag.Diagnostics) {
	drift, splits, carried := []attrs.Drift{}, map[string]release.Split{}, map[string]release.Split{}
	prior, stable := splitOf(ctx, m.Split, diags), map[string]bool{}
	wanted, route := m.Service(ctx, diags), m.Route(ctx, diags)
	for _, o := range observed {
		if o.Err != nil {
			splits[o.Cluster], carried[o.Cluster] = prior[o.Cluster], prior[o.Cluster] // nothing was concluded from the silence
			continue
		}
		if wanted.Adopt {
			m.setAdoptedURL(o.Service)
		}
		splits[o.Cluster], carried[o.Cluster] = o.Split, o.Traffic()
		name, ok := o.Split.Stable()
		if ok {
			stable[name] = true
		}
		drift = append(drift, m.driftOf(o, wanted, ok)...)
		drift = append(drift, routeDrift(o, route)...)
	}
	drift = append(drift, named...)
	switch to := promoting(observed); {
	case to != "":
		m.DeploymentID = m.deployment(to)
	case len(stable) == 1 && !hasMissing(splits):
		name := Agreed(stable)
		m.DeploymentID = m.deployment(name)
		m.refreshPrevious(observed[0], name)
	case len(stable) > 1:
		drift = append(drift, disagreement(splits)...)
	}
	m.refreshStatus(observed)
	m.refreshStays(observed)
	m.refreshRefused(observed)
	m.refreshStopped(observed)
	m.Split = SplitValue(carried)
	list, more := attrs.DriftList(ctx, drift)
	diags.Append(more...)
	m.Drift = list
}

// refreshPrevious follows a promotion that another run, or an action, has made
// since. A pointer that was moved by hand has no record of that.
func (m *Model) refreshPrevious(first observe.Main, name string) {
	if first.Main == nil || first.Main.Deployment != name || first.Main.Progress != nil {
		return
	}
	m.PromotedAt = attrs.TimeOrNull(first.Main.PromotedAt)
	m.PreviousDeploymentID = types.StringNull()
	if len(first.Main.Previous) > 0 {
		m.PreviousDeploymentID = m.deployment(first.Main.Previous[0])
	}
}

// refreshStays writes what is there beside main, as long as all clusters can be read.
func (m *Model) refreshStays(observed []observe.Main) {
	var all [][]release.Stay
	for _, o := range observed {
		if o.Err != nil {
			return
		}
		all = append(all, o.Stays)
	}
	m.setStays(release.JoinStays(all...))
}

// hasMissing says that on some cluster nobody gets the traffic.
func hasMissing(splits map[string]release.Split) bool {
	for _, split := range splits {
		if len(split) == 0 {
			return true
		}
	}
	return false
}

// refreshStatus shows unfinished work, so that it is never an empty plan.
func (m *Model) refreshStatus(observed []observe.Main) {
	if m.Status.ValueString() == string(release.MainPaused) && !slices.ContainsFunc(observed, func(o observe.Main) bool { return o.Err != nil }) {
		m.Status, m.StatusReason = types.StringValue(string(release.MainFinalized)), types.StringNull() // unless one is, below
	}
	if status, reason, unfinished := observe.Unfinished(observed); unfinished {
		m.Status, m.StatusReason = types.StringValue(string(status)), types.StringValue(reason)
	}
}

// driftOf is what others changed of the address on one cluster.
func (m *Model) driftOf(o observe.Main, wanted traffic.ServiceSpec, stable bool) []attrs.Drift {
	object := "Service/" + wanted.Name
	if o.Service == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, object)}
	}
	if o.Main == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, "ConfigMap/"+release.MainName(wanted.Application))}
	}
	wanted.Protocols = o.Main.Protocols
	to := o.Main.Deployment
	if p := o.Main.Progress; to == "" && p != nil && p.Theirs != "" {
		if !p.Made {
			return nil // it follows at the commit
		}
		to = p.To
	}
	if name, ok := o.Split.Stable(); ok && stable {
		to = name // a moved pointer shows in deployment_id
	}
	drift := attrs.FieldDrift(o.Cluster, object, workload.Drift(o.Service, wanted.Object(to), o.Main.Baseline, nil))
	if o.Main.OutOfDate(m.Owner.ValueString()) {
		drift = append(drift, attrs.TakenBack(o.Cluster, "ConfigMap/"+release.MainName(wanted.Application)))
	}
	return drift
}

// disagreement is one line for each cluster when they send traffic to
// different releases.
func disagreement(splits map[string]release.Split) []attrs.Drift {
	var drift []attrs.Drift
	for _, cluster := range slices.Sorted(maps.Keys(splits)) {
		name, _ := splits[cluster].Stable()
		drift = append(drift, attrs.Drift{
			Cluster: types.StringValue(cluster), Field: types.StringValue("spec.selector"),
			Actual: attrs.TextOrNull(name), Expected: types.StringValue("the same deployment on every cluster"),
		})
	}
	return drift
}

// LeftEndpoints are objects for external-dns that nobody asks for any more: left by
// a run that was killed. The next apply removes them.
func LeftEndpoints(observed []observe.Main) []attrs.Drift {
	var drift []attrs.Drift
	for _, o := range observed {
		if o.Endpoint != nil {
			drift = append(drift, attrs.Drift{
				Cluster: types.StringValue(o.Cluster), Object: types.StringValue(externaldns.Kind + "/" + o.Endpoint.Name),
				Expected: types.StringValue("to be removed"), Actual: types.StringValue("still there"),
			})
		}
	}
	return drift
}

// Rebuild fills an imported address from what lives. A configured cluster that
// cannot be read is an error: a subset would plan to make the rest again. group is
// the one that it is imported with; empty for a main deployment.
func (m *Model) Rebuild(ctx context.Context, group string, observed []observe.Main, diags *diag.Diagnostics) bool {
	var names []string
	splits := map[string]release.Split{}
	for _, o := range observed {
		if o.Err != nil {
			explain.Error(diags, o.Err)
			continue
		}
		name, ok := o.Split.Stable()
		if to := o.Tried(); !ok && to != "" {
			name, ok = to, true
		}
		if o.Main == nil || o.Service == nil || !ok {
			continue
		}
		if o.Main.Group != group {
			explain.Error(diags, &release.GroupOwnedError{Cluster: o.Cluster, ID: m.ID.ValueString(), Group: o.Main.Group, Deployment: o.Main.Deployment})
			continue
		}
		names = append(names, o.Cluster)
		splits[o.Cluster] = o.Split
		if len(names) == 1 {
			m.rebuildFrom(ctx, o, name, diags)
		}
	}
	if diags.HasError() {
		return true
	}
	m.AbandonUnreachable = types.BoolValue(false)
	m.Status = types.StringValue(string(release.MainFinalized))
	m.refreshStatus(observed)
	m.refreshStays(observed)
	m.refreshRefused(observed)
	m.refreshStopped(observed)
	m.Split = SplitValue(splits)
	ended := attrs.ClusterStatuses{}
	for _, name := range names {
		ended[name] = attrs.ClusterStatus{Status: m.Status.ValueString(), Message: m.StatusReason.ValueString()}
	}
	m.ClusterStatus, m.Drift = ended.Value(), attrs.NoDrift()
	m.Clusters = attrs.ClusterSet(ctx, names, diags)
	return len(names) > 0
}

// rebuildFrom takes over what one cluster tells of the address, which leads to name.
func (m *Model) rebuildFrom(ctx context.Context, o observe.Main, name string, diags *diag.Diagnostics) {
	m.DeploymentID = m.deployment(name)
	m.Owner = types.StringValue(o.Main.Owner)
	m.KeepPrevious = KeepValue(o.Main.Keep())
	m.Drain = types.StringValue(o.Main.Drain.String())
	m.PromotedAt = attrs.TimeOrNull(o.Main.PromotedAt)
	if len(o.Main.Previous) > 0 {
		m.PreviousDeploymentID = m.deployment(o.Main.Previous[0])
	}
	service := o.ServiceSpec(m.Namespace.ValueString(), m.Application.ValueString())
	diags.Append(m.setService(ctx, service)...)
	typed, more := types.ObjectValueFrom(ctx, trafficTypes(), trafficModel{
		Service: m.Traffic.Attributes()["service"].(types.Object), Gateway: gatewayOf(ctx, o.RouteOrNone(service.Namespace, service.Application), service.Ports, diags),
	})
	diags.Append(more...)
	m.Traffic = typed
	if service.Adopt {
		m.setAdoptedURL(o.Service)
	} else {
		m.setURL(service)
	}
}
