package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// promoteRequest is what the model asks of the engine, less the clusters.
func (m *mainDeploymentModel) promoteRequest(ctx context.Context, owner string, diags *diag.Diagnostics) rollout.PromoteRequest {
	id, err := release.ParseID(m.DeploymentID.ValueString())
	diags.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), m.DeploymentID, m.Namespace, m.Application)...)
	keep, more := m.keep(ctx)
	diags.Append(more...)
	if err != nil || diags.HasError() {
		return rollout.PromoteRequest{}
	}
	return rollout.PromoteRequest{
		Service: m.serviceSpec(ctx, diags), To: id.Name, Owner: owner, Keep: keep, Drain: m.drain(),
		Bake: m.bakes(), RetryToken: m.RetryToken.ValueString(), Rollout: attrs.RolloutOf(ctx, diags, m.Rollout), Unready: map[string]error{},
	}
}

// serviceSpec is the application's own address.
func (m *mainDeploymentModel) serviceSpec(ctx context.Context, diags *diag.Diagnostics) traffic.ServiceSpec {
	s, more := m.service(ctx)
	diags.Append(more...)
	return s.spec(m.Namespace.ValueString(), m.Application.ValueString())
}

func (s mainService) spec(namespace, application string) traffic.ServiceSpec {
	return traffic.ServiceSpec{
		Namespace: namespace, Application: application,
		Name: s.Name, Adopt: s.Adopt, Ports: s.Ports, Annotations: s.Annotations,
		Type:                  corev1.ServiceType(s.Type),
		SessionAffinity:       corev1.ServiceAffinity(s.SessionAffinity),
		LoadBalancerClass:     s.LoadBalancerClass,
		ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicy(s.ExternalTrafficPolicy),
	}
}

func (m *mainDeploymentModel) clusterNames(ctx context.Context, diags *diag.Diagnostics) []string {
	return attrs.Decode[[]string](ctx, diags, m.Clusters)
}

// imported says that only the id is known: Read must rebuild the rest.
func (m *mainDeploymentModel) imported() bool { return m.DeploymentID.IsNull() }

// setPromoted writes what became of the address. prior is nil at first.
func (m *mainDeploymentModel) setPromoted(ctx context.Context, prior *mainDeploymentModel, done rollout.Promoted, names []string, diags *diag.Diagnostics) {
	m.ID = types.StringValue(attrs.MainID(m.Namespace.ValueString(), m.Application.ValueString()))
	m.Owner = types.StringValue(done.Owner)
	if m.Traffic.IsUnknown() || !attrs.WhollyKnown(ctx, m.Traffic) {
		planned, _, more := m.serviceModel(ctx)
		diags.Append(more...)
		service, more := m.service(ctx)
		diags.Append(more...)
		diags.Append(m.setService(ctx, service)...)
		resolved, _, more := m.serviceModel(ctx)
		diags.Append(more...)
		resolved.Adopt = planned.Adopt // false is not null
		diags.Append(m.setServiceModel(ctx, resolved)...)
	}
	service, more := m.service(ctx)
	diags.Append(more...)
	m.setURL(service)
	if service.Adopt && m.URL.IsUnknown() {
		m.URL = types.StringNull()
		m.setAdoptedURL(done.Service)
	}
	m.setMoved(done)
	m.setEnded(ctx, prior, done, names, diags)
	m.Status = types.StringValue(string(done.Status))
	m.StatusReason = attrs.TextOrNull(done.Reason)
	m.Drift = attrs.NoDrift()
}

// setMoved writes what is known once traffic is where it was asked to be.
func (m *mainDeploymentModel) setMoved(done rollout.Promoted) {
	m.PreviousDeploymentID = types.StringNull()
	if done.Previous != "" {
		m.PreviousDeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: done.Previous}.String())
	}
	m.PromotedAt = attrs.TimeOrNull(done.PromotedAt)
}

// setUpdated writes what an update learned, where the plan left room for it.
func (m *mainDeploymentModel) setUpdated(ctx context.Context, prior *mainDeploymentModel, done rollout.Promoted, names []string, diags *diag.Diagnostics) {
	planned := *m
	m.setPromoted(ctx, prior, done, names, diags)
	if !planned.StatusReason.IsUnknown() {
		m.StatusReason = planned.StatusReason
	}
	if !planned.ClusterStatus.IsUnknown() {
		m.ClusterStatus = planned.ClusterStatus
	}
	if !planned.PreviousDeploymentID.IsUnknown() {
		m.PreviousDeploymentID, m.PromotedAt, m.Split = planned.PreviousDeploymentID, planned.PromotedAt, planned.Split
	}
}

