package traffic

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Router moves the traffic of one application's address on one cluster.
type Router interface {
	// Ensure makes the split what is wanted. It is level-triggered: call it
	// again after every change in the cluster until it says settled, which it
	// does only when the data plane has the split.
	Ensure(ctx context.Context, want release.Split) (settled bool, err error)
	// Observe returns the real split, never our memory of it; empty where there
	// is no address or where it selects no release of ours.
	Observe(ctx context.Context) (release.Split, error)
	// Remove takes the address away. What is gone already is a success.
	Remove(ctx context.Context) error
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
	Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error
}

// View reads the watched cache of one namespace.
type View interface {
	List(ctx context.Context, like Object, labels map[string]string) ([]Object, error)
	Select(ctx context.Context, like Object, labels, fields string) ([]Object, error)
}
