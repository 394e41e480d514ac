package address

import (
	"context"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// tellRivals tells of other routes that ask for the same requests: both are accepted, and
// only the older one serves. A route that is moved from somebody else's to one of ours
// stands beside it for a while, so that this is a warning. Two TCPRoutes of one listener
// are refused: neither a release nor a way back would move anything.
func (a Ahead) tellRivals(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec, parents []traffic.Parent, seen observe.Routes) {
	told := map[string]bool{}
	for _, parent := range parents {
		for _, rival := range parent.Rivals(route, seen.All) {
			if told[rival.String()] {
				continue
			}
			told[rival.String()] = true
			a.tellRival(ctx, c, route, parent, rival)
		}
	}
}

func (a Ahead) tellRival(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec, parent traffic.Parent, rival traffic.Rival) {
	at, ours, apart := a.Place.At(GatewayPath), "this one", "other `hostnames` or `matches`"
	if route.Adopt { // what it asks for is its owner's to say
		at, ours, apart = at.AtName("rule"), fmt.Sprintf("the adopted rule of %s/%s", route.Namespace, route.Name), "other host names or matches where it is written"
	}
	what := fmt.Sprintf("On the cluster %q, the %s %s asks %s for the same as %s: %s. Both are accepted, and ", c.Name(), route.Kind, rival, rival.On, ours, rival.Shared)
	switch {
	case !rival.Serves:
		a.Diags.AddAttributeWarning(at, "Another route does not serve", what+"this one serves, because it is older: requests never arrive by the other one. Remove that, or give it other host names or matches.")
	case route.Adopt || route.Kind != traffic.TCPRoute:
		a.Diags.AddAttributeWarning(at, "Another route serves", what+"the other one serves, because it is older: no request arrives by this one, and a canary moves nothing. Remove the other one when this one is accepted, or give this one "+apart+".")
	case !a.stillThere(ctx, c, route, parent, rival):
	default:
		a.Diags.AddAttributeError(at.AtName("parent_refs"), "Listener has another TCPRoute", what+"of two TCPRoutes of one listener only the older one serves: this one would never get a connection. Name another listener by `section_name`, or remove the other route first.")
	}
}

// stillThere says that a live look finds a rival, too: what is told may have been seen some
// seconds ago.
func (a Ahead) stillThere(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec, parent traffic.Parent, rival traffic.Rival) bool {
	now, err := a.Session.Routes.Live(ctx, c, route)
	if err != nil {
		return false
	}
	for _, one := range parent.Rivals(route, now.All) {
		if one.Serves && one.String() == rival.String() {
			return true
		}
	}
	return false
}