// setFailed notes on a former state how an attempt to change it ended. Only
// where the traffic really has moved does the pointer move with it.
func (m *mainDeploymentModel) setFailed(ctx context.Context, done rollout.Promoted, asked rollout.PromoteRequest, diags *diag.Diagnostics) {
	if done.Moved {
		m.DeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: asked.To}.String())
		m.setMoved(done)
	}
	prior, names := *m, m.clusterNames(ctx, diags)
	m.setEnded(ctx, &prior, done, names, diags)
	if name := agreed(done.Clusters, names); name != "" && !done.Moved {
		// What a run that was cut off had moved, and a refresh has seen, may be back.
		m.DeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: name}.String())
	}
	m.Status = types.StringValue(string(done.Status))
	m.StatusReason = attrs.TextOrNull(done.Reason)
}

// refresh writes who really gets the traffic. deployment_id becomes another
// release only where all clusters that can be read agree on it; else drift and
// split show the disagreement.
func (m *mainDeploymentModel) refresh(ctx context.Context, observed []rollout.ObservedMain, diags *diag.Diagnostics) bool {
	drift, splits := []attrs.Drift{}, map[string]release.Split{}
	prior := attrs.Decode[map[string]map[string]int64](ctx, diags, m.Split)
	exists, stable := false, map[string]bool{}
	wanted := m.serviceSpec(ctx, diags)
	for _, o := range observed {
		if o.Err != nil {
			exists = true // see tellUnread
			splits[o.Cluster] = priorSplit(prior[o.Cluster])
			continue
		}
		exists = exists || o.Exists()
		if wanted.Adopt {
			m.setAdoptedURL(o.Service)
		}
		splits[o.Cluster] = o.Split
		name, ok := o.Split.Stable()
		if ok {
			stable[name] = true
		}
		drift = append(drift, m.driftOf(o, wanted, ok)...)
	}
	if !exists {
		return false
	}
	drift = append(drift, m.refreshDNS(ctx, observed, diags)...)
	if len(stable) == 1 && !hasMissing(splits) {
		for name := range stable {
			m.DeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: name}.String())
			m.refreshPrevious(observed[0], name)
		}
	} else if len(stable) > 1 {
		drift = append(drift, disagreement(splits)...)
	}
	m.refreshStatus(observed)
	m.Split = splitValue(splits)
	list, more := attrs.DriftList(ctx, drift)
	diags.Append(more...)
	m.Drift = list
	return true
}

// refreshPrevious follows a promotion that another run, or an action, has made
// since. A pointer that was moved by hand has no record of that.
func (m *mainDeploymentModel) refreshPrevious(first rollout.ObservedMain, name string) {
	if first.Main == nil || first.Main.Deployment != name || first.Main.Progress != nil {
		return
	}
	m.PromotedAt = attrs.TimeOrNull(first.Main.PromotedAt)
	m.PreviousDeploymentID = types.StringNull()
	if len(first.Main.Previous) > 0 {
		m.PreviousDeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: first.Main.Previous[0]}.String())
	}
}

func priorSplit(percents map[string]int64) release.Split {
	split := release.Split{}
	for name, percent := range percents {
		split[name] = int(percent)
	}
	return split
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
func (m *mainDeploymentModel) refreshStatus(observed []rollout.ObservedMain) {
	for _, o := range observed {
		now, stable := o.Split.Stable()
		switch {
		case o.Main == nil:
		case o.Main.Progress != nil && o.Main.Progress.Direction == release.DirectionNone && o.Main.Breach != nil:
			m.Status = types.StringValue(string(release.MainFailed))
			m.StatusReason = types.StringValue(o.Main.Breach.Reason)
			return
		case o.Main.Progress != nil:
			m.Status = types.StringValue(string(o.Main.Progress.Status()))
			m.StatusReason = types.StringValue(unfinished(o))
			return
		case stable && now != o.Main.Deployment:
			// Not written down yet: a promotion does that, wherever the traffic is wanted.
			m.Status = types.StringValue(string(release.MainFinalizing))
			m.StatusReason = types.StringValue(fmt.Sprintf("somebody moved the address from %s to %s on cluster %q", release.OrNothing(o.Main.Deployment), now, o.Cluster))
			return
		case len(o.Leftover) > 0:
			m.Status = types.StringValue(string(release.MainFinalizing))
			m.StatusReason = types.StringValue(fmt.Sprintf("to be removed on cluster %q: %s", o.Cluster, strings.Join(o.Leftover, ", ")))
			return
		}
	}
}

// unfinished says which promotion has not come to its end on a cluster.
func unfinished(o rollout.ObservedMain) string {
	from, to := o.Main.Progress.From, o.Main.Progress.To
	if from == to {
		return fmt.Sprintf("a promotion to %s was left unfinished on cluster %q", to, o.Cluster)
	}
	return fmt.Sprintf("a promotion from %s to %s was left unfinished on cluster %q", release.OrNothing(from), to, o.Cluster)
}

// driftOf is what others changed of the address on one cluster.
func (m *mainDeploymentModel) driftOf(o rollout.ObservedMain, wanted traffic.ServiceSpec, stable bool) []attrs.Drift {
	object := "Service/" + wanted.Name
	if o.Service == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, object)}
	}
	if o.Main == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, "ConfigMap/"+release.MainName(wanted.Application))}
	}
	to := o.Main.Deployment
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

