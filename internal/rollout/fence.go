package rollout

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
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
	engine                 *Engine
	namespace, application string
}

// router moves an application's address, as long as its Lease is ours.
func (e *Engine) router(c Cluster, service traffic.ServiceSpec, force bool) *traffic.Service {
	return traffic.NewService(fenced{c, e, service.Namespace, service.Application}, c.View(service.Namespace), service, force)
}

func (f fenced) ours(ctx context.Context) error {
	return f.engine.holds(ctx, f.Cluster, f.namespace, f.application)
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

func (f fenced) Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error {
	if err := f.ours(ctx); err != nil {
		return err
	}
	return f.Cluster.Delete(ctx, obj, propagation)
}
