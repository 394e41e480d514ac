package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
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
	return e.inquire(ctx, c, d.Namespace, application).about(ctx, d)
}

// inquiry is one question whether traffic goes to a release.
type inquiry struct {
	engine      *Engine
	cluster     Cluster
	application string
	main        *release.Main
	services    *corev1.ServiceList
	workload    *appsv1.Deployment

	mainUnread, servicesUnread error

	ready   *readiness      // nil: not asked yet
	ignored map[string]bool // nil: not asked yet
}

// inquire reads, live, what an application's pointer names and which Services there are:
// at once, since each answer is waited for.
func (e *Engine) inquire(ctx context.Context, c Cluster, namespace, application string) *inquiry {
	q := &inquiry{engine: e, cluster: c, application: application, services: &corev1.ServiceList{}}
	var wg sync.WaitGroup
	wg.Go(func() { q.main, _, q.mainUnread = ownership.LiveMain(ctx, c, namespace, application) })
	wg.Go(func() { q.servicesUnread = c.List(ctx, namespace, "", q.services) })
	wg.Wait()
	return q
}

// about is the answer for a release that is looked at live.
func (q *inquiry) about(ctx context.Context, d *appsv1.Deployment) (reach, error) {
	if q.mainUnread != nil {
		return reach{}, q.mainUnread
	}
	if main := q.main; main != nil && main.Names(d.Name) {
		r := keepAll("it is the main deployment of " + d.Namespace + "/" + q.application)
		if main.Owner == "" && main.Group == "" {
			r = keepAll("the address of " + d.Namespace + "/" + q.application + " still leads to it")
		}
		r.pointed = true
		return r, nil
	}
	if q.servicesUnread != nil {
		return reach{}, q.servicesUnread
	}
	q.workload = d
	return q.ask(ctx)
}

// readiness is which of a release's pods can be sent traffic.
type readiness struct {
	some    bool // one is ready
	any     bool // there is one at all
	unknown bool // pods may not be listed
}

func (q *inquiry) ask(ctx context.Context) (reach, error) {
	d := q.workload
	routed := map[string]bool{} // Services that carry nothing unless a route leads to them; true: its own
	for i := range q.services.Items {
		svc := &q.services.Items[i]
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
	for _, listed := range q.allRoutes(ctx) {
		kind := listed.kind
		if apierrors.IsForbidden(listed.err) {
			q.engine.sayOnce(ownership.Key(q.cluster, q.workload.Namespace, kind.resource), routesUnread(q.cluster, q.workload.Namespace, kind))
			continue
		}
		if listed.err != nil {
			return reach{}, listed.err
		}
		for _, route := range listed.found {
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

// routeList is what is found of a kind.
type routeList struct {
	kind  routeKind
	found []Object
	err   error // forbidden: there is such a kind, as far as can be told
}

// allRoutes lists every kind, live and at once.
func (q *inquiry) allRoutes(ctx context.Context) []routeList {
	all, _ := fleet.All(routeKinds, func(kind routeKind) (routeList, error) {
		found, err := q.routes(ctx, kind)
		return routeList{kind, found, err}, nil
	})
	return all
}

// version is what is found of a kind in one version of its API.
type version struct {
	list   runtime.Object
	err    error // nil: it was listed
	serves bool  // the cluster has it; where unsaid is nil
	unsaid error
}

// routes lists one kind, live, in the newest version that the cluster has. A kind that it
// does not have has none.
func (q *inquiry) routes(ctx context.Context, kind routeKind) ([]Object, error) {
	c, namespace := q.cluster, q.workload.Namespace
	versions, _ := fleet.All(kind.lists, func(list func() runtime.Object) (*version, error) {
		v := &version{list: list()}
		v.err = c.List(ctx, namespace, "", v.list)
		return v, nil
	})
	if i := slices.IndexFunc(versions, func(v *version) bool { return v.err == nil }); i >= 0 {
		versions = versions[:i+1]
	}
	_, _ = fleet.All(versions, func(v *version) (struct{}, error) {
		if apierrors.IsNotFound(v.err) || apierrors.IsForbidden(v.err) {
			v.serves, v.unsaid = c.Serves(ctx, v.list)
		}
		return struct{}{}, nil
	})
	for _, v := range versions {
		switch {
		case v.err == nil:
			var all []Object
			err := meta.EachListItem(v.list, func(o runtime.Object) error {
				all = append(all, o.(Object))
				return nil
			})
			return all, err
		case (apierrors.IsNotFound(v.err) || apierrors.IsForbidden(v.err)) && v.unsaid == nil && !v.serves:
		default:
			return nil, v.err
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
	return orKeep(e.carries(ctx, c, application, d))
}

// orKeep takes what cannot be told for carrying.
func orKeep(r reach, err error) reach {
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
