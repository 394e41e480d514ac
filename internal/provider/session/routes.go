package session

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// routesLast is for how long what was seen of a cluster's routes is told from: for one
// plan of many addresses. One process may make many plans, one after another.
const routesLast = 10 * time.Second

// Routes are the routes of clusters, looked at once for all addresses of a plan.
type Routes struct {
	mu   sync.Mutex
	seen map[string]*routesSeen // by cluster, kind and namespace
}

// routesSeen is one look, which who comes later waits for.
type routesSeen struct {
	mu     sync.Mutex
	at     time.Time // zero: there was none yet, or it failed
	routes observe.Routes
	err    error // it is forbidden
}

// Like are the routes of a route's kind on a cluster, in every namespace, or in the route's
// own one where the others may not be read. They may be some seconds old.
func (r *Routes) Like(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec) (observe.Routes, error) {
	key := c.Name() + "/" + string(route.Kind)
	found, err := r.of(key).look(func() (observe.Routes, error) { return observe.RoutesLike(ctx, c.Recent, "", route) })
	if !apierrors.IsForbidden(err) {
		return found, err
	}
	return r.of(key + "/" + route.Namespace).look(func() (observe.Routes, error) { return observe.RoutesLike(ctx, c.Recent, route.Namespace, route) })
}

// Live is Like as it is now: for what is refused because of it.
func (r *Routes) Live(ctx context.Context, c rollout.Cluster, route traffic.RouteSpec) (observe.Routes, error) {
	found, err := observe.RoutesLike(ctx, c.List, "", route)
	if apierrors.IsForbidden(err) {
		found, err = observe.RoutesLike(ctx, c.List, route.Namespace, route)
	}
	return found, err
}

func (r *Routes) of(key string) *routesSeen {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]*routesSeen{}
	}
	if r.seen[key] == nil {
		r.seen[key] = &routesSeen{}
	}
	return r.seen[key]
}

func (s *routesSeen) look(now func() (observe.Routes, error)) (observe.Routes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < routesLast {
		return s.routes, s.err
	}
	found, err := now()
	if err == nil || apierrors.IsForbidden(err) {
		s.at, s.routes, s.err = time.Now(), found, err
	}
	return found, err
}
