package release

import "fmt"

// MissingKindError says that a cluster does not know a kind that somebody else
// has to install.
type MissingKindError struct {
	Cluster, Kind string
	CRD           string // the CustomResourceDefinition's name
}

func (e *MissingKindError) Error() string {
	return fmt.Sprintf("cluster %q does not know the kind %s: the CustomResourceDefinition %s is not installed", e.Cluster, e.Kind, e.CRD)
}

// NoAddressError says that nobody knows where clients reach an application on a
// cluster.
type NoAddressError struct {
	Cluster, Namespace, Service string
	Reason                      string
	Err                         error // why the wait for it ended; nil: there was nothing to wait for
}

func (e *NoAddressError) Error() string {
	text := fmt.Sprintf("the Service %s/%s on cluster %q has no address for DNS: %s", e.Namespace, e.Service, e.Cluster, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

func (e *NoAddressError) Unwrap() error { return e.Err }
