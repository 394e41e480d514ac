package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Gateway routes by the weights of a route of the Gateway API, which lead to the
// releases' own Services. The route is patched, and never made anew: without it,
// its hostname answers 404.
type Gateway struct {
	cluster Cluster
	view    View
	spec    RouteSpec
	force   bool

	former json.RawMessage // what an adopted rule led to before
	theirs json.RawMessage // what it leads to, where that is not ours

	gave    bool // an adopted rule has been given back
	unheard bool // by us, before; nobody has noted that it was seen to be in effect

	returns  bool          // nothing may keep it from its end
	written  release.Split // what our last write asked for
	reply    Object        // the API server's reply to it
	seen     bool          // the watch has had that reply, or what came after it
	since    time.Time     // when all parents were first seen to have accepted it; zero: not yet
	empty    bool          // no pods are needed behind it
	awaiting string        // what the last Shift has waited for
}

// NewGateway routes through a route. force takes fields over that the plan has shown
// to be somebody else's.
func NewGateway(cluster Cluster, view View, spec RouteSpec, force bool) *Gateway {
	return &Gateway{cluster: cluster, view: view, spec: spec, force: force}
}

// Shift implements Router. Nobody gets a share before one of its pods is ready on the
// route's port. It has settled when all parents have accepted what was written, and
// the data plane has had its time to do it.
func (g *Gateway) Shift(ctx context.Context, want release.Split) (bool, time.Duration, error) {
	if !maps.Equal(g.written, want) {
		if ready, err := g.ready(ctx, want); !g.returns && (err != nil || !ready) {
			return false, 0, err
		}
		if err := g.write(ctx, want); err != nil {
			return false, 0, err
		}
	}
	route, err := g.watched(ctx)
	if err != nil {
		return false, 0, err
	}
	if !g.seen && (route == nil || release.Newer(g.reply, route)) {
		g.awaiting = "the watch of the route"
		return false, 0, nil
	}
	if g.seen = route != nil; !g.seen || !g.does(route, want) { // somebody has changed it since, or removed it
		g.written = nil
		return g.Shift(ctx, want)
	}
	done, again := g.accepted(route)
	return done, again, nil
}

// accepted says that all parents have accepted a route as it is, for as long as the data
// plane may take to do it.
func (g *Gateway) accepted(route Object) (done bool, again time.Duration) {
	if g.awaiting = Unaccepted(route); g.awaiting != "" {
		g.since = time.Time{}
		return false, 0
	}
	if g.since.IsZero() {
		g.since = time.Now()
	}
	left := g.spec.Settle - time.Since(g.since)
	return left <= 0, max(left, 0)
}

// Returns says that what follows is a way back, which nothing may keep from its end:
// neither pods that are not ready, nor that somebody has taken fields of the route since.
// Nobody gets copies any more.
func (g *Gateway) Returns() {
	g.returns, g.force = true, true
	g.Mirror(0)
}

// Applied is the API server's reply to the last write; nil before the first.
func (g *Gateway) Applied() Object { return g.reply }

// Empty says that no pods are needed behind the route: its application is stopped.
func (g *Gateway) Empty() { g.empty = true }

// Awaiting is what a Shift that has not settled waits for, as a sentence ends; empty
// where it does not wait.
func (g *Gateway) Awaiting() string { return g.awaiting }

// served are those who are to get something, be it copies.
func (g *Gateway) served(want release.Split) []string {
	names := slices.Sorted(maps.Keys(g.spec.releases(want)))
	for _, to := range g.spec.mirrored(want) {
		names = append(names, to.to)
	}
	return names
}

// ready says that everybody who is to get something has a pod that is ready for it.
func (g *Gateway) ready(ctx context.Context, want release.Split) (bool, error) {
	if g.empty {
		return true, nil
	}
	for _, name := range g.served(want) {
		pods, err := Endpoints(ctx, g.view, name, []Port{{Name: g.spec.Port, Protocol: corev1.ProtocolTCP}})
		if err != nil {
			return false, err
		}
		if !slices.Contains(slices.Collect(maps.Values(pods)), true) {
			g.awaiting = fmt.Sprintf("a pod of %s that is ready on its port %q", name, g.spec.Port)
			return false, nil
		}
	}
	return true, nil
}

