package ownership

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// fenced is a cluster that is only written to while an application's Lease is
// ours. A process that was away for longer than the Lease lasts (a network that
// was cut, a machine that slept) does not know it yet when it goes on, and
// somebody else may have moved the traffic since.
//
// Its users read what they write first, and write with that as precondition. So
// it is enough to look at the Lease in between: whoever takes it after that
// look, and writes, makes the write a conflict, which looks again.
type fenced struct {
	Cluster
	keeper                 *Keeper
	namespace, application string

	// lately says that a Lease which was renewed lately need not be looked at:
	// nobody can have taken it for dead since.
	lately bool
}

// Under is a cluster for what is done while the application's Lease is ours.
func (k *Keeper) Under(c Cluster, namespace, application string) Cluster {
	if f, ok := c.(fenced); ok && f.namespace == namespace && f.application == application {
		return c
	}
	return fenced{c, k, namespace, application, true}
}

// StrictlyUnder is the same for what nothing but the Lease protects: the Lease is
// looked at before every write.
func (k *Keeper) StrictlyUnder(c Cluster, namespace, application string) Cluster {
	return fenced{c, k, namespace, application, false}
}

func (f fenced) ours(ctx context.Context) error {
	t := f.keeper.tenureOf(Key(f.Cluster, f.namespace, f.application))
	if t != nil {
		if lost := t.lost.Load(); lost != nil {
			return lost
		}
		if f.lately && since(*t.seen.Load()) < f.keeper.surely() {
			return nil
		}
	}
	return f.keeper.Holds(ctx, f.Cluster, f.namespace, f.application)
}

func (f fenced) Create(ctx context.Context, obj Object) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Create(ctx, obj)
}

func (f fenced) Apply(ctx context.Context, obj Object, force bool) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Apply(ctx, obj, force)
}

func (f fenced) Update(ctx context.Context, obj Object) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Update(ctx, obj)
}

func (f fenced) Patch(ctx context.Context, obj Object, ops []release.PatchOp) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Patch(ctx, obj, ops)
}

func (f fenced) Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Delete(ctx, obj, propagation)
}

func (f fenced) Scale(ctx context.Context, d *appsv1.Deployment, replicas int32, force bool) (*appsv1.Deployment, error) {
	if err := f.ours(ctx); err != nil {
		return nil, err
	}
	return f.Cluster.Scale(ctx, d, replicas, force)
}

func (f fenced) Label(ctx context.Context, obj Object, labels map[string]string) {
	if f.ours(ctx) == nil {
		f.Cluster.Label(ctx, obj, labels)
	}
}

// Tell says nothing about what is somebody else's to tell. What is known is
// enough for an Event.
func (f fenced) Emit(ctx context.Context, regarding Object, reason release.EventReason, note string, warning bool) {
	if t := f.keeper.tenureOf(Key(f.Cluster, f.namespace, f.application)); t == nil || t.lost.Load() == nil {
		f.Cluster.Emit(ctx, regarding, reason, note, warning)
	}
}
