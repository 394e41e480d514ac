package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// DNSRequest gives an application its name across clusters.
type DNSRequest struct {
	Service  traffic.ServiceSpec // the application's address
	DNS      *release.DNS        // nil: none, or none any more
	Owner    string              // the state's token
	Clusters []Cluster           // on which the application has its address

	// Away are clusters that are left as they are for now: they keep the address
	// that they have.
	Away map[string]error

	// TakeBack says that the plan has shown fields of the DNSEndpoint to be
	// changed by somebody else.
	TakeBack bool
}

func (r DNSRequest) names() []string {
	names := slices.Collect(maps.Keys(r.Away))
	for _, c := range r.Clusters {
		names = append(names, c.Name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// holds says whether the cluster's external-dns shall make records.
func (r DNSRequest) holds(c Cluster) bool {
	return r.DNS != nil && r.DNS.Endpoints && (r.DNS.Policy.Routed() || r.DNS.Home(r.names()) == c.Name())
}

// kindAppears is how long a kind that is not there may take to be served after
// its CustomResourceDefinition was made: by the same apply, a moment ago.
const kindAppears = 3 * time.Second

// CheckDNS finds out, before anything is written, whether PublishDNS will be
// possible: the kind is known, and the object's name is free or ours. Where the
// name has been published before, whatever is wrong with it since must not hold
// up traffic: PublishDNS says it.
func (e *Engine) CheckDNS(ctx context.Context, req DNSRequest) error {
	_, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (struct{}, error) {
		if !req.holds(c) {
			return struct{}{}, nil
		}
		err := e.mayPublish(ctx, c, req)
		if err == nil {
			return struct{}{}, nil
		}
		main, _, unread := ownership.LiveMain(ctx, c, req.Service.Namespace, req.Service.Application)
		if unread == nil && main != nil && main.DNS != nil && main.DNS.Object {
			return struct{}{}, nil
		}
		return struct{}{}, onceKnown(ctx, func() error { return e.mayPublish(ctx, c, req) })
	})
	return err
}

// onceKnown asks once more, a little later, where a cluster does not know a kind: this same
// run may have just installed it.
func onceKnown(ctx context.Context, ask func() error) error {
	err := ask()
	var dns *release.MissingKindError
	var route *release.NoGatewayAPIError
	if !errors.As(err, &dns) && !errors.As(err, &route) {
		return err
	}
	if err := wait.For(ctx, kindAppears); err != nil {
		return err
	}
	return ask()
}

func (e *Engine) mayPublish(ctx context.Context, c Cluster, req DNSRequest) error {
	obj := &externaldns.DNSEndpoint{}
	err := c.Get(ctx, req.Service.Namespace, req.Service.Application, obj)
	switch {
	case err == nil:
		return release.Foreign(c.Name(), externaldns.Kind, obj, req.Service.Application)
	case missingKind(err):
		return &release.MissingKindError{Cluster: c.Name(), Kind: externaldns.Kind, CRD: externaldns.CRD}
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}

// missingKind tells that the API server serves no such kind from that there is
// no such object.
func missingKind(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// PromoteNamed is Promote of an application that has a name across clusters.
// Whether it can be brought up to date is found out first: afterwards, traffic
// has moved. The name has no part in a switch: where it fails, it is unfinished.
func (e *Engine) PromoteNamed(ctx context.Context, req PromoteRequest, dns *release.DNS) (Promoted, []release.DNSRecord, error) {
	name := DNSRequest{Service: req.Service, DNS: dns, Clusters: req.Clusters, TakeBack: req.TakeBack}
	if err := e.CheckDNS(ctx, name); err != nil {
		return Promoted{Status: release.MainFailed, Reason: reasonOf(err)}, nil, err
	}
	done, err := e.Promote(ctx, req)
	if err != nil || dns == nil && !done.Named {
		return done, nil, err
	}
	name.Owner, name.Away = done.Owner, maps.Clone(req.Unready)
	for _, outcome := range done.Clusters {
		if outcome.Err == nil {
			continue
		}
		if name.Away == nil {
			name.Away = map[string]error{}
		}
		name.Away[outcome.Cluster] = outcome.Err
	}
	name.Clusters = slices.DeleteFunc(slices.Clone(req.Clusters), func(c Cluster) bool { return name.Away[c.Name()] != nil })
	records, err := e.PublishDNS(ctx, name, &done)
	return done, records, err
}

// PublishDNS brings an application's name up to date, after its traffic is where
// it was asked to be: it touches no traffic. It waits until the load balancers
// have addresses. Those that have one do not wait for the others.
//
// Where it fails, done is unfinished; the next one goes on from there.
func (e *Engine) PublishDNS(ctx context.Context, req DNSRequest, done *Promoted) ([]release.DNSRecord, error) {
	records, err := e.publish(ctx, req)
	if err != nil {
		done.Status, done.Reason = release.MainFinalizing, reasonOf(err)
	}
	return records, err
}

func (e *Engine) publish(ctx context.Context, req DNSRequest) ([]release.DNSRecord, error) {
	if req.DNS == nil {
		return nil, e.writeDNS(ctx, req, nil, true)
	}
	var written []release.DNSRecord
	for {
		addresses, awaited, err := e.addresses(ctx, req)
		if err != nil {
			return written, err
		}
		records, err := req.DNS.Records(req.Service.Namespace, req.Service.Application, addresses)
		if err != nil {
			return written, err
		}
		whole := !slices.ContainsFunc(req.names(), func(name string) bool { return len(addresses[name]) == 0 })
		if err := e.writeDNS(ctx, req, records, whole); err != nil {
			return written, err
		}
		written = records
		if len(awaited) == 0 {
			return written, nil
		}
		if err := e.awaitAddress(ctx, req, awaited); err != nil {
			return written, err
		}
	}
}

// addresses are the given ones and, live, those of the load balancers. awaited
// are the clusters whose load balancer has none yet.
func (e *Engine) addresses(ctx context.Context, req DNSRequest) (addresses map[string][]string, awaited []Cluster, err error) {
	all := fleet.ByName(req.Clusters)
	found, err := fleet.All(all, func(c Cluster) ([]string, error) {
		if given := req.DNS.Targets[c.Name()]; len(given) > 0 {
			return given, nil
		}
		svc, err := observe.Service(ctx, c, req.Service.Namespace, req.Service.Name)
		if err != nil {
			return nil, err
		}
		if why := noBalancer(svc); why != "" {
			return nil, &release.NoAddressError{Cluster: c.Name(), Namespace: req.Service.Namespace, Service: req.Service.Name, Reason: why}
		}
		return traffic.Addresses(svc), nil
	})
	addresses = map[string][]string{}
	for name := range req.Away {
		addresses[name] = req.DNS.Targets[name]
	}
	for i, c := range all {
		addresses[c.Name()] = found[i]
		if len(found[i]) == 0 {
			awaited = append(awaited, c)
		}
	}
	return addresses, awaited, err
}

// noBalancer says why a Service will never have an address of a load balancer.
func noBalancer(svc *corev1.Service) string {
	switch {
	case svc == nil:
		return "there is no such Service any more"
	case svc.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return "its type is " + string(svc.Spec.Type) + ", not LoadBalancer, and `targets` does not have the cluster"
	}
	return ""
}

// adoptedEvery is how often an adopted Service is looked at, which is in no view.
const adoptedEvery = 5 * time.Second

// awaitAddress returns when one of the clusters' load balancers has an address.
func (e *Engine) awaitAddress(ctx context.Context, req DNSRequest, awaited []Cluster) error {
	waiting, found := context.WithCancelCause(ctx)
	defer found(nil)
	errs := make(chan error, len(awaited))
	for _, c := range awaited {
		go func() { errs <- e.hasAddress(waiting, c, req) }()
	}
	var failed []error
	for range awaited {
		err := <-errs
		if err == nil {
			return nil // the others end with it
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (e *Engine) hasAddress(ctx context.Context, c Cluster, req DNSRequest) error {
	view, again := c.View(req.Service.Namespace), time.Duration(0)
	look := func() (*corev1.Service, error) {
		return ownership.Cached(ctx, view, &corev1.Service{}, req.Service.Name)
	}
	if req.Service.Adopt {
		again = adoptedEvery
		look = func() (*corev1.Service, error) {
			return observe.Service(ctx, c, req.Service.Namespace, req.Service.Name)
		}
	}
	err := wait.Until(ctx, view.Changes(req.Service.Application), func() (bool, time.Duration, error) {
		svc, err := look()
		return len(traffic.Addresses(svc)) > 0, again, err
	})
	if err == nil {
		return nil
	}
	return &release.NoAddressError{
		Cluster: c.Name(), Namespace: req.Service.Namespace, Service: req.Service.Name, Reason: "its load balancer has not been given one", Err: err,
	}
}

// writeDNS makes the objects what the records say, under the application's
// Leases. whole says that every cluster's address is known.
func (e *Engine) writeDNS(ctx context.Context, req DNSRequest, records []release.DNSRecord, whole bool) error {
	return e.keeper.Locked(ctx, req.Clusters, req.Service.Namespace, req.Service.Application, func(ctx context.Context, _ *ownership.Held) error {
		_, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (struct{}, error) {
			return struct{}{}, e.writeDNSOn(ctx, c, req, records, whole)
		})
		return err
	})
}

func (e *Engine) writeDNSOn(ctx context.Context, c Cluster, req DNSRequest, records []release.DNSRecord, whole bool) error {
	namespace, application := req.Service.Namespace, req.Service.Application
	main, live, err := ownership.LiveMain(ctx, c, namespace, application)
	if err != nil {
		return err
	}
	if main == nil || main.Owner != req.Owner {
		return &release.StaleOwnerError{
			Cluster: c.Name(), Kind: "main deployment", ResourceType: "switchback_main_deployment", ID: namespace + "/" + application,
		}
	}
	next, before := release.DNSWritten{}, main.DNS
	if before != nil {
		next = *before
	}
	remember := func(written *release.DNSWritten) error {
		if main.DNS.Equal(written) {
			return nil
		}
		main.DNS = written
		return e.keeper.SaveMain(ctx, c, namespace, application, &live, main)
	}
	if req.DNS == nil {
		if err := e.withdrawDNS(ctx, c, namespace, application, next.Object); err != nil {
			return err
		}
		return remember(nil)
	}
	next.Spec = *req.DNS
	mine := req.DNS.Of(records, c.Name(), req.names())
	switch {
	case !req.holds(c):
		if err := e.withdrawDNS(ctx, c, namespace, application, next.Object); err != nil {
			return err
		}
		return remember(&release.DNSWritten{Spec: *req.DNS})
	case len(mine) == 0, !req.DNS.Policy.Routed() && !whole && next.Object:
		// A load balancer that has lost its address for now is no reason to take
		// the name away from it.
		return remember(&next)
	}
	promised := next
	promised.Object = true
	if err := remember(&promised); err != nil { // before there is an object
		return err
	}
	written := promised
	if err := e.applyDNS(ctx, c, req, mine, &written); err != nil {
		return err
	}
	return remember(&written)
}

// applyDNS applies the object and notes what became of it.
func (e *Engine) applyDNS(ctx context.Context, c Cluster, req DNSRequest, records []release.DNSRecord, written *release.DNSWritten) error {
	namespace, application := req.Service.Namespace, req.Service.Application
	t := target{id: release.ID{Namespace: namespace, Name: application}}
	t.spec.Content.Application = application
	var may takeBack
	if req.TakeBack {
		may = everything
	}
	render := func(*externaldns.DNSEndpoint) (*externaldns.DNSEndpoint, error) {
		return workload.DNSEndpoint(namespace, application, *req.DNS, records), nil
	}
	asked, _ := render(nil)
	obj, _, err := apply(ctx, c, t, externaldns.Kind, render, may)
	if missingKind(err) {
		return &release.MissingKindError{Cluster: c.Name(), Kind: externaldns.Kind, CRD: externaldns.CRD}
	}
	if err != nil {
		return err
	}
	written.Asked, written.Baseline = workload.DNSAsked(asked), workload.Baseline(obj)
	return nil
}

// withdrawDNS removes the object, if there may be one. What is somebody else's
// is left alone.
func (e *Engine) withdrawDNS(ctx context.Context, c Cluster, namespace, application string, object bool) error {
	for object {
		obj, err := ownership.Look(ctx, c, namespace, application, application, &externaldns.DNSEndpoint{}, externaldns.Kind)
		if release.IsForeign(err) {
			return nil
		}
		if err != nil || obj == nil || obj.DeletionTimestamp != nil {
			return err
		}
		err = c.Delete(ctx, obj, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// unpublish takes the name away before the address goes: clients should not be
// sent where nobody is. asked says that the state knows of an object.
func (e *Engine) unpublish(ctx context.Context, c Cluster, req UnmainRequest, main *release.Main) error {
	known := main != nil && main.DNS != nil && main.DNS.Object
	if err := e.withdrawDNS(ctx, c, req.Service.Namespace, req.Service.Application, known || req.DNS); err != nil {
		return err
	}
	if main != nil {
		main.DNS = nil
	}
	return nil
}
