package release

import "fmt"

// NoMainError says that an application has no address that could be moved without a
// configuration.
type NoMainError struct {
	ID      string // namespace/application
	Cluster string // empty: on none of them
	Service string // what is remembered of it, and is gone; empty: nothing is
}

func (e *NoMainError) Error() string {
	where := "any cluster"
	if e.Cluster != "" {
		where = fmt.Sprintf("cluster %q", e.Cluster)
	}
	if e.Service != "" {
		return fmt.Sprintf("the Service %s of the main deployment of %s is gone from %s; its settings with it", e.Service, e.ID, where)
	}
	return fmt.Sprintf("there is no main deployment of %s on %s", e.ID, where)
}

// NoneMainError says that no release of an application has all of its traffic, so that it
// cannot be told which one is meant.
type NoneMainError struct{ ID string } // namespace/application

func (e *NoneMainError) Error() string {
	return fmt.Sprintf("no release of %s has all of its traffic", e.ID)
}

// UnlikeError says that an application's address cannot be moved as one.
type UnlikeError struct {
	ID             string // namespace/application
	Cluster, First string
}

func (e *UnlikeError) Error() string {
	return fmt.Sprintf("the main deployment of %s on cluster %q has other settings, or another owner, than on cluster %q", e.ID, e.Cluster, e.First)
}

// AbortError says why a promotion is not given up.
type AbortError struct {
	Cluster string // empty: any
	ID      string // namespace/application
	Reason  string
}

func (e *AbortError) Error() string {
	where := ""
	if e.Cluster != "" {
		where = fmt.Sprintf(" on cluster %q", e.Cluster)
	}
	return fmt.Sprintf("nothing of the application %s%s was aborted: %s", e.ID, where, e.Reason)
}

// RestError says why an application is not stopped, or started, as a whole.
type RestError struct {
	Cluster string
	ID      string // namespace/application
	Desired DesiredState
	Reason  string
}

func (e *RestError) Error() string {
	return fmt.Sprintf("the application %s on cluster %q is not to be %s: %s", e.ID, e.Cluster, e.Desired, e.Reason)
}
