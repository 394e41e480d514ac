package address

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// trafficModel is one level with framework values, so that planning can fill
// in the Service's name while other parts are unknown.
type trafficModel struct {
	Service types.Object `tfsdk:"service"`
	Gateway types.Object `tfsdk:"gateway"`
}

// ServiceModel is `traffic.service`, the application's own Service, of which parts
// may be unknown. What is known as a whole is a [traffic.ServiceSpec].
type ServiceModel struct {
	Name                  types.String `tfsdk:"name"`
	Adopt                 types.Bool   `tfsdk:"adopt"`
	Ports                 types.Map    `tfsdk:"ports"`
	Type                  types.String `tfsdk:"type"`
	Annotations           types.Map    `tfsdk:"annotations"`
	SessionAffinity       types.String `tfsdk:"session_affinity"`
	LoadBalancerClass     types.String `tfsdk:"load_balancer_class"`
	ExternalTrafficPolicy types.String `tfsdk:"external_traffic_policy"`
	AppProtocols          types.Map    `tfsdk:"app_protocols"`
	NodePorts             types.Map    `tfsdk:"node_ports"`
	SourceRanges          types.List   `tfsdk:"load_balancer_source_ranges"`
	IPFamilyPolicy        types.String `tfsdk:"ip_family_policy"`
	IPFamilies            types.List   `tfsdk:"ip_families"`
	TrafficDistribution   types.String `tfsdk:"traffic_distribution"`
}

// MayBalance says that the Service has, or may turn out to have, a load balancer. Of
// an adopted one only the cluster knows the type.
func (s ServiceModel) MayBalance() bool {
	adopt := s.Adopt.IsUnknown() || s.Adopt.ValueBool()
	return adopt || s.Type.IsUnknown() || s.Type.ValueString() == serviceLoadBalancer
}

var trafficTypes = sync.OnceValue(func() map[string]attr.Type {
	return TrafficAttribute().GetType().(types.ObjectType).AttrTypes
})

func serviceTypes() map[string]attr.Type {
	return trafficTypes()["service"].(types.ObjectType).AttrTypes
}

// ServiceModel is `traffic.service`, and false while it is unknown as a whole.
func (m *Model) ServiceModel(ctx context.Context) (ServiceModel, bool, diag.Diagnostics) {
	var diags diag.Diagnostics
	if m.Traffic.IsNull() || m.Traffic.IsUnknown() {
		return ServiceModel{}, false, diags
	}
	typed := attrs.Decode[trafficModel](ctx, &diags, m.Traffic)
	if diags.HasError() || typed.Service.IsNull() || typed.Service.IsUnknown() {
		return ServiceModel{}, false, diags
	}
	service := attrs.Decode[ServiceModel](ctx, &diags, typed.Service)
	return service, !diags.HasError(), diags
}

// setServiceModel writes `traffic.service`, and leaves the rest.
func (m *Model) setServiceModel(ctx context.Context, s ServiceModel) diag.Diagnostics {
	gateway := m.gateway(ctx)
	service, diags := types.ObjectValueFrom(ctx, serviceTypes(), s)
	if diags.HasError() {
		return diags
	}
	typed, more := types.ObjectValueFrom(ctx, trafficTypes(), trafficModel{Service: service, Gateway: gateway})
	diags.Append(more...)
	m.Traffic = typed
	return diags
}

// Service is the application's own Service, of a plan or state in which it is known.
func (m *Model) Service(ctx context.Context, diags *diag.Diagnostics) traffic.ServiceSpec {
	spec := traffic.ServiceSpec{Namespace: m.Namespace.ValueString(), Application: m.Application.ValueString()}
	s, known, more := m.ServiceModel(ctx)
	diags.Append(more...)
	if !known || more.HasError() {
		return spec
	}
	spec.Name, spec.Adopt = attrs.OrDefault(s.Name.ValueString(), m.Application.ValueString()), s.Adopt.ValueBool()
	if spec.Adopt {
		return spec // of which nothing else is ours
	}
	spec.Ports = attrs.Present(attrs.Decode[map[string]*int32](ctx, diags, s.Ports))
	spec.Annotations = attrs.Present(attrs.Decode[map[string]*string](ctx, diags, s.Annotations))
	spec.Type = corev1.ServiceType(attrs.OrDefault(s.Type.ValueString(), serviceClusterIP))
	spec.SessionAffinity = corev1.ServiceAffinity(attrs.OrDefault(s.SessionAffinity.ValueString(), affinityNone))
	spec.LoadBalancerClass = s.LoadBalancerClass.ValueString()
	spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicy(s.ExternalTrafficPolicy.ValueString())
	spec.AppProtocols = attrs.Present(attrs.Decode[map[string]*string](ctx, diags, s.AppProtocols))
	spec.NodePorts = attrs.Present(attrs.Decode[map[string]*int32](ctx, diags, s.NodePorts))
	spec.SourceRanges = attrs.Decode[[]string](ctx, diags, s.SourceRanges)
	spec.IPFamilies = attrs.Decode[[]corev1.IPFamily](ctx, diags, s.IPFamilies)
	spec.IPFamilyPolicy = corev1.IPFamilyPolicy(s.IPFamilyPolicy.ValueString())
	spec.TrafficDistribution = s.TrafficDistribution.ValueString()
	return spec
}

