package address

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// faulty is the attribute that a fault of a route comes from, where the Gateway is the i-th
// of its parents.
func faulty(field string, i int) path.Path {
	switch field {
	case "mirror":
		return mirrorPath
	case "parents", "sectionName", "port":
		return attrs.ParentFaultPath(GatewayPath.AtName("parent_refs"), field, i)
	}
	return GatewayPath.AtName(field) // hostnames, matches, filters
}

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
			a.tellFaults(c.Name(), parent.At, parent.Faults(route))
		}
		if err == nil {
			a.tellRivals(ctx, c, route, slices.Concat(seen.There, seen.Unseen), routes)
		}
	}
}

// tellFaults refuses what a Gateway would not serve, which is the i-th of the parents.
func (a Ahead) tellFaults(cluster string, i int, faults []traffic.RouteFault) {
	for _, fault := range faults {
		at := a.Place.At(faulty(fault.Field, i))
		if fault.Doubt {
			a.Diags.AddAttributeWarning(at, "Gateway may not serve the route", fmt.Sprintf("On the cluster %q: %s", cluster, fault.Reason))
		} else {
			a.Diags.AddAttributeError(at, "Gateway does not serve the route", fmt.Sprintf("On the cluster %q: %s", cluster, fault.Reason))
		}
	}
}
