package release

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// NoGatewayAPIError says that a cluster does not know a kind of the Gateway API.
type NoGatewayAPIError struct {
	Cluster, Kind string
	Preview       bool   // it is a deployment's own address that asks for it
	Gone          string // the route that was there, and has gone with its kind; empty: it was to be made
}

func (e *NoGatewayAPIError) Error() string {
	if e.Gone != "" {
		return fmt.Sprintf("cluster %q does not know the kind %s of the Gateway API any more, and the %s %s is gone with it: the CustomResourceDefinition %s is not installed", e.Cluster, e.Kind, e.Kind, e.Gone, e.CRD())
	}
	return fmt.Sprintf("cluster %q does not know the kind %s of the Gateway API: the CustomResourceDefinition %s is not installed", e.Cluster, e.Kind, e.CRD())
}

// CRD is the name of the kind's CustomResourceDefinition.
func (e *NoGatewayAPIError) CRD() string {
	return strings.ToLower(e.Kind) + "s." + gatewayv1.GroupName
}
