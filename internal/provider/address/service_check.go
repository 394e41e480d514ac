package address

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// checkOptions is what the Service's attributes say about each other, where it is of
// such a type.
func (s ServiceModel) checkOptions(ctx context.Context, place explain.Place, is string) diag.Diagnostics {
	var diags diag.Diagnostics
	if !s.SourceRanges.IsNull() && is != serviceLoadBalancer {
		diags.AddAttributeError(place.At(attrs.ServicePath.AtName("load_balancer_source_ranges")), "Source ranges without a load balancer",
			fmt.Sprintf("The Service's type is %s, and only a load balancer refuses clients by their addresses. Set `type = %q`, or remove `load_balancer_source_ranges`.", is, serviceLoadBalancer))
	}
	if !s.NodePorts.IsNull() && is == serviceClusterIP {
		diags.AddAttributeError(place.At(attrs.ServicePath.AtName("node_ports")), "Node ports without nodes",
			fmt.Sprintf("The Service's type is %s, which has no port on the nodes. Set `type` to %s or %s, or remove `node_ports`.", is, serviceNodePort, serviceLoadBalancer))
	}
	if s.IPFamilyPolicy.ValueString() == string(corev1.IPFamilyPolicySingleStack) && len(s.IPFamilies.Elements()) > 1 {
		diags.AddAttributeError(place.At(attrs.ServicePath.AtName("ip_families")), "Two families in a single stack",
			fmt.Sprintf("With `ip_family_policy = %q`, the Service has one family. Name one, or set another policy.", corev1.IPFamilyPolicySingleStack))
	}
	s.checkNames(ctx, place, &diags, "app_protocols", s.AppProtocols)
	s.checkNames(ctx, place, &diags, "node_ports", s.NodePorts)
	s.checkAppProtocols(ctx, place, &diags)
	return diags
}

// checkNames makes sure that what is said of ports is said of ports that are there.
func (s ServiceModel) checkNames(ctx context.Context, place explain.Place, diags *diag.Diagnostics, name string, said types.Map) {
	if s.Ports.IsNull() || !attrs.WhollyKnown(ctx, s.Ports) || said.IsUnknown() {
		return
	}
	ports := s.Ports.Elements()
	for _, port := range slices.Sorted(maps.Keys(said.Elements())) {
		if _, declared := ports[port]; !declared {
			diags.AddAttributeError(place.At(attrs.ServicePath.AtName(name).AtMapKey(port)), "No such port",
				fmt.Sprintf("`ports` has %s, and no %q. Use one of these names, or add it to `ports`.", strings.Join(slices.Sorted(maps.Keys(ports)), ", "), port))
		}
	}
}

func (s ServiceModel) checkAppProtocols(ctx context.Context, place explain.Place, diags *diag.Diagnostics) {
	if !attrs.WhollyKnown(ctx, s.AppProtocols) {
		return
	}
	protocols := attrs.Present(attrs.Decode[map[string]*string](ctx, diags, s.AppProtocols))
	for _, port := range slices.Sorted(maps.Keys(protocols)) {
		if bad := validation.IsQualifiedName(protocols[port]); len(bad) > 0 {
			diags.AddAttributeError(place.At(attrs.ServicePath.AtName("app_protocols").AtMapKey(port)), "Invalid application protocol",
				fmt.Sprintf("%q cannot be one: %s. Use a name such as `http`, or one with a domain such as `kubernetes.io/h2c`.", protocols[port], strings.Join(bad, "; ")))
		}
	}
}
