package observe

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Main is what stands of an application's address on one cluster.
type Main struct {
	Cluster  string
	Main     *release.Main   // nil: none
	Service  *corev1.Service // nil: none
	Route    traffic.Object  // of the Gateway API; nil: none
	Waits    string          // in which pause a promotion is, and what ends it; empty: in none that lasts
	Split    release.Split   // whom the address leads to
	Astray   bool            // it leads to what is no release of the application
	Leftover []string        // condemned releases that a finished promotion would have collected
	Stays    []release.Stay  // what is there beside it
	Breach   *release.Breach // what is remembered of a release that was taken back: also where nothing is main any more
	Err      error

	Past release.Past // of the application; empty where there is none, or none that can be read

	Endpoint    *externaldns.DNSEndpoint // nil: none that the application's memory knows of
	EndpointErr error                    // its kind may not be read; who does not look at it need not care
}

// Traffic is who gets the traffic: nobody where the address leads to what is no release,
// such as a typo in its selector.
func (o Main) Traffic() release.Split {
	if o.Astray {
		return release.Split{}
	}
	return o.Split
}

// Exists says whether anything is left of the address.
func (o Main) Exists() bool { return o.Main != nil || o.Service != nil || o.Route != nil }

// Asked is what was last asked of an address, on whichever cluster that is newest; nil
// where nothing is remembered of it.
func Asked(observed []Main) *release.Asked {
	var newest *release.Asked
	for _, o := range observed {
		if o.Main != nil && o.Main.Asked != nil && (newest == nil || o.Main.Asked.At.After(newest.At)) {
			newest = o.Main.Asked
		}
	}
	return newest
}

// Mains reads an application's address on every cluster from the shared
// watch caches. service names the main Service; empty asks what is remembered.
func Mains(ctx context.Context, clusters []ownership.Cluster, namespace, application, service string) []Main {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Main, error) {
		o, err := mainOn(ctx, c, namespace, application, service)
		if err != nil {
			o = Main{Err: err}
		}
		o.Cluster = c.Name()
		return o, nil
	})
	return all
}

func mainOn(ctx context.Context, c ownership.Cluster, namespace, application, service string) (o Main, err error) {
	view := c.View(namespace)
	cm, err := ownership.Cached(ctx, view, &corev1.ConfigMap{}, release.MainName(application))
	if err != nil {
		return o, err
	}
	o.Past = pastIn(cm)
	if cm != nil {
		if o.Main, err = ownership.MainIn(cm.Data); err != nil {
			return o, ownership.Unreadable(c, cm, err)
		}
		if o.Breach = ownership.BreachIn(cm.Data); o.Main != nil {
			o.Breach = o.Main.Breach
		}
		if service == "" && o.Main != nil {
			service = o.Main.Service
		}
		if o.Main != nil && o.Main.Progress != nil {
			if o.Main.Progress.Waits(c.Now(), release.RequestIn(cm.Data)) {
				o.Waits = release.PauseText(c.Name(), namespace, application, o.Main.Progress)
			}
		}
	}
	if service == "" {
		service = application
	}
	if o.Service, err = ownership.Cached(ctx, view, &corev1.Service{}, service); err != nil {
		return o, err
	}
	if o.Service == nil {
		if o.Service, err = adoptedBy(ctx, c, o.Main, namespace, application, service); err != nil {
			return o, err
		}
	}
	if o.Endpoint, err = endpointOf(ctx, view, o.Main, application); apierrors.IsForbidden(err) {
		o.EndpointErr = err
	} else if err != nil {
		return o, err
	}
	o.Split = traffic.SplitOf(o.Service)
	if o.Main == nil {
		return o, nil
	}
	if o.Route, err = routeOf(ctx, view, o.Main); err != nil {
		return o, err
	}
	if o.Route != nil {
		o.Split = o.RouteSpec(namespace, application).Split(o.Route)
	}
	err = o.others(ctx, view, application)
	return o, err
}

