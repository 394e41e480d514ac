package rollout

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Observed is what stands of a release on one cluster.
type Observed struct {
	Cluster  string
	Record   *release.Record    // nil: none
	Created  time.Time          // of the record
	Workload *appsv1.Deployment // nil: none
	Service  *corev1.Service    // nil: none
	Err      error              // the cluster could not be read; the rest is empty

	Autoscaler       *autoscalingv2.HorizontalPodAutoscaler // nil: none that the record knows of
	DisruptionBudget *policyv1.PodDisruptionBudget          // the same

	Past release.Past // of its application; empty where there is none, or none that can be read
}

// Exists says whether anything is left of the release.
func (o Observed) Exists() bool {
	return o.Record != nil || o.Workload != nil || o.Service != nil
}

// Observe reads a release on every cluster from the shared watch caches. It
// writes nothing, and an unreachable cluster is not an empty one.
func (e *Engine) Observe(ctx context.Context, clusters []Cluster, id release.ID) []Observed {
	all, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (Observed, error) {
		o, err := observeOn(ctx, c, id)
		if err != nil {
			o = Observed{Err: err}
		}
		o.Cluster = c.Name()
		return o, nil
	})
	return all
}

func observeOn(ctx context.Context, c Cluster, id release.ID) (o Observed, err error) {
	view := c.View(id.Namespace)
	cm, err := cached(ctx, view, &corev1.ConfigMap{}, id.Name)
	if err != nil {
		return o, err
	}
	if cm != nil {
		o.Created = cm.CreationTimestamp.UTC()
		if o.Record, err = ownership.RecordIn(cm.Data); err != nil {
			return o, ownership.Unreadable(c, cm, err)
		}
	}
	if application, ok := release.ApplicationOf(id.Name); ok {
		if cm, err = cached(ctx, view, &corev1.ConfigMap{}, release.MainName(application)); err != nil {
			return o, err
		}
		o.Past = pastIn(cm)
	}
	if o.Workload, err = cached(ctx, view, &appsv1.Deployment{}, id.Name); err != nil {
		return o, err
	}
	if o.Service, err = cached(ctx, view, &corev1.Service{}, id.Name); err != nil || o.Record == nil {
		return o, err
	}
	if o.Autoscaler, err = expected(ctx, view, o.Record, release.CompanionAutoscaler, o.Autoscaler, id.Name); err != nil {
		return o, err
	}
	o.DisruptionBudget, err = expected(ctx, view, o.Record, release.CompanionDisruptionBudget, o.DisruptionBudget, id.Name)
	return o, err
}

// expected reads a companion, if the record says that there may be one: nobody
// else has to list its kind, nor to be allowed to.
func expected[T Object](ctx context.Context, view View, record *release.Record, kind release.Companion, none T, name string) (T, error) {
	if !record.Expects(kind) {
		return none, nil
	}
	obj, err := view.Get(ctx, companions[kind].empty(), name)
	if _, known := record.Baseline[string(kind)]; !known && apierrors.IsForbidden(err) {
		return none, nil // see deleteCompanion
	}
	if err != nil || obj == nil {
		return none, err
	}
	return obj.(T), nil
}

// ObservedMain is what stands of an application's address on one cluster.
type ObservedMain struct {
	Cluster  string
	Main     *release.Main   // nil: none
	Service  *corev1.Service // nil: none
	Split    release.Split   // who really gets the traffic
	Leftover []string        // condemned releases that a finished promotion would have collected
	Err      error

	Past release.Past // of the application; empty where there is none, or none that can be read

	Endpoint    *externaldns.DNSEndpoint // nil: none that the application's memory knows of
	EndpointErr error                    // its kind may not be read; who does not look at it need not care
}

// Exists says whether anything is left of the address.
func (o ObservedMain) Exists() bool { return o.Main != nil || o.Service != nil }

