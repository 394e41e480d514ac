package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Parents are whom a route asks to be served by, on one cluster.
type Parents struct {
	Unknown bool             // the cluster does not know the route's kind
	Missing []string         // Gateways that are not there, as namespace/name
	There   []traffic.Parent // Gateways that are. What may not be read is in neither.
}

// ParentsOf looks at them. What may not be read is left out.
func ParentsOf(ctx context.Context, c ownership.Cluster, route traffic.RouteSpec) (p Parents) {
	ours := release.LabelApplication + "=" + route.Application
	if apierrors.IsNotFound(c.List(ctx, route.Namespace, ours, route.EmptyList())) {
		p.Unknown = true
		return p
	}
	namespace := &corev1.Namespace{}
	if c.Get(ctx, "", route.Namespace, namespace) != nil {
		namespace = nil
	}
	for _, ref := range route.Parents {
		if ref.Kind != nil && *ref.Kind != "Gateway" {
			continue
		}
		at := route.Namespace
		if ref.Namespace != nil {
			at = string(*ref.Namespace)
		}
		gateway := &gatewayv1.Gateway{}
		err := c.Get(ctx, at, string(ref.Name), gateway)
		switch {
		case apierrors.IsNotFound(err):
			p.Missing = append(p.Missing, at+"/"+string(ref.Name))
			continue
		case err != nil:
			continue
		}
		class := &gatewayv1.GatewayClass{}
		if c.Get(ctx, "", string(gateway.Spec.GatewayClassName), class) != nil {
			class = nil
		}
		p.There = append(p.There, traffic.Parent{Ref: ref, Gateway: gateway, Class: class, Namespace: namespace})
	}
	return p
}
