package ownership

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// guarded is a cluster on which nothing is written for a claim that is not ours
// any more. Its users read what they write first, and write with that as
// precondition.
type guarded struct {
	Cluster
	claim *Claim
}

// guard lets the claim write only as long as it is ours.
func (cl *Claim) guard() *Claim {
	cl.cluster = guarded{cl.cluster, cl}
	return cl
}

// beneath is where the claim writes its record, which has a precondition of its
// own.
func (cl *Claim) beneath() Cluster {
	if g, ok := cl.cluster.(guarded); ok {
		return g.Cluster
	}
	return cl.cluster
}

// bare is the cluster without what keeps from writing to it: to let go of what
// is ours.
func bare(c Cluster) Cluster {
	for {
		switch inner := c.(type) {
		case guarded:
			c = inner.Cluster
		case fenced:
			c = inner.Cluster
		default:
			return c
		}
	}
}

func (g guarded) Create(ctx context.Context, obj Object) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Create(ctx, obj)
}

func (g guarded) Apply(ctx context.Context, obj Object, force bool) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Apply(ctx, obj, force)
}

func (g guarded) Update(ctx context.Context, obj Object) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Update(ctx, obj)
}

func (g guarded) Patch(ctx context.Context, obj Object, ops []release.PatchOp) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Patch(ctx, obj, ops)
}

func (g guarded) Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Delete(ctx, obj, propagation)
}

func (g guarded) Scale(ctx context.Context, d *appsv1.Deployment, replicas int32, force bool) (*appsv1.Deployment, error) {
	if err := g.claim.mayWrite(ctx, d); err != nil {
		return nil, err
	}
	return g.Cluster.Scale(ctx, d, replicas, force)
}

// Label is for what the record says: also at the very end, when it says that
// nobody is at work on the release.
func (g guarded) Label(ctx context.Context, obj Object, labels map[string]string) {
	cl := g.claim
	cl.mu.Lock()
	told := cl.own.lost == nil && since(cl.own.seen) < cl.keeper.surely()
	cl.mu.Unlock()
	if told {
		g.Cluster.Label(ctx, obj, labels)
	}
}

// Tell says nothing about what is somebody else's.
func (g guarded) Emit(ctx context.Context, regarding Object, reason release.EventReason, note string, warning bool) {
	if g.claim.Gone() == nil {
		g.Cluster.Emit(ctx, regarding, reason, note, warning)
	}
}
