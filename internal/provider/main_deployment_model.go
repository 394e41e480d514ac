package provider

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// mainDeploymentModel is switchback_main_deployment in configuration, plan and
// state.
type mainDeploymentModel struct {
	Application  types.String   `tfsdk:"application"`
	Namespace    types.String   `tfsdk:"namespace"`
	DeploymentID types.String   `tfsdk:"deployment_id"`
	Traffic      types.Object   `tfsdk:"traffic"`
	Clusters     types.Set      `tfsdk:"clusters"`
	KeepPrevious types.Object   `tfsdk:"keep_previous"`
	Drain        types.String   `tfsdk:"drain"`
	Bake         types.String   `tfsdk:"bake"`
	RetryToken   types.String   `tfsdk:"retry_token"`
	Rollout      types.Object   `tfsdk:"rollout"`
	DNS          types.Object   `tfsdk:"dns"`
	Timeouts     timeouts.Value `tfsdk:"timeouts"`

	AbandonUnreachable types.Bool `tfsdk:"abandon_unreachable"`

	ID                   types.String `tfsdk:"id"`
	Owner                types.String `tfsdk:"owner"`
	PreviousDeploymentID types.String `tfsdk:"previous_deployment_id"`
	URL                  types.String `tfsdk:"url"`
	Split                types.Map    `tfsdk:"split"`
	PromotedAt           types.String `tfsdk:"promoted_at"`
	Status               types.String `tfsdk:"status"`
	StatusReason         types.String `tfsdk:"status_reason"`
	ClusterStatus        types.Map    `tfsdk:"cluster_status"`
	Drift                types.List   `tfsdk:"drift"`
	DNSRecords           types.List   `tfsdk:"dns_records"`
}

// trafficModel is one level with framework values, so that planning can fill
// in the Service's name while other parts are unknown.
type trafficModel struct {
	Service types.Object `tfsdk:"service"`
}

// mainServiceModel is the application's own Service.
type mainServiceModel struct {
	Name                  types.String `tfsdk:"name"`
	Adopt                 types.Bool   `tfsdk:"adopt"`
	Ports                 types.Map    `tfsdk:"ports"`
	Type                  types.String `tfsdk:"type"`
	Annotations           types.Map    `tfsdk:"annotations"`
	SessionAffinity       types.String `tfsdk:"session_affinity"`
	LoadBalancerClass     types.String `tfsdk:"load_balancer_class"`
	ExternalTrafficPolicy types.String `tfsdk:"external_traffic_policy"`
}

// mainService is the same in Go values, for the engine and for import.
type mainService struct {
	Name                  string
	Adopt                 bool
	Ports                 map[string]int32
	Type                  string
	Annotations           map[string]string
	SessionAffinity       string
	LoadBalancerClass     string
	ExternalTrafficPolicy string
}

type keepPreviousModel struct {
	Count types.Int32  `tfsdk:"count"`
	TTL   types.String `tfsdk:"ttl"`
	State types.String `tfsdk:"state"`
}

var mainDeploymentTypes = sync.OnceValue(func() map[string]attr.Type {
	return attrs.AttributeTypes(mainDeploymentSchema(context.Background()))
})

func trafficTypes() map[string]attr.Type {
	return mainDeploymentTypes()["traffic"].(types.ObjectType).AttrTypes
}

func mainServiceTypes() map[string]attr.Type {
	return trafficTypes()["service"].(types.ObjectType).AttrTypes
}

// newMainDeploymentModel has a null of the right type in every field, as
// tfsdk.State.Set demands.
func newMainDeploymentModel() mainDeploymentModel {
	t := mainDeploymentTypes()
	return mainDeploymentModel{
		Traffic:      types.ObjectNull(trafficTypes()),
		Clusters:     types.SetNull(types.StringType),
		KeepPrevious: types.ObjectNull(t["keep_previous"].(types.ObjectType).AttrTypes),
		Timeouts:     timeouts.Value{Object: types.ObjectNull(t["timeouts"].(timeouts.Type).AttrTypes)},
		Rollout:      types.ObjectNull(t["rollout"].(types.ObjectType).AttrTypes),
		Split:        types.MapNull(splitType),

		ClusterStatus: attrs.NoClusterStatus(),
		Drift:         types.ListNull(attrs.DriftType()),
		DNS:           types.ObjectNull(attrs.DNSTypes().AttrTypes),
		DNSRecords:    types.ListNull(attrs.DNSRecordType()),
	}
}

// serviceModel is `traffic.service`, and false while it is unknown as a whole.
func (m *mainDeploymentModel) serviceModel(ctx context.Context) (mainServiceModel, bool, diag.Diagnostics) {
	var diags diag.Diagnostics
	if m.Traffic.IsNull() || m.Traffic.IsUnknown() {
		return mainServiceModel{}, false, diags
	}
	traffic := attrs.Decode[trafficModel](ctx, &diags, m.Traffic)
	if diags.HasError() || traffic.Service.IsNull() || traffic.Service.IsUnknown() {
		return mainServiceModel{}, false, diags
	}
	return attrs.Decode[mainServiceModel](ctx, &diags, traffic.Service), !diags.HasError(), diags
}

// setServiceModel writes `traffic.service`.
func (m *mainDeploymentModel) setServiceModel(ctx context.Context, s mainServiceModel) diag.Diagnostics {
	service, diags := types.ObjectValueFrom(ctx, mainServiceTypes(), s)
	if diags.HasError() {
		return diags
	}
	traffic, more := types.ObjectValueFrom(ctx, trafficTypes(), trafficModel{Service: service})
	diags.Append(more...)
	m.Traffic = traffic
	return diags
}

