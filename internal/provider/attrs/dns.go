package attrs

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// dnsModel is a `dns` attribute.
type dnsModel struct {
	Name         types.String `tfsdk:"name"`
	Policy       types.String `tfsdk:"policy"`
	TTL          types.String `tfsdk:"ttl"`
	Endpoints    types.Bool   `tfsdk:"endpoints"`
	Backend      types.String `tfsdk:"backend"`
	Primary      types.String `tfsdk:"primary"`
	Weights      types.Map    `tfsdk:"weights"`
	Regions      types.Map    `tfsdk:"regions"`
	Targets      types.Map    `tfsdk:"targets"`
	HealthChecks types.Map    `tfsdk:"health_checks"`
	Labels       types.Map    `tfsdk:"labels"`
	Annotations  types.Map    `tfsdk:"annotations"`
}

// dnsRecordModel is one of `dns_records`.
type dnsRecordModel struct {
	Cluster       types.String `tfsdk:"cluster"`
	Name          types.String `tfsdk:"name"`
	Type          types.String `tfsdk:"type"`
	TTL           types.Int64  `tfsdk:"ttl"`
	Values        []string     `tfsdk:"values"`
	SetIdentifier types.String `tfsdk:"set_identifier"`
	Weight        types.Int64  `tfsdk:"weight"`
	Region        types.String `tfsdk:"region"`
	Failover      types.String `tfsdk:"failover"`
	HealthCheckID types.String `tfsdk:"health_check_id"`
}

// DNSOf is a `dns` attribute that need not be wholly known; false where it is
// null, or unknown as a whole.
func DNSOf(ctx context.Context, object types.Object, diags *diag.Diagnostics) (release.DNSPlan, bool) {
	if object.IsNull() || object.IsUnknown() {
		return release.DNSPlan{}, false
	}
	m := Decode[dnsModel](ctx, diags, object)
	plan := release.DNSPlan{Open: map[string]bool{}}
	text := func(attribute string, s types.String) string {
		plan.Open[attribute] = s.IsUnknown()
		return s.ValueString()
	}
	plan.Name = text("name", m.Name)
	plan.Policy = release.DNSPolicy(OrDefault(text("policy", m.Policy), string(release.DNSSimple)))
	plan.Backend, plan.Primary = release.DNSBackend(text("backend", m.Backend)), text("primary", m.Primary)
	plan.TTL = release.DefaultDNSTTL
	if ttl, err := time.ParseDuration(text("ttl", m.TTL)); err == nil {
		plan.TTL = ttl
	}
	plan.Open["endpoints"] = m.Endpoints.IsUnknown()
	plan.Endpoints = m.Endpoints.IsNull() || m.Endpoints.ValueBool()
	plan.Weights = dnsMap(plan, "weights", m.Weights, func(v attr.Value) int64 { return v.(types.Int64).ValueInt64() })
	asText := func(v attr.Value) string { return v.(types.String).ValueString() }
	plan.Regions = dnsMap(plan, "regions", m.Regions, asText)
	plan.HealthChecks = dnsMap(plan, "health_checks", m.HealthChecks, asText)
	plan.Labels, plan.Annotations = dnsMap(plan, "labels", m.Labels, asText), dnsMap(plan, "annotations", m.Annotations, asText)
	plan.Targets = dnsMap(plan, "targets", m.Targets, func(v attr.Value) []string {
		var targets []string
		for _, element := range v.(types.Set).Elements() {
			plan.Open["targets"] = plan.Open["targets"] || element.IsUnknown()
			targets = append(targets, asText(element))
		}
		slices.Sort(targets)
		return targets
	})
	return plan, true
}

// dnsMap reads a map of which some values, or all of it, may be unknown.
func dnsMap[V any](plan release.DNSPlan, attribute string, m types.Map, value func(attr.Value) V) map[string]V {
	plan.Open[attribute] = m.IsUnknown()
	if m.IsNull() || m.IsUnknown() {
		return nil
	}
	found := map[string]V{}
	for key, element := range m.Elements() {
		if element.IsNull() {
			continue
		}
		if element.IsUnknown() {
			plan.Open[attribute+"."+key] = true
		}
		found[key] = value(element)
	}
	return found
}

// DNSObject is the attribute as a user would have written it, for import.
func DNSObject(ctx context.Context, dns release.DNS) (types.Object, diag.Diagnostics) {
	var diags diag.Diagnostics
	object := diagnosed(types.ObjectValueFrom(ctx, DNSTypes().AttrTypes, dnsModel{
		Name: types.StringValue(dns.Name), Policy: types.StringValue(string(dns.Policy)), TTL: types.StringValue(DurationText(dns.TTL)),
		Endpoints: types.BoolValue(dns.Endpoints), Backend: TextOrNull(string(dns.Backend)), Primary: TextOrNull(dns.Primary),
		Weights:      mapOrNull(ctx, WholeNumber64{}, dns.Weights, &diags),
		Regions:      mapOrNull(ctx, types.StringType, dns.Regions, &diags),
		Targets:      mapOrNull(ctx, types.SetType{ElemType: types.StringType}, dns.Targets, &diags),
		HealthChecks: mapOrNull(ctx, types.StringType, dns.HealthChecks, &diags),
		Labels:       mapOrNull(ctx, types.StringType, dns.Labels, &diags),
		Annotations:  mapOrNull(ctx, types.StringType, dns.Annotations, &diags),
	}))(&diags)
	return object, diags
}

func mapOrNull[V any](ctx context.Context, element attr.Type, m map[string]V, diags *diag.Diagnostics) types.Map {
	if len(m) == 0 {
		return types.MapNull(element)
	}
	return diagnosed(types.MapValueFrom(ctx, element, m))(diags)
}

// diagnosed hands a value on and gathers its diagnostics.
func diagnosed[T any](v T, more diag.Diagnostics) func(*diag.Diagnostics) T {
	return func(diags *diag.Diagnostics) T {
		diags.Append(more...)
		return v
	}
}

// DNSRecordsValue is `dns_records`; no records are an empty list, never null.
func DNSRecordsValue(ctx context.Context, records []release.DNSRecord, diags *diag.Diagnostics) types.List {
	models := []dnsRecordModel{}
	for _, r := range records {
		models = append(models, dnsRecordModel{
			Cluster: TextOrNull(r.Cluster), Name: types.StringValue(r.Name), Type: types.StringValue(r.Type),
			TTL: types.Int64Value(r.TTL), Values: r.Values, SetIdentifier: TextOrNull(r.SetIdentifier),
			Weight: types.Int64PointerValue(r.Weight), Region: TextOrNull(r.Region), Failover: TextOrNull(r.Failover), HealthCheckID: TextOrNull(r.HealthCheckID),
		})
	}
	return diagnosed(types.ListValueFrom(ctx, DNSRecordType(), models))(diags)
}

// DNSRecordsOf reads `dns_records`.
func DNSRecordsOf(ctx context.Context, list types.List, diags *diag.Diagnostics) []release.DNSRecord {
	return ConvertList(Decode[[]dnsRecordModel](ctx, diags, list), func(m dnsRecordModel) release.DNSRecord {
		return release.DNSRecord{
			Cluster: m.Cluster.ValueString(), Name: m.Name.ValueString(), Type: m.Type.ValueString(), TTL: m.TTL.ValueInt64(), Values: m.Values,
			SetIdentifier: m.SetIdentifier.ValueString(), Weight: m.Weight.ValueInt64Pointer(), Region: m.Region.ValueString(),
			Failover: m.Failover.ValueString(), HealthCheckID: m.HealthCheckID.ValueString(),
		}
	})
}
