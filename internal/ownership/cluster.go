package ownership

import (
	"context"
	"io"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// Object is any Kubernetes object of the typed API.
type Object = release.Object

// Reader reads live, never from a cache: every decision that could hurt is
// taken on what it returns. A missing object is an error that
// apierrors.IsNotFound recognises.
type Reader interface {
	// Get fills into.
	Get(ctx context.Context, namespace, name string, into Object) error
	// List fills into, e.g. a *corev1.ServiceList. An empty selector lists all.
	List(ctx context.Context, namespace, selector string, into runtime.Object) error
	// Recent is List from what the API server has at hand, which may be a moment
	// old: for what is shown, not for what is decided.
	Recent(ctx context.Context, namespace, selector string, into runtime.Object) error
	// Serves says whether the cluster has the kind of obj, an object or a list.
	Serves(ctx context.Context, obj runtime.Object) (bool, error)
}

// Writer changes the cluster. Every method retries what can heal within ctx,
// and fills obj from the API server's reply.
type Writer interface {
	// Create makes obj, atomically: a lost reply is told from somebody else's
	// object by comparing data (ConfigMap) or spec (Lease) with the live one.
	Create(ctx context.Context, obj Object) error
	// Update replaces obj; its resourceVersion is the precondition. Of a Service
	// it writes only who manages its fields.
	Update(ctx context.Context, obj Object) error
	// Apply is a server-side apply as field manager "switchback". uid and
	// resourceVersion, where set on obj, are preconditions. With force, fields
	// of other managers are taken over.
	Apply(ctx context.Context, obj Object, force bool) error
	// Delete removes the object if it still has obj's uid and, where set,
	// resourceVersion. What is gone already is a success.
	Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error
}

// Scaler sets the number of a workload's pods without owning it.
type Scaler interface {
	// Scale is a server-side apply of that number alone, as a field manager of
	// its own. d's uid and resourceVersion are preconditions. With force, it is
	// taken from whoever has it. The result is the API server's reply.
	Scale(ctx context.Context, d *appsv1.Deployment, replicas int32, force bool) (*appsv1.Deployment, error)
}

// Patcher changes what is somebody else's.
type Patcher interface {
	// Patch changes single fields of obj, and fills it from the reply. Its uid and
	// resourceVersion are the precondition.
	Patch(ctx context.Context, obj Object, ops []release.PatchOp) error
}

// View is a watched cache of one namespace's objects that carry our label,
// shared by everything in the run. It is for reading and waiting, never for
// deciding what may be removed.
type View interface {
	// Get returns nil where there is no such object. The result is shared: it
	// must not be modified. like tells the kind.
	Get(ctx context.Context, like Object, name string) (Object, error)
	// List returns the objects of like's kind whose labels include all of labels.
	List(ctx context.Context, like Object, labels map[string]string) ([]Object, error)
	// Select returns the objects of like's kind that a label selector and a field
	// selector select, ours or not, from a watch of their own.
	Select(ctx context.Context, like Object, labels, fields string) ([]Object, error)
	// Changes are those that may matter to an application: of its own objects, of
	// those of none, and of what Select selects. No application: all changes.
	Changes(application string) wait.Changes
}

// Announcer says what happens to whoever watches the cluster. Best effort: it never
// fails an operation.
type Announcer interface {
	// Emit writes an Event about regarding; warning marks it as one.
	Emit(ctx context.Context, regarding Object, reason release.EventReason, note string, warning bool)
	// Label sets labels of ours on an object that is there, for those who look.
	Label(ctx context.Context, obj Object, labels map[string]string)
	// User is who the cluster takes us for; empty where it does not say.
	User(ctx context.Context) string
}

// Explainer reads what explains how a release is. Nothing here asks for that: a
// cluster that is guarded passes it on.
type Explainer interface {
	// Log opens the log of one container of a pod; the caller closes it, and it
	// ends with ctx.
	Log(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error)
	// EventsOf lists the Events about one object, by its uid.
	EventsOf(ctx context.Context, namespace string, about types.UID) ([]*corev1.Event, error)
}

// Clock is the cluster's own. It is for times that outlast a process, which are
// compared with nothing but what the same clock said.
type Clock interface {
	Now() time.Time
}

// Cluster is one connection, by the name the user gave it. It is whole, because a
// guard stands in for all of it.
type Cluster interface {
	Name() string
	// Identity is the same for every process that works in the namespace, however
	// its user calls the cluster, and another one for every other namespace or
	// cluster. Empty where it cannot be told.
	Identity(ctx context.Context, namespace string) (string, error)
	Clock
	Announcer
	Reader
	Writer
	Scaler
	Patcher
	Explainer
	View(namespace string) View
}

// Cached reads one object of a view; the zero T where there is none.
func Cached[T Object](ctx context.Context, view View, like T, name string) (T, error) {
	var none T
	obj, err := view.Get(ctx, like, name)
	if err != nil || obj == nil {
		return none, err
	}
	return obj.(T), nil
}
