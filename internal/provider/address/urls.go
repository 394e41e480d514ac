package address

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Ports of a listener that clients need not name.
const (
	portHTTP  = 80
	portHTTPS = 443
)

// URLsMeaning documents `urls`.
var URLsMeaning = map[string]string{
	"internal": "From inside the cluster, by the Service: what `url` is.",
	"main": "From outside, by the route of `traffic.gateway`: its first host name, with the port of its first parent. It is `https` where that port is 443. " +
		"Null without a route or a host name, and of other kinds than `HTTPRoute`.",
}

// URLs is `urls`, of what is planned or known.
func (m *Model) URLs(ctx context.Context) types.Object {
	return attrs.URLs(map[string]types.String{"internal": m.URL, "main": m.mainURL(ctx)})
}

// mainURL is where clients outside of the cluster reach the application.
func (m *Model) mainURL(ctx context.Context) types.String {
	gateway := m.gateway(ctx)
	if m.Traffic.IsUnknown() || !attrs.WhollyKnown(ctx, gateway) {
		return types.StringUnknown()
	}
	var quiet diag.Diagnostics // whatever is wrong is told elsewhere
	route := m.Route(ctx, &quiet)
	if route == nil || route.Kind != traffic.HTTPRoute || len(route.Hostnames) == 0 || strings.HasPrefix(string(route.Hostnames[0]), "*") {
		return types.StringNull()
	}
	url, port := "http://"+string(route.Hostnames[0]), int32(portHTTP)
	if len(route.Parents) > 0 && route.Parents[0].Port != nil {
		port = *route.Parents[0].Port
	}
	switch port {
	case portHTTP:
	case portHTTPS:
		url = "https://" + string(route.Hostnames[0])
	default:
		url += fmt.Sprintf(":%d", port)
	}
	return types.StringValue(url)
}