// write looks before it writes, and writes with what it saw as precondition.
func (g *Gateway) write(ctx context.Context, split release.Split) error {
	ports, err := g.ports(ctx, split)
	if err != nil {
		return err
	}
	if g.spec.Adopt {
		route, err := g.adopt(ctx, split, ports)
		if err == nil {
			g.wrote(split, route)
		}
		return err
	}
	for {
		live, err := g.live(ctx)
		if err != nil {
			return err
		}
		want := g.spec.Object(split, ports)
		if live != nil {
			want.SetUID(live.GetUID())
			want.SetResourceVersion(live.GetResourceVersion())
		} else {
			release.Anew(want)
		}
		err = g.cluster.Apply(ctx, want, g.force)
		if err == nil {
			g.wrote(split, want)
			return nil
		}
		if apierrors.IsNotFound(err) && live == nil {
			return &release.NoGatewayAPIError{Cluster: g.cluster.Name(), Kind: string(g.spec.Kind), Gone: g.spec.Namespace + "/" + g.spec.Name}
		}
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// wrote notes what a write has asked for, and the API server's reply.
func (g *Gateway) wrote(split release.Split, reply Object) {
	g.written, g.reply, g.seen, g.since = maps.Clone(split), reply, false, time.Time{}
}

// ports are the ports of the releases' own Services: versions may listen on different
// numbers.
func (g *Gateway) ports(ctx context.Context, split release.Split) (map[string]int32, error) {
	ports := map[string]int32{}
	for _, name := range g.served(split) {
		svc := &corev1.Service{}
		if err := g.cluster.Get(ctx, g.spec.Namespace, name, svc); err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		i := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == g.spec.Port })
		if i < 0 {
			return nil, fmt.Errorf("the Service %s/%s on cluster %q has no port %q, to which the %s leads", g.spec.Namespace, name, g.cluster.Name(), g.spec.Port, g.spec.Kind)
		}
		ports[name] = svc.Spec.Ports[i].Port
	}
	return ports, nil
}

// live is the route; nil where there is none, and an error where it is not ours.
func (g *Gateway) live(ctx context.Context) (Object, error) {
	route := g.spec.Empty()
	err := g.cluster.Get(ctx, g.spec.Namespace, g.spec.Name, route)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return route, release.Foreign(g.cluster.Name(), string(g.spec.Kind), route, g.spec.Application)
}

// watched is the route as a watch has it; nil where there is none.
func (g *Gateway) watched(ctx context.Context) (Object, error) {
	if g.spec.Adopt {
		found, err := g.view.Select(ctx, g.spec.Empty(), "", "metadata.name="+g.spec.Name)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return found[0], nil
	}
	found, err := g.view.List(ctx, g.spec.Empty(), map[string]string{release.LabelApplication: g.spec.Application})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(o Object) bool { return o.GetName() == g.spec.Name })
	if i < 0 {
		return nil, nil
	}
	return found[i], nil
}

// Look implements Router.
// An adopted rule that leads to nothing of ours is no route of the application's yet.
func (g *Gateway) Look(ctx context.Context) (Observed, error) {
	if g.spec.Adopt {
		route, err := g.theirRoute(ctx)
		if err != nil {
			return Observed{Split: release.Split{}}, err
		}
		if g.theirs = g.spec.Theirs(route); g.theirs != nil {
			g.unheard = slices.ContainsFunc(route.GetManagedFields(), isOurEntry)
			return Observed{Split: release.Split{}}, nil
		}
		return Observed{Split: g.spec.Split(route), Route: route}, nil
	}
	route, err := g.live(ctx)
	if err != nil || route == nil {
		return Observed{Split: release.Split{}}, err
	}
	return Observed{Split: RouteSplit(route), Route: route, Mirrors: len(g.spec.copiesOf(route)) > 0}, nil
}

// Astray says why a route does not do what was asked of it, as a watch has it; empty
// where it does. That it is gone is Denied's to tell.
func (g *Gateway) Astray(ctx context.Context, want release.Split) (string, error) {
	route, err := g.watched(ctx)
	switch {
	case err != nil || route == nil:
		return "", err
	case g.reply != nil && release.Newer(g.reply, route), g.does(route, want):
		return "", nil
	case maps.Equal(g.spec.Split(route), want):
		return fmt.Sprintf("its %s %s/%s gave %s", g.spec.Kind, g.spec.Namespace, g.spec.Name, copiesText(g.spec.copiesOf(route))), nil
	}
	return fmt.Sprintf("the weights of its %s %s/%s were those of %s", g.spec.Kind, g.spec.Namespace, g.spec.Name, g.spec.Split(route)), nil
}

// Remove implements Router. An adopted rule is given back.
func (g *Gateway) Remove(ctx context.Context) error {
	if g.spec.Adopt {
		_, err := g.Restore(ctx)
		return err
	}
	for {
		route, err := g.live(ctx)
		if err != nil || route == nil {
			return err
		}
		err = g.cluster.Delete(ctx, route, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return err
		}
	}
}
