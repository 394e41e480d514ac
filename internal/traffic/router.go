package traffic

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Router moves the traffic of one application's address on one cluster.
type Router interface {
	// Look reads the address live: never our memory of it.
	Look(ctx context.Context) (Observed, error)
	// Shift makes the split what is wanted, percents of releases that make a hundred.
	// It is level-triggered: call it again after every change in the cluster, and
	// after a while where it says so, until it says settled, which it does only when
	// the data plane has the split.
	Shift(ctx context.Context, want release.Split) (settled bool, again time.Duration, err error)
	// Remove takes the address away. What is gone already is a success.
	Remove(ctx context.Context) error
}

// Observed is one look at an application's address.
type Observed struct {
	Split   release.Split   // who gets its traffic; empty where that is no release of ours
	Service *corev1.Service // the main Service; nil: there is none
	Route   Object          // the route of the Gateway API; nil: there is none
	Mirrors bool            // the route gives copies of requests, beside the split
}

// Exists says that there is an address.
func (o Observed) Exists() bool { return o.Service != nil || o.Route != nil }

// Leads says that two looks found the same address, and that it leads to the same pods,
// with copies or without.
func (o Observed) Leads(as Observed) bool {
	if (o.Route == nil) != (as.Route == nil) || o.Mirrors != as.Mirrors || !maps.Equal(o.Split, as.Split) {
		return false
	}
	if o.Service == nil || as.Service == nil {
		return o.Service == as.Service
	}
	return o.Service.UID == as.Service.UID && maps.Equal(o.Service.Spec.Selector, as.Service.Spec.Selector)
}

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// Cluster is what a router needs of a cluster: see internal/rollout for the
// promises of each method.
type Cluster interface {
	Name() string
	Get(ctx context.Context, namespace, name string, into Object) error
	Writer
}

// Writer is the part of Cluster that changes something.
type Writer interface {
	Apply(ctx context.Context, obj Object, force bool) error
	Update(ctx context.Context, obj Object) error
	Patch(ctx context.Context, obj Object, ops []release.PatchOp) error
	Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error
}

// View reads the watched cache of one namespace.
type View interface {
	List(ctx context.Context, like Object, labels map[string]string) ([]Object, error)
	Select(ctx context.Context, like Object, labels, fields string) ([]Object, error)
}
