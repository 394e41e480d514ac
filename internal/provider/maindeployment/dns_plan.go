package maindeployment

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// addProblems puts what does not fit together on the attributes that it is
// about. advice says whether to tell what works nevertheless, too.
func addProblems(diags *diag.Diagnostics, at path.Path, problems []release.DNSProblem, advice bool) {
	for _, p := range problems {
		where := at.AtName(p.Attribute)
		if p.Key != "" {
			where = where.AtMapKey(p.Key)
		}
		switch {
		case !p.Advice:
			diags.AddAttributeError(where, p.Summary, p.Detail)
		case advice:
			diags.AddAttributeWarning(where, p.Summary, p.Detail)
		}
	}
}

// dnsPlan is `dns` with what it is about: false where there is none, or none
// that is known.
func (m *model) dnsPlan(ctx context.Context, diags *diag.Diagnostics) (release.DNSPlan, bool) {
	plan, ok := attrs.DNSOf(ctx, m.DNS, diags)
	if !ok {
		return plan, false
	}
	plan.Namespace, plan.Application = m.Namespace.ValueString(), m.Application.ValueString()
	plan.Open["namespace"] = m.Namespace.IsUnknown() || m.Application.IsUnknown()
	if !m.Clusters.IsNull() && attrs.WhollyKnown(ctx, m.Clusters) {
		plan.Clusters = m.ClusterNames(ctx, diags)
	}
	service, known, more := m.ServiceModel(ctx)
	diags.Append(more...)
	plan.Balanced = !known || service.MayBalance()
	return plan, true
}

// validateDNS is what a configuration can tell of `dns` by itself.
func validateDNS(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m model
	if resp.Diagnostics.HasError() || req.Config.Get(ctx, &m).HasError() {
		return
	}
	if plan, ok := m.dnsPlan(ctx, &resp.Diagnostics); ok {
		addProblems(&resp.Diagnostics, attrs.DNSPath, plan.Problems(), false)
	}
}

// planDNS checks `dns` against the clusters that the main deployment is on, and
// plans `dns_records` as far as the addresses are known.
func (r *mainDeploymentResource) planDNS(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() {
		return
	}
	p := dnsPlanning{ctx: ctx, diags: &resp.Diagnostics}
	p.diags.Append(resp.Plan.Get(ctx, &p.plan)...)
	if !req.State.Raw.IsNull() {
		p.state = new(model)
		p.diags.Append(req.State.Get(ctx, p.state)...)
	}
	if p.diags.HasError() {
		return
	}
	p.diags.Append(resp.Plan.SetAttribute(ctx, path.Root("dns_records"), p.records())...)
}

// dnsPlanning is one planning of a name across clusters.
type dnsPlanning struct {
	ctx   context.Context
	diags *diag.Diagnostics
	plan  model
	state *model // nil: nothing there yet
}

func (p *dnsPlanning) records() types.List {
	unknown := types.ListUnknown(attrs.DNSRecordType())
	if p.plan.DNS.IsNull() {
		return attrs.DNSRecordsValue(p.ctx, nil, p.diags)
	}
	dns, ok := p.plan.dnsPlan(p.ctx, p.diags)
	if !ok {
		return unknown
	}
	addProblems(p.diags, attrs.DNSPath, dns.Problems(), true)
	p.advise(dns.DNS)
	if p.diags.HasError() || dns.Clusters == nil || !attrs.WhollyKnown(p.ctx, p.plan.DNS) || dns.Open["namespace"] {
		return unknown
	}
	addresses, ok := dns.Targets, true
	if len(dns.Awaits(dns.Clusters)) > 0 {
		if p.stays() {
			return p.state.DNSRecords
		}
		addresses, ok = p.addresses(dns)
	}
	if !ok {
		return unknown
	}
	records, err := dns.Records(dns.Namespace, dns.Application, addresses)
	if err != nil {
		explain.Error(p.diags, err)
	}
	return attrs.DNSRecordsValue(p.ctx, records, p.diags)
}

// stays says that nothing is planned which could change the records: the last
// refresh has just written them.
func (p *dnsPlanning) stays() bool {
	return p.state != nil && p.sameAddress() && p.plan.DNS.Equal(p.state.DNS) && p.plan.Clusters.Equal(p.state.Clusters) &&
		!p.state.DNSRecords.IsNull() && p.state.Settled()
}

// sameAddress says that the application keeps the address that it has.
func (p *dnsPlanning) sameAddress() bool {
	return p.plan.ID.Equal(p.state.ID) && p.plan.Traffic.Equal(p.state.Traffic)
}

// addresses are those that the last records lead to on each cluster, as a refresh has
// found them: a plan does not look by itself, because Terraform plans again before it
// applies, and refuses what has become another plan. The one record that all clusters
// have together does not tell which address is whose.
func (p *dnsPlanning) addresses(dns release.DNSPlan) (map[string][]string, bool) {
	if p.state == nil || !p.sameAddress() {
		return nil, false
	}
	was := p.state.dns(p.ctx, p.diags)
	before, addresses := map[string][]string{}, map[string][]string{}
	for _, r := range attrs.DNSRecordsOf(p.ctx, p.state.DNSRecords, p.diags) {
		before[r.Cluster] = append(before[r.Cluster], r.Values...)
	}
	for _, cluster := range dns.Clusters {
		switch given := dns.Targets[cluster]; {
		case len(given) > 0:
			addresses[cluster] = given
		case was == nil || len(was.Targets[cluster]) > 0 || len(before[cluster]) == 0:
			return nil, false
		default:
			addresses[cluster] = before[cluster]
		}
	}
	return addresses, true
}

// advise tells of changes that external-dns cannot make in one step.
func (p *dnsPlanning) advise(dns release.DNS) {
	if p.state == nil || !dns.Endpoints || p.diags.HasError() {
		return
	}
	prior := p.state.dns(p.ctx, p.diags)
	if prior == nil || !prior.Endpoints || prior.Name != dns.Name || prior.Policy == dns.Policy {
		return
	}
	p.diags.AddAttributeWarning(attrs.DNSPath.AtName("policy"), "DNS policy changes under one name",
		fmt.Sprintf("Route 53 has records of one policy at a time under one name and type, and each cluster's external-dns changes only its own. "+
			"So they may stand in each other's way until all records of the policy %q are gone. To be safe, remove `dns` in an apply of its own, wait until external-dns has removed the records, and add it again with %q.", prior.Policy, dns.Policy))
}
