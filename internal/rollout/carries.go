package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// reach is why a release must be taken to carry traffic.
type reach struct {
	pods    string // why its pods must stay; empty: no traffic comes to them
	objects string // why all of it must stay: whatever keeps the pods, or a route that would lead nowhere
	pointed bool   // the application's pointer names it
	route   string // the Ingress or route that leads there; empty: it is none
}

func keepAll(why string) reach { return reach{pods: why, objects: why} }

// carries says whether a release carries traffic: the application's pointer names
// it, or a Service of somebody else's selects its ready pods, or an Ingress or a
// route leads to them, be it through its own Service. It reads live. What cannot
// be told is an error, and callers that would hurt must treat that as carrying.
// Ingresses and routes that may not be read are told of, once, and block nobody.
func (e *Engine) carries(ctx context.Context, c Cluster, application string, d *appsv1.Deployment) (reach, error) {
	main, _, err := ownership.LiveMain(ctx, c, d.Namespace, application)
	if err != nil {
		return reach{}, err
	}
	if main != nil && main.Names(d.Name) {
		r := keepAll("it is the main deployment of " + d.Namespace + "/" + application)
		if main.Owner == "" && main.Group == "" {
			r = keepAll("the address of " + d.Namespace + "/" + application + " still leads to it")
		}
		r.pointed = true
		return r, nil
	}
	q := &inquiry{engine: e, cluster: c, application: application, main: main, workload: d}
	return q.ask(ctx)
}

// inquiry is one question whether traffic goes to a release that is not main.
type inquiry struct {
	engine      *Engine
	cluster     Cluster
	application string
	main        *release.Main
	workload    *appsv1.Deployment

	ready   *readiness      // nil: not asked yet
	ignored map[string]bool // nil: not asked yet
}

// readiness is which of a release's pods can be sent traffic.
type readiness struct {
	some    bool // one is ready
	any     bool // there is one at all
	unknown bool // pods may not be listed
}

func (q *inquiry) ask(ctx context.Context) (reach, error) {
	d, services := q.workload, &corev1.ServiceList{}
	if err := q.cluster.List(ctx, d.Namespace, "", services); err != nil {
		return reach{}, err
	}
	routed := map[string]bool{} // Services that carry nothing unless a route leads to them; true: its own
	for i := range services.Items {
		svc := &services.Items[i]
		switch own := svc.Name == d.Name; {
		case own:
			routed[svc.Name] = true
		case !leadsToPods(svc, d):
		case traffic.Headless(svc):
			routed[svc.Name] = false
		default:
			why, err := q.byService(ctx, svc)
			if err != nil || why != "" {
				return keepAll(why), err
			}
		}
	}
	if len(routed) == 0 {
		return reach{}, nil
	}
	return q.byRoutes(ctx, routed)
}

// leadsToPods says that a Service selects a release's pods, or is another name
// of the release's own Service.
func leadsToPods(svc *corev1.Service, d *appsv1.Deployment) bool {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return strings.HasPrefix(svc.Spec.ExternalName+".", d.Name+"."+d.Namespace+".svc.")
	}
	return traffic.Selects(svc, d.Spec.Template.Labels)
}

// byService is why a Service that leads to the pods brings traffic there; empty
// where it does not.
func (q *inquiry) byService(ctx context.Context, svc *corev1.Service) (string, error) {
	d := q.workload
	why := fmt.Sprintf("the Service %s/%s selects its pods", svc.Namespace, svc.Name)
	if svc.Spec.Type == corev1.ServiceTypeExternalName { // which selects nothing
		why = fmt.Sprintf("the Service %s/%s is another name of its own Service %s", svc.Namespace, svc.Name, d.Name)
	}
	if svc.Labels[release.LabelRole] != release.RoleMain && (q.main == nil || q.main.Service != svc.Name) {
		if ignored, err := q.ignores(ctx, svc.Name); err != nil || ignored {
			return "", err
		}
	}
	if svc.Spec.Selector[release.LabelDeployment] == d.Name {
		return why, nil // it means this very release, ready or not
	}
	ready, err := q.isReady(ctx)
	switch {
	case err != nil:
		return "", err
	case ready.unknown:
		return why + " (and whether one is ready cannot be told: pods may not be listed)", nil
	case ready.some, ready.any && svc.Spec.PublishNotReadyAddresses:
		return why, nil
	}
	return "", nil
}

// byRoutes asks what Ingresses and routes lead to.
func (q *inquiry) byRoutes(ctx context.Context, services map[string]bool) (reach, error) {
	var waits reach // why the release must stay although its pods may go
	for _, kind := range routeKinds {
		found, err := q.routes(ctx, kind)
		if err != nil {
			return reach{}, err
		}
		for _, route := range found {
			if workload.IsPreview(route, q.workload.Name) {
				continue // it ends with the release
			}
			for _, to := range traffic.Backends(route) {
				own, leads := services[to.Service]
				if !leads {
					continue
				}
				name := fmt.Sprintf("%s %s/%s", kind.name, route.GetNamespace(), route.GetName())
				why := fmt.Sprintf("the %s leads to its Service %s", name, to.Service)
				if !own {
					if ignored, err := q.ignores(ctx, to.Service); err != nil {
						return reach{}, err
					} else if ignored {
						continue
					}
					why = fmt.Sprintf("the %s leads to the Service %s, which selects its pods", name, to.Service)
				}
				ready, err := q.isReady(ctx)
				if err != nil {
					return reach{}, err
				}
				if !to.Idle && (ready.some || ready.unknown) {
					return reach{pods: why, objects: why, route: name}, nil
				}
				if own && waits.objects == "" {
					waits = reach{objects: why, route: name} // without the Service, the route would lead nowhere
				}
			}
		}
	}
	return waits, nil
}

