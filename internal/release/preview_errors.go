package release

import "fmt"

// NoGatewayAPIError says that a cluster does not know a kind of the Gateway API.
type NoGatewayAPIError struct {
	Cluster, Kind string
	CRD           string // the CustomResourceDefinition's name
}

func (e *NoGatewayAPIError) Error() string {
	return fmt.Sprintf("cluster %q does not know the kind %s of the Gateway API: the CustomResourceDefinition %s is not installed", e.Cluster, e.Kind, e.CRD)
}
