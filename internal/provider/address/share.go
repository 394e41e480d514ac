package address

import (
	"fmt"
	"maps"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// What a Read shows of traffic that is shared.

// promoting is to which release a promotion is open that shares the traffic, or is paused
// before it does, on all of the clusters on which there is one; empty where there is none.
func promoting(observed []observe.Main) string {
	to := map[string]bool{}
	for _, o := range observed {
		if tried := o.Tried(); tried != "" {
			to[tried] = true
		}
	}
	return Agreed(to)
}

// routeDrift is what others changed of the route on one cluster.
func routeDrift(o observe.Main, wanted *traffic.RouteSpec) []attrs.Drift {
	if wanted == nil || o.Main == nil || o.Main.Route == nil || !o.Main.Route.Is(new(wanted.Ref())) {
		return nil // it is not made yet: the plan shows that
	}
	object := fmt.Sprintf("%s/%s", wanted.Kind, wanted.Name)
	if o.Route == nil {
		return []attrs.Drift{attrs.Gone(o.Cluster, object)}
	}
	if wanted.Adopt {
		return attrs.FieldDrift(o.Cluster, object, ruleDrift(o, *wanted))
	}
	if p := o.Main.Progress; p != nil && p.Direction == release.DirectionForward {
		copying := *wanted
		copying.Candidate, copying.Mirror = p.To, p.Mirror(p.At)
		wanted = &copying
	}
	split := sharing(o)
	drift := workload.Drift(o.Route, wanted.Object(split, traffic.RoutePorts(o.Route)), o.Main.RouteBaseline, nil)
	if is := wanted.Split(o.Route); len(is) > 0 && !maps.Equal(is, split) {
		for i := range drift {
			if drift[i].Field == routeRules { // all of them are one value: of a long one, the weights would be cut off
				drift[i].Expected, drift[i].Actual = wanted.Expected(split), wanted.Leads(o.Route)
			}
		}
	}
	return attrs.FieldDrift(o.Cluster, object, drift)
}

// routeRules is where a route has its weights.
const routeRules = "spec.rules"

// ruleDrift is what others changed of what is ours of an adopted rule.
func ruleDrift(o observe.Main, wanted traffic.RouteSpec) []workload.FieldDrift {
	split := sharing(o)
	if maps.Equal(wanted.Split(o.Route), split) {
		return nil
	}
	return []workload.FieldDrift{{
		Field: wanted.Field(), Expected: wanted.Expected(split), Actual: wanted.Leads(o.Route), Manager: workload.ManagerOf(routeRules, o.Route),
	}}
}

// sharing is the split that an address should have, as it is written down.
func sharing(o observe.Main) release.Split {
	p := o.Main.Progress
	if p == nil || p.Side() == "" || p.From == p.To {
		return release.Split{o.Main.Deployment: 100}
	}
	if p.Direction == release.DirectionBack {
		return release.Split{p.Side(): 100}
	}
	switch weight := p.Weight(p.At); weight {
	case 0:
		return release.Split{p.Side(): 100}
	case 100:
		return release.Split{p.To: 100}
	default:
		return release.Split{p.Side(): 100 - weight, p.To: weight}
	}
}
