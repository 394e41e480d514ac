package observe

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Parents are whom a route asks to be served by, on one cluster.
type Parents struct {
	Missing []string         // Gateways that are not there, as namespace/name
	There   []traffic.Parent // Gateways that are
	Unseen  []traffic.Parent // what may not be read, and meshes
}

// ParentsOf looks at them.
func ParentsOf(ctx context.Context, c ownership.Cluster, route traffic.RouteSpec) (p Parents) {
	namespace := &corev1.Namespace{}
	if c.Get(ctx, "", route.Namespace, namespace) != nil {
		namespace = nil
	}
	for i, ref := range route.Parents {
		parent := traffic.Parent{Ref: ref, At: i, RouteNamespace: route.Namespace, Namespace: namespace}
		if ref.Kind != nil && *ref.Kind != "Gateway" {
			p.Unseen = append(p.Unseen, parent)
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
			p.Unseen = append(p.Unseen, parent)
			continue
		}
		class := &gatewayv1.GatewayClass{}
		if err = c.Get(ctx, "", string(gateway.Spec.GatewayClassName), class); err != nil {
			class = nil
		}
		parent.Gateway, parent.Class, parent.Classless = gateway, class, apierrors.IsNotFound(err)
		p.There = append(p.There, parent)
	}
	return p
}

// Routes are those of one kind on a cluster.
type Routes struct {
	Unknown bool // the cluster does not know the kind
	All     []traffic.Object
}

// RoutesLike looks at the routes of a route's kind in a namespace; empty: in all of them.
// list is the cluster's List, or its Recent for what is only told.
func RoutesLike(ctx context.Context, list func(ctx context.Context, namespace, selector string, into runtime.Object) error, namespace string, route traffic.RouteSpec) (Routes, error) {
	found := route.EmptyList()
	err := list(ctx, namespace, "", found)
	if apierrors.IsNotFound(err) {
		return Routes{Unknown: true}, nil
	}
	if err != nil {
		return Routes{}, err
	}
	return Routes{All: traffic.RoutesIn(found)}, nil
}
