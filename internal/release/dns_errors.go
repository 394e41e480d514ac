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

// NamedError says that an address has a DNS name, which a member of a group
// cannot have: nobody would keep its records any more.
type NamedError struct {
	Cluster, ID string // namespace/application
	Name        string
	Group       string // what asks for the address
}

func (e *NamedError) Error() string {
	return fmt.Sprintf("the address of %s on cluster %q has the DNS name %s, which the group %q would not keep", e.ID, e.Cluster, e.Name, e.Group)
}