// setService writes `traffic` as a user would have who leaves out defaults:
// for import. Call it with what we applied, without the API server's defaults.
func (m *Model) setService(ctx context.Context, s traffic.ServiceSpec) diag.Diagnostics {
	if s.Adopt {
		return m.setServiceModel(ctx, adoptedService(types.StringValue(s.Name)))
	}
	var diags diag.Diagnostics
	diags.Append(m.setServiceModel(ctx, ServiceModel{
		Name:                  types.StringValue(s.Name),
		Ports:                 mapOf(ctx, &diags, attrs.WholeNumber32{}, s.Ports),
		Type:                  types.StringValue(attrs.OrDefault(string(s.Type), serviceClusterIP)),
		Annotations:           mapOf(ctx, &diags, types.StringType, s.Annotations),
		SessionAffinity:       types.StringValue(attrs.OrDefault(string(s.SessionAffinity), affinityNone)),
		LoadBalancerClass:     attrs.TextOrNull(s.LoadBalancerClass),
		ExternalTrafficPolicy: attrs.TextOrNull(string(s.ExternalTrafficPolicy)),
		AppProtocols:          mapOf(ctx, &diags, types.StringType, s.AppProtocols),
		NodePorts:             mapOf(ctx, &diags, attrs.WholeNumber32{}, s.NodePorts),
		SourceRanges:          listOf(ctx, &diags, s.SourceRanges),
		IPFamilyPolicy:        attrs.TextOrNull(string(s.IPFamilyPolicy)),
		IPFamilies:            listOf(ctx, &diags, s.IPFamilies),
		TrafficDistribution:   attrs.TextOrNull(s.TrafficDistribution),
	})...)
	return diags
}

// mapOf is null where there is nothing in it.
func mapOf[T any](ctx context.Context, diags *diag.Diagnostics, element attr.Type, of map[string]T) types.Map {
	if len(of) == 0 {
		return types.MapNull(element)
	}
	value, more := types.MapValueFrom(ctx, element, of)
	diags.Append(more...)
	return value
}

// listOf is null where there is nothing in it.
func listOf[T ~string](ctx context.Context, diags *diag.Diagnostics, of []T) types.List {
	if len(of) == 0 {
		return types.ListNull(types.StringType)
	}
	value, more := types.ListValueFrom(ctx, types.StringType, of)
	diags.Append(more...)
	return value
}

// adoptedService is `traffic.service` of a Service that is not ours: nothing is
// said of it but its name.
func adoptedService(name types.String) ServiceModel {
	return ServiceModel{
		Name: name, Adopt: types.BoolValue(true),
		Ports: types.MapNull(attrs.WholeNumber32{}), Annotations: types.MapNull(types.StringType),
		AppProtocols: types.MapNull(types.StringType), NodePorts: types.MapNull(attrs.WholeNumber32{}),
		SourceRanges: types.ListNull(types.StringType), IPFamilies: types.ListNull(types.StringType),
	}
}

// setURL sets `url` from what is known: the same function at plan and apply. Of
// an adopted Service only the cluster knows the ports: see setAdoptedURL.
func (m *Model) setURL(s traffic.ServiceSpec) {
	if s.Adopt {
		return
	}
	m.URL = types.StringNull()
	if len(s.Ports) > 0 {
		m.URL = types.StringValue(attrs.ServiceURL(s.Name, m.Namespace.ValueString(), s.Ports))
	}
}

// setAdoptedURL sets `url` from an adopted Service as it stands; nil leaves it.
func (m *Model) setAdoptedURL(svc *corev1.Service) {
	if svc == nil || len(svc.Spec.Ports) == 0 {
		return
	}
	ports := map[string]int32{}
	for _, port := range svc.Spec.Ports {
		ports[port.Name] = port.Port
	}
	m.URL = types.StringValue(attrs.ServiceURL(svc.Name, svc.Namespace, ports))
}
