package address

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Plan is one planning of an address. What is wrong is told at the address's place:
// of a group's member "api" at members["api"].traffic.
type Plan struct {
	Place           explain.Place
	Config, Planned Model
	Prior           *Model // nil: nothing there yet
	Watch           Watch
	Beside          string // the member of its group whose deployment is refused; empty: none, or each is for itself
	Stopped         bool   // the application shall have no pods
	WasStopped      bool   // nor has it
	Diags           *diag.Diagnostics
}

// ChooseClusters plans `clusters`. It is false where the address is on a cluster
// that the provider does not have any more: nothing else can be planned then.
func (p *Plan) ChooseClusters(configured session.ConfiguredClusters) bool {
	at, prior := p.Place.Named("clusters"), types.SetNull(types.StringType)
	if p.Prior != nil {
		prior = p.Prior.Clusters
		abandon := p.Planned.AbandonUnreachable.ValueBool() || p.Prior.AbandonUnreachable.ValueBool()
		if p.Diags.Append(session.CheckMissing(configured, at, p.Prior.What(), prior, p.Config.Clusters, abandon)...); p.Diags.HasError() {
			return false
		}
	}
	clusters, diags := session.PlanClusters(configured, at, p.Config.Clusters, prior)
	p.Diags.Append(diags...)
	p.Planned.Clusters = clusters
	return true
}

// Identify plans what follows from the inputs alone: id, url, and the Service's name; and
// that the traffic stays where it is, where somebody has taken it from what is asked for.
// It refuses a deployment that is not one of the application.
func (p *Plan) Identify(ctx context.Context) {
	m := &p.Planned
	p.keepRefused(ctx)
	p.Diags.Append(m.checkDeployment(p.Place)...)
	m.ID, m.URL = types.StringUnknown(), types.StringUnknown()
	if !m.Namespace.IsUnknown() && !m.Application.IsUnknown() {
		m.ID = types.StringValue(attrs.MainID(m.Namespace.ValueString(), m.Application.ValueString()))
	}
	configured, ok, diags := p.Config.ServiceModel(ctx)
	p.Diags.Append(diags...)
	planned, ok2, diags := m.ServiceModel(ctx)
	p.Diags.Append(diags...)
	if !ok || !ok2 {
		return
	}
	if configured.Name.IsNull() {
		planned.Name = m.Application // unknown while that is
		p.Diags.Append(m.setServiceModel(ctx, planned)...)
	}
	if planned.Adopt.IsUnknown() || planned.Adopt.ValueBool() {
		p.adopted(ctx, planned)
		return
	}
	if !m.Namespace.IsUnknown() && !planned.Name.IsUnknown() && attrs.WhollyKnown(ctx, planned.Ports) {
		m.setURL(m.Service(ctx, p.Diags))
	}
}

// Create plans an address that is not there yet.
func (p *Plan) Create(ctx context.Context) {
	p.Planned.Owner = types.StringUnknown()
	// An interrupted create ends in another status. With a known plan, Terraform
	// would taint what it made.
	p.Planned.Status, p.Planned.StatusReason = types.StringUnknown(), types.StringUnknown()
	p.Planned.Drift, p.Planned.ClusterStatus = attrs.NoDrift(), attrs.UnknownClusterStatus()
	p.Planned.Refused, p.Planned.StoppedBy = types.ObjectNull(refusedTypes), types.ObjectUnknown(stoppedByTypes)
	p.move()
	p.Planned.Retained = types.ListUnknown(stayType)
	p.summarize(ctx)
}

// Update plans a change in place. also says that something else changes, which does
// not move the traffic.
func (p *Plan) Update(ctx context.Context, also bool) {
	m, prior := &p.Planned, p.Prior
	m.Owner, m.Status, m.StatusReason = prior.Owner, prior.Status, prior.StatusReason
	m.PreviousDeploymentID, m.PromotedAt, m.Split, m.ClusterStatus = prior.PreviousDeploymentID, prior.PromotedAt, prior.Split, prior.ClusterStatus
	m.Retained, m.PlanSummary, m.Drift = prior.Retained, prior.PlanSummary, attrs.NoDrift()
	m.Refused, m.StoppedBy = p.refused(), prior.StoppedBy

	moves := p.goesOn() || !m.DeploymentID.Equal(prior.DeploymentID) || !m.Clusters.Equal(prior.Clusters) || !m.Traffic.Equal(prior.Traffic) ||
		!m.Drift.Equal(prior.Drift) || !prior.Settled()
	if moves || also || !m.KeepPrevious.Equal(prior.KeepPrevious) || !m.Drain.Equal(prior.Drain) {
		m.Status, m.StatusReason, m.ClusterStatus = types.StringValue(string(release.MainFinalized)), types.StringUnknown(), attrs.UnknownClusterStatus()
		if p.mayPause() {
			m.Status = types.StringUnknown()
		}
		m.Retained, m.StoppedBy = types.ListUnknown(stayType), types.ObjectUnknown(stoppedByTypes)
		p.summarize(ctx)
	}
	if p.goesOn() {
		p.warnOfLimit(ctx)
	}
	if moves {
		p.move()
	}
}

