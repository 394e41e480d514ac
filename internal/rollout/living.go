package rollout

import (
	"context"
	"reflect"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Living is what lives of an address on several clusters: what going back asks for,
// which has no configuration.
type Living struct {
	Request   GoBackRequest // less To and the clusters
	Standings []release.MainOn
	Unlike    []string // clusters that have other settings, or another owner, than the first one
}

// LivingOf takes it from clusters that have the address, each with its Service.
func LivingOf(namespace, application string, there []observe.Main) Living {
	l := Living{Request: GoBackRequest{Was: map[string]string{}}}
	req := &l.Request
	for _, o := range there {
		spec, route := o.ServiceSpec(namespace, application), o.RouteOrNone(namespace, application)
		if len(l.Standings) > 0 && (!reflect.DeepEqual(spec, req.Service) || !reflect.DeepEqual(route, req.Route) || o.Main.Owner != req.Owner || o.Main.Keep() != req.Keep || o.Main.Drain != req.Drain) {
			l.Unlike = append(l.Unlike, o.Cluster)
			continue
		}
		req.Service, req.Route, req.Owner, req.Keep, req.Drain = spec, route, o.Main.Owner, o.Main.Keep(), o.Main.Drain
		req.Was[o.Cluster] = o.Main.Deployment
		standing := release.MainOn{Cluster: o.Cluster, Main: *o.Main}
		standing.Traffic, _ = o.Split.Stable()
		standing.Shared = o.Tried()
		l.Standings = append(l.Standings, standing)
	}
	return l
}

// Warm starts the deployment to go back to, where it was stopped meanwhile.
func (e *Engine) Warm(ctx context.Context, back PromoteRequest) error {
	id := release.ID{Namespace: back.Service.Namespace, Name: back.To}
	cold := ActionRequest{ID: id, Progress: back.Progress}
	for i, o := range observe.Releases(ctx, back.Clusters, id) {
		if o.Record != nil && o.Record.Status == release.StatusStopped {
			cold.Clusters = append(cold.Clusters, back.Clusters[i])
		}
	}
	if len(cold.Clusters) == 0 {
		return nil
	}
	_, err := e.Start(ctx, cold)
	return err
}
