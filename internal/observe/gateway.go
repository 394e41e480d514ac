package observe

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// GatewayAddresses are where clients reach the Gateways that are to serve a route; nil is
// no route. told is false where these may not be read: they are somebody else's, in
// another namespace.
func GatewayAddresses(ctx context.Context, c ownership.Cluster, route traffic.Object) (addresses []string, told bool, err error) {
	if route == nil {
		return nil, true, nil
	}
	for _, name := range traffic.Gateways(route) {
		gateway := &gatewayv1.Gateway{}
		err := c.Get(ctx, name.Namespace, name.Name, gateway)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case apierrors.IsForbidden(err):
			return nil, false, nil
		case err != nil:
			return nil, false, err
		}
		addresses = append(addresses, traffic.GatewayAddresses(gateway)...)
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), true, nil
}