// goesOn says that a promotion that is paused may go on by what has changed of its steps.
func (p *Plan) goesOn() bool { return p.isPaused() && p.Watch.Changed }

// isPaused says that a promotion is.
func (p *Plan) isPaused() bool { return p.Prior != nil && p.Prior.isPaused() }

func (m *Model) isPaused() bool { return m.Status.ValueString() == string(release.MainPaused) }

// isOpen says that a promotion has not come to its end. Traffic that is shared says nothing
// of that: somebody may have changed the weights of a route by hand.
func (m *Model) isOpen() bool { return !m.Settled() || m.isPaused() }

// mayPause says that the apply may end in a pause, or move nothing: then its status is not
// known.
func (p *Plan) mayPause() bool {
	return p.isPaused() || p.MayBeRefused() || p.Watch.Unknown || len(p.Watch.Canary.Steps) > 0 || p.Watch.Canary.MaxWeight > 0
}

// move plans that traffic may move. Where it comes from is seen at apply:
// somebody may have moved it since, and a known value that turns out wrong
// would be an error of Terraform's.
func (p *Plan) move() {
	p.Planned.PreviousDeploymentID, p.Planned.PromotedAt = types.StringUnknown(), types.StringUnknown()
	p.Planned.Split = types.MapUnknown(SplitType) // as a whole: half-known maps cannot be planned
}

// Settled says that the last promotion has nothing left to do.
func (m *Model) Settled() bool {
	return release.MainStatus(m.Status.ValueString()).Kind() == release.KindSettled
}

// Advise tells the one limit that Switchback cannot see past.
func (p *Plan) Advise(ctx context.Context) {
	s, ok, _ := p.Planned.ServiceModel(ctx)
	if !ok || s.Type.ValueString() != serviceLoadBalancer || s.ExternalTrafficPolicy.ValueString() != policyLocal {
		return
	}
	p.Diags.AddAttributeWarning(p.Place.At(attrs.ServicePath.AtName("external_traffic_policy")), "Load balancer follows with a delay of its own",
		"With external_traffic_policy \"Local\" the load balancer sends traffic only to nodes that run a pod of the main deployment, and finds out by its own health checks "+
			"that they are other nodes after a switch. Switchback cannot see when that has happened. Set `drain` to longer than those health checks take, "+
			"or use \"Cluster\" where clients' addresses are not needed.")
}

// adopted plans an address that is somebody else's Service, or may turn out to
// be: the defaults of our own do not count, and only the cluster knows its ports.
func (p *Plan) adopted(ctx context.Context, planned ServiceModel) {
	m := &p.Planned
	m.URL = types.StringUnknown()
	if planned.Adopt.IsUnknown() {
		configured, _, diags := p.Config.ServiceModel(ctx)
		p.Diags.Append(diags...)
		if configured.Type.IsNull() {
			planned.Type = types.StringUnknown()
		}
		if configured.SessionAffinity.IsNull() {
			planned.SessionAffinity = types.StringUnknown()
		}
		p.Diags.Append(m.setServiceModel(ctx, planned)...)
		return
	}
	if p.Prior != nil && m.ID.Equal(p.Prior.ID) && !p.Prior.URL.IsNull() {
		m.URL = p.Prior.URL
	}
	p.Diags.Append(m.setServiceModel(ctx, adoptedService(planned.Name))...)
}

// KeepAdoption refuses to make an adopted address our own, or the reverse, or to
// adopt another one: two Services would be the address at once, and one of them
// is not ours to remove.
func (p *Plan) KeepAdoption(ctx context.Context) {
	prior, ok, diags := p.Prior.ServiceModel(ctx)
	p.Diags.Append(diags...)
	planned, ok2, diags := p.Planned.ServiceModel(ctx)
	p.Diags.Append(diags...)
	was, is := prior.Adopt.ValueBool(), planned.Adopt.ValueBool()
	if !ok || !ok2 || planned.Adopt.IsUnknown() || !was && !is {
		return
	}
	if was != is {
		now := "The Service %[1]q is adopted, and stays somebody else's as long as this main deployment exists. Keep `adopt = true`, or destroy this main deployment, which hands the Service back, and apply again."
		if is {
			now = "The address of this application is the Service %[1]q, which Switchback made. Leave `adopt` out, or destroy this main deployment, which removes that Service, and apply again."
		}
		p.Diags.AddAttributeError(p.Place.At(attrs.ServicePath.AtName("adopt")), "Adoption cannot change in place", fmt.Sprintf(now, prior.Name.ValueString()))
		return
	}
	if !planned.Name.IsUnknown() && !planned.Name.Equal(prior.Name) {
		p.Diags.AddAttributeError(p.Place.At(attrs.ServicePath.AtName("name")), "Adopted Service cannot be another one",
			fmt.Sprintf("The Service %q is adopted. Keep `name`, or destroy this main deployment, which hands the Service back, and apply again with the other one.", prior.Name.ValueString()))
	}
}