// isReady reads, live and at most once, whether the release has a pod that can be
// sent traffic.
func (q *inquiry) isReady(ctx context.Context) (readiness, error) {
	if q.ready != nil {
		return *q.ready, nil
	}
	pods := &corev1.PodList{}
	selector := labels.SelectorFromSet(release.Selector(q.workload.Name)).String()
	err := q.cluster.List(ctx, q.workload.Namespace, selector, pods)
	if err != nil && !apierrors.IsForbidden(err) {
		return readiness{}, err
	}
	q.ready = &readiness{unknown: err != nil, any: len(pods.Items) > 0}
	for i := range pods.Items {
		pod := &pods.Items[i]
		q.ready.some = q.ready.some || pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}
	return *q.ready, nil
}

// ignores says that the user has named a Service as one that is no traffic, at
// the release itself or at one of the application's that are in a state now.
func (q *inquiry) ignores(ctx context.Context, service string) (bool, error) {
	if q.ignored == nil {
		records, err := ownership.RecordsOf(ctx, q.cluster, q.workload.Namespace, q.application)
		if err != nil {
			return false, err
		}
		q.ignored = map[string]bool{}
		for name, record := range records.Read {
			if name != q.workload.Name && record.Custody != release.CustodyOwned && record.Custody != release.CustodyClaimed {
				continue
			}
			for _, ignored := range record.IgnoreServices {
				q.ignored[ignored] = true
			}
		}
	}
	return q.ignored[service], nil
}

// routeKind is a kind of objects that lead to Services.
type routeKind struct {
	name, resource string
	lists          []func() runtime.Object // of each version that clusters serve, the newest first
}

var routeKinds = []routeKind{
	{"Ingress", "ingresses.networking.k8s.io", []func() runtime.Object{func() runtime.Object { return &networkingv1.IngressList{} }}},
	{"HTTPRoute", "httproutes.gateway.networking.k8s.io", []func() runtime.Object{func() runtime.Object { return &gatewayv1.HTTPRouteList{} }}},
	{"GRPCRoute", "grpcroutes.gateway.networking.k8s.io", []func() runtime.Object{func() runtime.Object { return &gatewayv1.GRPCRouteList{} }}},
	{"TCPRoute", "tcproutes.gateway.networking.k8s.io", []func() runtime.Object{
		func() runtime.Object { return &gatewayv1.TCPRouteList{} }, func() runtime.Object { return &gatewayv1alpha2.TCPRouteList{} },
	}},
}

// routes lists one kind, live. A kind that the cluster does not have has none, and
// one that may not be read is told of.
func (q *inquiry) routes(ctx context.Context, kind routeKind) ([]Object, error) {
	c, namespace := q.cluster, q.workload.Namespace
	for _, list := range kind.lists {
		into := list()
		err := c.List(ctx, namespace, "", into)
		if err == nil {
			var all []Object
			err = meta.EachListItem(into, func(o runtime.Object) error {
				all = append(all, o.(Object))
				return nil
			})
			return all, err
		}
		if !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
			return nil, err
		}
		serves, unsaid := c.Serves(ctx, into)
		switch {
		case unsaid == nil && !serves:
		case apierrors.IsForbidden(err):
			q.engine.sayOnce(ownership.Key(c, namespace, kind.resource), routesUnread(c, namespace, kind))
			return nil, nil
		default:
			return nil, err
		}
	}
	return nil, nil
}

// mayHurt is carries for deciding whether a release's pods may be taken away: a
// reason not to where it carries traffic, and where that cannot be told.
func (e *Engine) mayHurt(ctx context.Context, c Cluster, application string, d *appsv1.Deployment) string {
	return e.mayRemove(ctx, c, application, d).pods
}

// mayRemove is the same for the whole of it.
func (e *Engine) mayRemove(ctx context.Context, c Cluster, application string, d *appsv1.Deployment) reach {
	r, err := e.carries(ctx, c, application, d)
	if err != nil {
		return keepAll("it cannot be told whether it carries traffic: " + err.Error())
	}
	return r
}

// liveWorkload reads a release's workload; nil where there is none.
func (e *Engine) liveWorkload(ctx context.Context, c Cluster, id release.ID, application string) (*appsv1.Deployment, error) {
	return ownership.Look(ctx, c, id.Namespace, id.Name, application, &appsv1.Deployment{}, "Deployment")
}

// liveService reads a release's own Service; nil where there is none.
func (e *Engine) liveService(ctx context.Context, c Cluster, id release.ID, application string) (*corev1.Service, error) {
	return ownership.Look(ctx, c, id.Namespace, id.Name, application, &corev1.Service{}, "Service")
}