// others fills in the application's other releases. A record that cannot be read is
// told where the release itself is looked at.
func (o *Main) others(ctx context.Context, view ownership.View, application string) error {
	found, err := view.List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelApplication: application, release.LabelRole: release.RoleRecord})
	records := map[string]*release.Record{}
	for _, obj := range found {
		cm := obj.(*corev1.ConfigMap)
		if cm.Labels[release.LabelCustody] == string(release.CustodyCondemned) && !o.Main.Names(cm.Name) {
			o.Leftover = append(o.Leftover, cm.Name)
		}
		if record, err := ownership.RecordIn(cm.Data); err == nil {
			records[cm.Name] = record
		}
	}
	main := *o.Main
	if name, ok := o.Split.Stable(); ok {
		main = main.Promoted(name) // whoever moved it
		if records[name] == nil {
			d, lost := ownership.Cached(ctx, view, &appsv1.Deployment{}, name)
			o.Astray, err = d == nil && lost == nil, errors.Join(err, lost)
		}
	}
	o.Stays = release.Stays(main, records)
	return err
}

// adoptedBy is an application's address where it is somebody else's, which
// the cache does not have. Without a memory of the application, only a Service
// that selects a release of it counts.
func adoptedBy(ctx context.Context, c ownership.Cluster, main *release.Main, namespace, application, service string) (*corev1.Service, error) {
	switch {
	case main == nil:
		return AdoptedService(ctx, c, namespace, service, application)
	case main.Adopted == nil:
		return nil, nil
	default:
		return Service(ctx, c, namespace, service)
	}
}

// routeOf is the address's route, if it has one: nobody else has to list its kind, nor
// to be allowed to.
func routeOf(ctx context.Context, view ownership.View, main *release.Main) (traffic.Object, error) {
	if main.Route == nil {
		return nil, nil
	}
	var route traffic.Object
	var err error
	if main.Route.Adopted != nil {
		return theirRoute(ctx, view, *main.Route)
	}
	switch traffic.RouteKind(main.Route.Kind) {
	case traffic.HTTPRoute:
		route, err = found(ownership.Cached(ctx, view, &gatewayv1.HTTPRoute{}, main.Route.Name))
	case traffic.GRPCRoute:
		route, err = found(ownership.Cached(ctx, view, &gatewayv1.GRPCRoute{}, main.Route.Name))
	case traffic.TCPRoute:
		route, err = found(ownership.Cached(ctx, view, &gatewayv1.TCPRoute{}, main.Route.Name))
	}
	if apierrors.IsNotFound(err) { // the kind itself is gone, and every object with it
		return nil, nil
	}
	return route, err
}

// theirRoute is a route of somebody else's, a rule of which is adopted.
func theirRoute(ctx context.Context, view ownership.View, route release.Route) (traffic.Object, error) {
	found, err := view.Select(ctx, traffic.AdoptedSpec("", "", route).Empty(), "", "metadata.name="+route.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// RouteSpec is what a user would have written to get the route as it lives; the zero
// value where there is none.
func (o Main) RouteSpec(namespace, application string) traffic.RouteSpec {
	switch {
	case o.Main != nil && o.Main.Route != nil && o.Main.Route.Adopted != nil:
		return traffic.AdoptedSpec(namespace, application, *o.Main.Route)
	case o.Route != nil:
		return traffic.RouteSpecOf(application, o.Route)
	}
	return traffic.RouteSpec{}
}

// found is an object as an interface; nil where there is none.
func found[T any, P interface {
	*T
	traffic.Object
}](object P, err error) (traffic.Object, error) {
	if object == nil {
		return nil, err
	}
	return object, err
}

// endpointOf is the object, if there may be one: nobody else has to list its
// kind, nor to be allowed to.
func endpointOf(ctx context.Context, view ownership.View, main *release.Main, application string) (*externaldns.DNSEndpoint, error) {
	if main == nil || main.DNS == nil || !main.DNS.Object {
		return nil, nil
	}
	obj, err := ownership.Cached(ctx, view, &externaldns.DNSEndpoint{}, application)
	if apierrors.IsNotFound(err) { // the kind itself is gone, and every object with it
		return nil, nil
	}
	return obj, err
}
