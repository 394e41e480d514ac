package diagnose

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// LogReader reads what containers write.
type LogReader interface {
	// Log opens the log of one container of a pod; the caller closes it, and it
	// ends with ctx.
	Log(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error)
}

// Cluster is what is read of one, live. A missing object is an error that
// apierrors.IsNotFound recognises.
type Cluster interface {
	Name() string
	// Now is the cluster's own time.
	Now() time.Time
	// Get fills into.
	Get(ctx context.Context, namespace, name string, into Object) error
	// List fills into, e.g. a *corev1.ServiceList. An empty selector lists all.
	List(ctx context.Context, namespace, selector string, into runtime.Object) error
	// Recent is List from what the API server has at hand, which may be a moment
	// old.
	Recent(ctx context.Context, namespace, selector string, into runtime.Object) error
	LogReader
}

// sorted are clusters by name.
func sorted[C Cluster](clusters []C) []Cluster {
	all := make([]Cluster, len(clusters))
	for i, c := range fleet.ByName(clusters) {
		all[i] = c
	}
	return all
}
