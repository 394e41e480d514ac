package address

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// routeAttributes are where the parts of a route come from.
var routeAttributes = map[string]string{"parents": "parent_refs", "hostnames": "hostnames", "matches": "matches", "filters": "filters"}

// lookAtRoute tells what the route would meet on the clusters. What this same apply may
// bring about is a warning.
func (a Ahead) lookAtRoute(ctx context.Context, clusters []rollout.Cluster, route traffic.RouteSpec, pod *corev1.PodSpec) {
	at := a.Place.At(GatewayPath)
	if pod != nil && !traffic.Declares(pod, route.Port) {
		a.Diags.AddAttributeError(at.AtName("port"), "Port does not fit the deployment",
			fmt.Sprintf("The route leads to the port %q, and the containers of %s declare no port of that name. Its names are those of `container.ports`.", route.Port, a.Planned.DeploymentID.ValueString()))
		return
	}
	if pod != nil && traffic.ProtocolsOf(pod)[route.Port] != "" {
		a.Diags.AddAttributeError(at.AtName("port"), "Port does not fit the route",
			fmt.Sprintf("The port %q of %s is of the protocol %s, and a %s leads to TCP. Name another one.", route.Port, a.Planned.DeploymentID.ValueString(), traffic.ProtocolsOf(pod)[route.Port], route.Kind))
		return
	}
	if route.Adopt {
		a.lookAtRule(ctx, clusters, route)
		return
	}
	if mirror := MirrorOf(ctx, a.Planned.Canary); mirror != nil {
		route.Mirror = mirror.Percent
	}
	for _, c := range clusters {
		routes, err := a.Session.Routes.Like(ctx, c, route)
		if routes.Unknown {
			a.Diags.AddAttributeWarning(at, "Cluster does not know the route's kind",
				fmt.Sprintf("The cluster %q has no %s. Unless this same apply installs the CustomResourceDefinitions of the Gateway API first, the apply of this plan will fail.", c.Name(), route.Kind))
			continue
		}
		seen := observe.ParentsOf(ctx, c, route)
		if len(seen.Missing) > 0 {
			a.Diags.AddAttributeWarning(at.AtName("parent_refs"), "Gateway is not there",
				fmt.Sprintf("The cluster %q has no Gateway %s. Unless this same apply makes it first, nobody accepts the route, and the apply of this plan will fail.", c.Name(), strings.Join(seen.Missing, ", ")))
		}
		for _, parent := range seen.There {
			a.tellFaults(c.Name(), parent.Faults(route))
		}
		if err == nil {
			a.tellRivals(ctx, c, route, slices.Concat(seen.There, seen.Unseen), routes)
		}
	}
}

// tellFaults refuses what a Gateway would not serve.
func (a Ahead) tellFaults(cluster string, faults []traffic.RouteFault) {
	for _, fault := range faults {
		at := a.Place.At(GatewayPath.AtName(routeAttributes[fault.Field]))
		if fault.Field == "mirror" {
			at = a.Place.At(mirrorPath)
		}
		if fault.Doubt {
			a.Diags.AddAttributeWarning(at, "Gateway may not serve the route", fmt.Sprintf("On the cluster %q: %s", cluster, fault.Reason))
		} else {
			a.Diags.AddAttributeError(at, "Gateway does not serve the route", fmt.Sprintf("On the cluster %q: %s", cluster, fault.Reason))
		}
	}
}