// ObserveMain reads an application's address on every cluster from the shared
// watch caches. service names the main Service; empty asks what is remembered.
func (e *Engine) ObserveMain(ctx context.Context, clusters []Cluster, namespace, application, service string) []ObservedMain {
	all, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (ObservedMain, error) {
		o, err := e.observeMainOn(ctx, c, namespace, application, service)
		if err != nil {
			o = ObservedMain{Err: err}
		}
		o.Cluster = c.Name()
		return o, nil
	})
	return all
}

func (e *Engine) observeMainOn(ctx context.Context, c Cluster, namespace, application, service string) (o ObservedMain, err error) {
	view := c.View(namespace)
	cm, err := cached(ctx, view, &corev1.ConfigMap{}, release.MainName(application))
	if err != nil {
		return o, err
	}
	o.Past = pastIn(cm)
	if cm != nil {
		if o.Main, err = ownership.MainIn(cm.Data); err != nil {
			return o, ownership.Unreadable(c, cm, err)
		}
		if service == "" && o.Main != nil {
			service = o.Main.Service
		}
	}
	if service == "" {
		service = application
	}
	if o.Service, err = cached(ctx, view, &corev1.Service{}, service); err != nil {
		return o, err
	}
	if o.Service == nil {
		if o.Service, err = e.observeAdopted(ctx, c, o.Main, namespace, application, service); err != nil {
			return o, err
		}
	}
	if o.Endpoint, err = observeDNS(ctx, view, o.Main, application); apierrors.IsForbidden(err) {
		o.EndpointErr = err
	} else if err != nil {
		return o, err
	}
	o.Split = traffic.SplitOf(o.Service)
	if o.Main == nil {
		return o, nil
	}
	records, err := view.List(ctx, &corev1.ConfigMap{}, map[string]string{
		release.LabelApplication: application, release.LabelCustody: string(release.CustodyCondemned),
	})
	for _, record := range records {
		if !o.Main.Names(record.GetName()) {
			o.Leftover = append(o.Leftover, record.GetName())
		}
	}
	return o, err
}

// observeAdopted is an application's address where it is somebody else's, which
// the cache does not have. Without a memory of the application, only a Service
// that selects a release of it counts.
func (e *Engine) observeAdopted(ctx context.Context, c Cluster, main *release.Main, namespace, application, service string) (*corev1.Service, error) {
	switch {
	case main == nil:
		return e.adoptedService(ctx, c, namespace, service, application)
	case main.Adopted == nil:
		return nil, nil
	default:
		return anyService(ctx, c, namespace, service)
	}
}

// Shift is how far the traffic of an application's address has moved on one
// cluster, and what it still waits for.
type Shift struct {
	To       string // who has, or is to get, the traffic
	Switched int    // percent
	Desired  int    // percent
	Step     int    // percent that the next step moves
	Launched int    // pods of To
	Healthy  int    // of these, ready
	Awaited  int    // pods that are still to become ready
}

// Shift looks at a promotion, or at what stands where none is under way.
func (e *Engine) Shift(ctx context.Context, c Cluster, namespace string, o ObservedMain) (Shift, error) {
	s := Shift{Desired: 100}
	s.To, _ = o.Split.Stable()
	if o.Main != nil && o.Main.Progress != nil {
		s.To = o.Main.Progress.To
	}
	if s.To == "" {
		return s, nil
	}
	s.Switched = o.Split[s.To]
	s.Step = s.Desired - s.Switched // a Service moves all at once
	d, err := cached(ctx, c.View(namespace), &appsv1.Deployment{}, s.To)
	if err != nil || d == nil {
		return s, err
	}
	s.Launched, s.Healthy = int(d.Status.Replicas), int(d.Status.ReadyReplicas)
	s.Awaited = max(0, int(deref(d.Spec.Replicas))-s.Healthy)
	return s, nil
}

// cached reads one object of a view; the zero T where there is none.
func cached[T Object](ctx context.Context, view View, like T, name string) (T, error) {
	var none T
	obj, err := view.Get(ctx, like, name)
	if err != nil || obj == nil {
		return none, err
	}
	return obj.(T), nil
}
