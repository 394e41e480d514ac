package rollout

import (
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// Cluster is one connection, by the name the user gave it. What somebody may take
// over meanwhile is written through one that ownership guards.
type Cluster = ownership.Cluster

// View is a watched cache of one namespace's objects that carry our label.
type View = ownership.View

// router moves an application's address, as long as its Lease is ours.
func (e *Engine) router(c Cluster, service traffic.ServiceSpec, force bool) *traffic.Service {
	return traffic.NewService(e.keeper.StrictlyUnder(c, service.Namespace, service.Application), c.View(service.Namespace), service, force)
}

// gateway routes through a route of the Gateway API.
func (e *Engine) gateway(c Cluster, route traffic.RouteSpec, force bool) *traffic.Gateway {
	return traffic.NewGateway(e.keeper.StrictlyUnder(c, route.Namespace, route.Application), c.View(route.Namespace), route, force)
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