// rebuild fills an imported resource from what lives. A configured cluster that
// cannot be read is an error: a subset would plan to make the rest again.
func (m *mainDeploymentModel) rebuild(ctx context.Context, observed []rollout.ObservedMain, diags *diag.Diagnostics) bool {
	var names []string
	splits := map[string]release.Split{}
	for _, o := range observed {
		if o.Err != nil {
			explain.Error(diags, o.Err)
			continue
		}
		name, ok := o.Split.Stable()
		if o.Main == nil || o.Service == nil || !ok {
			continue
		}
		if o.Main.Group != "" {
			explain.Error(diags, &release.GroupOwnedError{Cluster: o.Cluster, ID: m.ID.ValueString(), Group: o.Main.Group, Deployment: o.Main.Deployment})
			continue
		}
		names = append(names, o.Cluster)
		splits[o.Cluster] = o.Split
		if len(names) > 1 {
			continue
		}
		m.DeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: name}.String())
		m.Owner = types.StringValue(o.Main.Owner)
		m.setKeep(o.Main.Keep())
		m.Drain = types.StringValue(o.Main.Drain.String())
		m.PromotedAt = attrs.TimeOrNull(o.Main.PromotedAt)
		if len(o.Main.Previous) > 0 {
			m.PreviousDeploymentID = types.StringValue(release.ID{Namespace: m.Namespace.ValueString(), Name: o.Main.Previous[0]}.String())
		}
		service := serviceOf(o)
		diags.Append(m.setService(ctx, service)...)
		if service.Adopt {
			m.setAdoptedURL(o.Service)
		} else {
			m.setURL(service)
		}
	}
	if diags.HasError() {
		return true
	}
	m.AbandonUnreachable = types.BoolValue(false)
	m.Status = types.StringValue(string(release.MainFinalized))
	m.refreshStatus(observed)
	m.Split = splitValue(splits)
	ended := attrs.ClusterStatuses{}
	for _, name := range names {
		ended[name] = attrs.ClusterStatus{Status: m.Status.ValueString(), Message: m.StatusReason.ValueString()}
	}
	m.ClusterStatus, m.Drift = ended.Value(), attrs.NoDrift()
	m.Clusters = attrs.ClusterSet(ctx, names, diags)
	m.rebuildDNS(ctx, observed, diags)
	return len(names) > 0
}

// serviceOf is what a user would have written to get this address. Only fields
// of our own apply count, which the baseline lists: the rest are defaults, or
// somebody else's. Of an adopted Service nothing is ours but the selector.
func serviceOf(o rollout.ObservedMain) mainService {
	svc, baseline := o.Service, o.Main.Baseline
	if o.Main.Adopted != nil {
		return mainService{Name: svc.Name, Adopt: true}
	}
	s := mainService{
		Name: svc.Name, Type: string(svc.Spec.Type), SessionAffinity: string(svc.Spec.SessionAffinity),
		Ports: map[string]int32{}, Annotations: map[string]string{},
	}
	if class := svc.Spec.LoadBalancerClass; class != nil && baseline["spec.loadBalancerClass"] != "" {
		s.LoadBalancerClass = *class
	}
	if baseline["spec.externalTrafficPolicy"] != "" {
		s.ExternalTrafficPolicy = string(svc.Spec.ExternalTrafficPolicy)
	}
	for name, value := range svc.Annotations {
		if baseline["metadata.annotations["+name+"]"] != "" {
			s.Annotations[name] = value
		}
	}
	for _, port := range svc.Spec.Ports {
		s.Ports[port.Name] = port.Port
	}
	return s
}

// lookedAt are the clusters on which an address could be read.
func (m *mainDeploymentModel) lookedAt(observed []rollout.ObservedMain) []session.Looked {
	var found []session.Looked
	for _, o := range observed {
		if o.Err == nil {
			found = append(found, session.Looked{
				Cluster: o.Cluster, Namespace: m.Namespace.ValueString(), Application: m.Application.ValueString(),
				Past: o.Past, OutOfDate: o.Main.OutOfDate(m.Owner.ValueString()),
			})
		}
	}
	return found
}
