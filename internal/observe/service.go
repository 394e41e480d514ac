package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// AdoptedService reads, live, a Service of somebody else's that selects a
// release of the application; nil where there is none such.
func AdoptedService(ctx context.Context, c ownership.Cluster, namespace, name, application string) (*corev1.Service, error) {
	svc, err := Service(ctx, c, namespace, name)
	if err != nil || svc == nil || !traffic.SelectsOurs(svc, application) {
		return nil, err
	}
	return svc, nil
}

// Service reads a Service live, whoever it belongs to; nil where there is none.
func Service(ctx context.Context, c ownership.Cluster, namespace, name string) (*corev1.Service, error) {
	svc := &corev1.Service{}
	err := c.Get(ctx, namespace, name, svc)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return svc, err
}

// AnyService reads a Service, whoever it belongs to, from the shared watch cache of all
// of a namespace's; nil where there is none.
func AnyService(ctx context.Context, c ownership.Cluster, namespace, name string) (*corev1.Service, error) {
	all, err := c.View(namespace).Select(ctx, &corev1.Service{}, "", "")
	for _, svc := range all {
		if svc.GetName() == name {
			return svc.(*corev1.Service), err
		}
	}
	return nil, err
}
