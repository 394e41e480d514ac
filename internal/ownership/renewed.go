package ownership

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Renewed is when somebody last did anything for an application's promotion: renewed its
// Lease, let go of it, or wrote down a step. It is by the API server's clock, to the second.
// Zero: neither is there.
func Renewed(ctx context.Context, c Cluster, namespace, application string) (at time.Time, err error) {
	for _, obj := range []Object{&coordinationv1.Lease{}, &corev1.ConfigMap{}} {
		switch err := c.Get(ctx, namespace, release.MainName(application), obj); {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return at, err
		}
		for _, write := range obj.GetManagedFields() { // which the API server itself dates
			if write.Time != nil && write.Time.After(at) {
				at = write.Time.UTC()
			}
		}
	}
	return at, nil
}