// service is `traffic.service` of a plan or state in which it is known.
func (m *mainDeploymentModel) service(ctx context.Context) (mainService, diag.Diagnostics) {
	s, known, diags := m.serviceModel(ctx)
	if !known || diags.HasError() {
		return mainService{}, diags
	}
	if s.Adopt.ValueBool() {
		return mainService{Name: attrs.OrDefault(s.Name.ValueString(), m.Application.ValueString()), Adopt: true}, diags
	}
	return mainService{
		Name:                  attrs.OrDefault(s.Name.ValueString(), m.Application.ValueString()),
		Ports:                 attrs.Present(attrs.Decode[map[string]*int32](ctx, &diags, s.Ports)),
		Type:                  attrs.OrDefault(s.Type.ValueString(), serviceClusterIP),
		Annotations:           attrs.Present(attrs.Decode[map[string]*string](ctx, &diags, s.Annotations)),
		SessionAffinity:       attrs.OrDefault(s.SessionAffinity.ValueString(), affinityNone),
		LoadBalancerClass:     s.LoadBalancerClass.ValueString(),
		ExternalTrafficPolicy: s.ExternalTrafficPolicy.ValueString(),
	}, diags
}

// setService writes `traffic` as a user would have who leaves out defaults:
// for import. Call it with what we applied, without the API server's defaults.
func (m *mainDeploymentModel) setService(ctx context.Context, s mainService) diag.Diagnostics {
	if s.Adopt {
		return m.setServiceModel(ctx, adoptedService(types.StringValue(s.Name)))
	}
	ports, diags := types.MapValueFrom(ctx, attrs.WholeNumber32{}, s.Ports)
	annotations := types.MapNull(types.StringType)
	if len(s.Annotations) > 0 {
		a, more := types.MapValueFrom(ctx, types.StringType, s.Annotations)
		diags.Append(more...)
		annotations = a
	}
	diags.Append(m.setServiceModel(ctx, mainServiceModel{
		Name:                  types.StringValue(s.Name),
		Ports:                 ports,
		Type:                  types.StringValue(attrs.OrDefault(s.Type, serviceClusterIP)),
		Annotations:           annotations,
		SessionAffinity:       types.StringValue(attrs.OrDefault(s.SessionAffinity, affinityNone)),
		LoadBalancerClass:     attrs.TextOrNull(s.LoadBalancerClass),
		ExternalTrafficPolicy: attrs.TextOrNull(s.ExternalTrafficPolicy),
	})...)
	return diags
}

// adoptedService is `traffic.service` of a Service that is not ours: nothing is
// said of it but its name.
func adoptedService(name types.String) mainServiceModel {
	return mainServiceModel{
		Name: name, Adopt: types.BoolValue(true),
		Ports: types.MapNull(attrs.WholeNumber32{}), Annotations: types.MapNull(types.StringType),
	}
}

// keep is `keep_previous`, which validation has checked.
func (m *mainDeploymentModel) keep(ctx context.Context) (release.Keep, diag.Diagnostics) {
	var diags diag.Diagnostics
	keep := release.Keep{Count: defaultKeepCount, State: release.DesiredStarted}
	if m.KeepPrevious.IsNull() || m.KeepPrevious.IsUnknown() {
		return keep, diags
	}
	typed := attrs.Decode[keepPreviousModel](ctx, &diags, m.KeepPrevious)
	if !typed.Count.IsNull() && !typed.Count.IsUnknown() {
		keep.Count = int(typed.Count.ValueInt32())
	}
	if attrs.Known(typed.State) {
		keep.State = release.DesiredState(typed.State.ValueString())
	}
	if ttl, err := time.ParseDuration(typed.TTL.ValueString()); err == nil {
		keep.TTL = ttl
	}
	return keep, diags
}

func (m *mainDeploymentModel) setKeep(keep release.Keep) {
	ttl := types.StringNull()
	if keep.TTL > 0 {
		ttl = types.StringValue(attrs.DurationText(keep.TTL))
	}
	m.KeepPrevious = types.ObjectValueMust(keepPreviousTypes, map[string]attr.Value{
		"count": types.Int32Value(int32(keep.Count)), "ttl": ttl, "state": types.StringValue(string(keep.State)),
	})
}

// drain is the attribute, which validation has checked.
func (m *mainDeploymentModel) drain() time.Duration {
	d, err := time.ParseDuration(m.Drain.ValueString())
	if err != nil {
		return release.DefaultDrain
	}
	return d
}

// setURL sets `url` from what is known: the same function at plan and apply. Of
// an adopted Service only the cluster knows the ports: see setAdoptedURL.
func (m *mainDeploymentModel) setURL(s mainService) {
	if s.Adopt {
		return
	}
	m.URL = types.StringNull()
	if len(s.Ports) > 0 {
		m.URL = types.StringValue(attrs.ServiceURL(s.Name, m.Namespace.ValueString(), s.Ports))
	}
}

// setAdoptedURL sets `url` from an adopted Service as it stands; nil leaves it.
func (m *mainDeploymentModel) setAdoptedURL(svc *corev1.Service) {
	if svc == nil || len(svc.Spec.Ports) == 0 {
		return
	}
	ports := map[string]int32{}
	for _, port := range svc.Spec.Ports {
		ports[port.Name] = port.Port
	}
	m.URL = types.StringValue(attrs.ServiceURL(svc.Name, svc.Namespace, ports))
}

// splitValue is the `split` attribute.
func splitValue(splits map[string]release.Split) types.Map {
	clusters := make(map[string]attr.Value, len(splits))
	for cluster, split := range splits {
		percents := make(map[string]attr.Value, len(split))
		for name, percent := range split {
			percents[name] = types.Int64Value(int64(percent))
		}
		clusters[cluster] = types.MapValueMust(types.Int64Type, percents)
	}
	return types.MapValueMust(splitType, clusters)
}
