package address

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// Check is what the attributes of `traffic` say about each other. Unknown values
// pass; Terraform asks again when they are known.
func (m *Model) Check(ctx context.Context, place explain.Place) diag.Diagnostics {
	s, ok, diags := m.ServiceModel(ctx)
	if !ok {
		return diags
	}
	diags.Append(s.checkAdopt(place)...)
	diags.Append(m.checkGateway(ctx, place, s)...)
	if s.Adopt.ValueBool() || s.Type.IsUnknown() {
		return diags
	}
	is := attrs.OrDefault(s.Type.ValueString(), serviceClusterIP)
	if attrs.Known(s.LoadBalancerClass) && is != serviceLoadBalancer {
		diags.AddAttributeError(place.At(attrs.ServicePath.AtName("load_balancer_class")), "Load balancer class without a load balancer",
			fmt.Sprintf("The Service's type is %s. Set `type = %q`, or remove `load_balancer_class`.", is, serviceLoadBalancer))
	}
	diags.Append(s.checkOptions(ctx, place, is)...)
	if attrs.Known(s.ExternalTrafficPolicy) && is == serviceClusterIP {
		diags.AddAttributeError(place.At(attrs.ServicePath.AtName("external_traffic_policy")), "External traffic policy without external traffic",
			fmt.Sprintf("The Service's type is %s, which is not reached from outside. Set `type` to %s or %s, or remove `external_traffic_policy`.", is, serviceNodePort, serviceLoadBalancer))
	}
	return diags
}

// checkDeployment says whether the address may lead to that deployment.
func (m *Model) checkDeployment(place explain.Place) diag.Diagnostics {
	return attrs.CheckDeploymentID(place.Named("deployment_id"), m.DeploymentID, m.Namespace, m.Application)
}

// checkAdopt says what cannot stand beside `adopt`, and what must without it.
func (s ServiceModel) checkAdopt(place explain.Place) diag.Diagnostics {
	var diags diag.Diagnostics
	switch {
	case s.Adopt.IsUnknown():
		return diags
	case !s.Adopt.ValueBool():
		if s.Ports.IsNull() {
			diags.AddAttributeError(place.At(attrs.ServicePath.AtName("ports")), "Ports are missing",
				"Say which of the deployment's ports the Service has, such as `ports = { http = 80 }`. Only a Service that is adopted has its own.")
		}
		return diags
	}
	for _, a := range []struct {
		name string
		set  bool
	}{
		{"ports", !s.Ports.IsNull()},
		{"type", !s.Type.IsNull()},
		{"annotations", !s.Annotations.IsNull()},
		{"session_affinity", !s.SessionAffinity.IsNull()},
		{"load_balancer_class", !s.LoadBalancerClass.IsNull()},
		{"external_traffic_policy", !s.ExternalTrafficPolicy.IsNull()},
		{"app_protocols", !s.AppProtocols.IsNull()},
		{"node_ports", !s.NodePorts.IsNull()},
		{"load_balancer_source_ranges", !s.SourceRanges.IsNull()},
		{"ip_family_policy", !s.IPFamilyPolicy.IsNull()},
		{"ip_families", !s.IPFamilies.IsNull()},
		{"traffic_distribution", !s.TrafficDistribution.IsNull()},
	} {
		if a.set {
			diags.AddAttributeError(place.At(attrs.ServicePath.AtName(a.name)), "Adopted Service keeps its own "+a.name,
				fmt.Sprintf("With `adopt`, only the selector of the Service is Switchback's. Remove `%s`, and change it where the Service is managed.", a.name))
		}
	}
	return diags
}
