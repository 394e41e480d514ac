package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CarriesError refuses to take away the pods of a release that traffic goes to.
type CarriesError struct {
	Cluster string
	ID      ID
	Why     string // or why it cannot be told
	Main    bool   // it is the main deployment
	Route   string // "Ingress shop/www": what leads there is real traffic; empty: it is another Service, or main
}

func (e *CarriesError) Error() string {
	return fmt.Sprintf("the deployment %s on cluster %q cannot be stopped: %s", e.ID, e.Cluster, e.Why)
}

// SelectedError refuses to create a release whose pods would get traffic before it
// is main.
type SelectedError struct {
	Cluster  string
	ID       ID
	Services map[string]string // name -> what it selects
}

func (e *SelectedError) Error() string {
	names := slices.Sorted(maps.Keys(e.Services))
	for i, name := range names {
		names[i] = fmt.Sprintf("the Service %s/%s (%s)", e.ID.Namespace, name, e.Services[name])
	}
	return fmt.Sprintf("the deployment %s was not created on cluster %q: its pods would get the traffic of %s as soon as they are ready, before the deployment is main",
		e.ID, e.Cluster, strings.Join(names, " and of "))
}

// RefusedError says why an action is refused for another reason than the
// status, which is an *ActionError.
type RefusedError struct {
	Cluster string
	ID      ID
	Action  Action
	Reason  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("cannot %s the deployment %s on cluster %q: %s", e.Action, e.ID, e.Cluster, e.Reason)
}

// StopError says that a release was scaled to zero but did not stop.
type StopError struct {
	Cluster string
	ID      ID
	Pods    []string // still there, where pods may be listed
	Err     error    // why the wait ended
}

func (e *StopError) Error() string {
	msg := fmt.Sprintf("the deployment %s on cluster %q was scaled to zero but did not stop", e.ID, e.Cluster)
	if len(e.Pods) > 0 {
		msg += "; pods still there: " + strings.Join(e.Pods, ", ")
	}
	return fmt.Sprintf("%s: %v", msg, e.Err)
}

func (e *StopError) Unwrap() error { return e.Err }

// CancelledError says that somebody asked for the start of a release to be given up.
type CancelledError struct {
	Cluster string
	ID      ID
	By      string
	Change  bool // of what was up, and stays as it was
}

func (e *CancelledError) Error() string {
	if e.Change {
		return fmt.Sprintf("the change of the deployment %s was cancelled on cluster %q by %s", e.ID, e.Cluster, e.By)
	}
	return fmt.Sprintf("the start of the deployment %s was cancelled on cluster %q by %s", e.ID, e.Cluster, e.By)
}

// TakenOverError says that another process has taken over a release that this
// one was at work on. What this one had begun is the other one's to finish.
type TakenOverError struct {
	Cluster string
	ID      ID
	Holder  string // who is at work on it now; empty: nobody any more
	Claimed bool   // it belongs to another Terraform state or resource now
	Gone    bool   // its record is not there any more
}

func (e *TakenOverError) Error() string {
	at := fmt.Sprintf("the deployment %s on cluster %q", e.ID, e.Cluster)
	if e.Gone {
		return at + " has been removed by somebody else, with its record, while this run was at work on it"
	}
	by := "another run, which has ended"
	if e.Holder != "" {
		by = e.Holder
	}
	if e.Claimed {
		by += ", for another Terraform state or resource,"
	}
	return fmt.Sprintf("%s was taken over by %s while this run was at work on it and showed no sign of life", at, by)
}
