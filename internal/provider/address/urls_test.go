package address

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// TestMainURL: it is the route's, and what is not known is not guessed.
func TestMainURL(t *testing.T) {
	ctx := t.Context()
	url := types.StringValue
	at := func(port int32) []gatewayv1.ParentReference {
		return []gatewayv1.ParentReference{{Name: "public", Port: &port}}
	}
	route := func(change func(*traffic.RouteSpec)) *traffic.RouteSpec {
		spec := &traffic.RouteSpec{Name: "api", Application: "api", Kind: traffic.HTTPRoute, Parents: []gatewayv1.ParentReference{{Name: "public"}}, Hostnames: []gatewayv1.Hostname{"api.example.com", "other.example.com"}}
		change(spec)
		return spec
	}
	for name, tt := range map[string]struct {
		route *traffic.RouteSpec
		want  types.String
	}{
		"none":        {nil, types.StringNull()},
		"plain":       {route(func(*traffic.RouteSpec) {}), url("http://api.example.com")},
		"of port 80":  {route(func(s *traffic.RouteSpec) { s.Parents = at(80) }), url("http://api.example.com")},
		"of port 443": {route(func(s *traffic.RouteSpec) { s.Parents = at(443) }), url("https://api.example.com")},
		"elsewhere":   {route(func(s *traffic.RouteSpec) { s.Parents = at(8080) }), url("http://api.example.com:8080")},
		"nameless":    {route(func(s *traffic.RouteSpec) { s.Hostnames = nil }), types.StringNull()},
		"of many":     {route(func(s *traffic.RouteSpec) { s.Hostnames = []gatewayv1.Hostname{"*.example.com"} }), types.StringNull()},
		"of calls":    {route(func(s *traffic.RouteSpec) { s.Kind = traffic.GRPCRoute }), types.StringNull()},
	} {
		var diags diag.Diagnostics
		m := New()
		m.Application, m.Namespace = url("api"), url("shop")
		service := traffic.ServiceSpec{Namespace: "shop", Application: "api", Name: "api", Ports: map[string]int32{"http": 80}}
		diags.Append(m.setService(ctx, service)...)
		typed := attrs.Decode[trafficModel](ctx, &diags, m.Traffic)
		typed.Gateway = gatewayOf(ctx, tt.route, service.Ports, &diags)
		m.Traffic = types.ObjectValueMust(trafficTypes(), map[string]attr.Value{"service": typed.Service, "gateway": typed.Gateway})
		m.setURL(service)
		urls := m.URLs(ctx).Attributes()
		if diags.HasError() || !urls["main"].Equal(tt.want) || !urls["internal"].Equal(url("http://api.shop.svc:80")) {
			t.Errorf("%s: %v %v", name, urls, diags)
		}
	}
	m := New()
	m.Traffic, m.URL = types.ObjectUnknown(trafficTypes()), types.StringUnknown()
	if urls := m.URLs(ctx).Attributes(); !urls["main"].IsUnknown() || !urls["internal"].IsUnknown() {
		t.Errorf("of what is not known: %v", urls)
	}
}
