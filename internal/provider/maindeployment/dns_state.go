package maindeployment

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// dns is the attribute of a plan or state in which it is known; nil where there
// is none.
func (m *model) dns(ctx context.Context, diags *diag.Diagnostics) *release.DNS {
	plan, ok := attrs.DNSOf(ctx, m.DNS, diags)
	if !ok {
		return nil
	}
	return &plan.DNS
}

// asksExternalDNS says that there is, or may be, an object for external-dns.
func (m *model) asksExternalDNS() bool {
	endpoints, ok := m.DNS.Attributes()["endpoints"].(types.Bool)
	return ok && endpoints.ValueBool()
}

// promote moves the traffic, and brings the name across clusters up to date.
func (r *mainDeploymentResource) promote(ctx context.Context, plan *model, request rollout.PromoteRequest, diags *diag.Diagnostics) (rollout.Promoted, error) {
	done, records, err := r.Engine.PromoteNamed(ctx, request, plan.dns(ctx, diags))
	plan.setRecords(ctx, records, diags)
	return done, err
}

// setRecords writes the records where the plan left room for them.
func (m *model) setRecords(ctx context.Context, records []release.DNSRecord, diags *diag.Diagnostics) {
	if m.DNSRecords.IsUnknown() || m.DNSRecords.IsNull() {
		m.DNSRecords = attrs.DNSRecordsValue(ctx, records, diags)
	}
}

// refreshDNS follows the addresses in `dns_records`, and returns what is other in
// the objects than it should be. What has no address just now, or cannot be
// read, keeps its record: nobody should take a name away for that.
func (m *model) refreshDNS(ctx context.Context, observed []observe.Main, diags *diag.Diagnostics) []attrs.Drift {
	dns := m.dns(ctx, diags)
	if dns == nil {
		m.DNSRecords = attrs.DNSRecordsValue(ctx, nil, diags)
		return address.LeftEndpoints(observed)
	}
	namespace, application := m.Namespace.ValueString(), m.Application.ValueString()
	addresses, silent, names := map[string][]string{}, map[string]bool{}, []string{}
	for _, o := range observed {
		names = append(names, o.Cluster)
		addresses[o.Cluster] = traffic.Addresses(o.Service)
		silent[o.Cluster] = len(dns.Targets[o.Cluster]) == 0 && len(addresses[o.Cluster]) == 0
	}
	records, err := dns.Records(namespace, application, addresses)
	if err != nil {
		_, detail, _ := explain.Of(err)
		diags.AddAttributeWarning(attrs.DNSPath, "DNS records cannot follow the addresses", detail+" The last records are kept.")
		return nil
	}
	prior := attrs.DNSRecordsOf(ctx, m.DNSRecords, diags)
	records = keepSilent(records, prior, silent)
	m.DNSRecords = attrs.DNSRecordsValue(ctx, records, diags)
	if !dns.Endpoints {
		return address.LeftEndpoints(observed)
	}
	var drift []attrs.Drift
	for _, o := range observed {
		if o.EndpointErr != nil {
			explain.Error(diags, o.EndpointErr)
			continue
		}
		if mine := dns.Of(records, o.Cluster, names); o.Err == nil && o.Main != nil && len(mine) > 0 {
			drift = append(drift, endpointDrift(o, workload.DNSEndpoint(namespace, application, *dns, mine))...)
		}
	}
	return drift
}

// keepSilent puts back the former records of clusters that say nothing now. The
// one record of all of them stays as it was.
func keepSilent(records, prior []release.DNSRecord, silent map[string]bool) []release.DNSRecord {
	for _, is := range silent {
		if is && slices.ContainsFunc(prior, func(r release.DNSRecord) bool { return r.Cluster == "" }) {
			return prior
		}
	}
	for _, r := range prior {
		if silent[r.Cluster] {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, release.DNSRecord.Compare)
	return records
}

// endpointDrift is what is other in the object of one cluster than it should be.
func endpointDrift(o observe.Main, wanted *externaldns.DNSEndpoint) []attrs.Drift {
	object := externaldns.Kind + "/" + wanted.Name
	if o.Endpoint == nil || o.Main.DNS == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, object)}
	}
	return attrs.FieldDrift(o.Cluster, object, workload.DNSDrift(o.Endpoint, wanted, o.Main.DNS))
}

// rebuildDNS fills in `dns` of an imported resource, by what was asked for last.
func (m *model) rebuildDNS(ctx context.Context, observed []observe.Main, diags *diag.Diagnostics) {
	for _, o := range observed {
		if o.Main == nil || o.Main.DNS == nil {
			continue
		}
		object, more := attrs.DNSObject(ctx, o.Main.DNS.Spec)
		diags.Append(more...)
		m.DNS = object
		break
	}
	m.refreshDNS(ctx, observed, diags)
}
