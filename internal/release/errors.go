package release

import (
	"fmt"
	"strings"
)

// ForeignError says that an object under a name of ours is somebody else's. It
// is never touched.
type ForeignError struct {
	Cluster, Kind, Namespace, Name string
	Manager                        string // who says to manage it; empty where unknown
	Application                    string // of Switchback's, which it belongs to; empty: none
}

func (e *ForeignError) Error() string {
	whose := "it does not carry Switchback's labels"
	switch {
	case e.Application != "":
		whose = fmt.Sprintf("it belongs to the application %s/%s", e.Namespace, e.Application)
	case e.Manager != "":
		whose = "it is managed by " + e.Manager
	}
	return fmt.Sprintf("%s %s/%s on cluster %q is not ours: %s", e.Kind, e.Namespace, e.Name, e.Cluster, whose)
}

// IsAddress says that it is a Service which no release has for itself: what users
// call the application's address.
func (e *ForeignError) IsAddress() bool {
	_, own := ApplicationOf(e.Name)
	return e.Kind == "Service" && !own
}

// ClaimError says why a release could not be claimed.
type ClaimError struct {
	Step    ClaimStep
	Cluster string
	ID      ID
	Holder  string // who works on it, for ClaimWait
}

func (e *ClaimError) Error() string {
	at := fmt.Sprintf("the deployment %s on cluster %q", e.ID, e.Cluster)
	if e.Step == ClaimWait {
		return fmt.Sprintf("%s is being worked on by %s", at, e.Holder)
	}
	return at + claimRefusals[e.Step]
}

// claimRefusals end the sentence "the deployment … on cluster …".
var claimRefusals = map[ClaimStep]string{
	ClaimRefuseTwin:      " was already created by another resource of this same run: two resources with the same content are one release. Give one of them a different `version` or `triggers` (with a `strategy` in place, a different `application`)",
	ClaimRefuseCollision: " exists with different content whose hash begins with the same characters. Change `triggers` to get another name",
	ClaimRefuseUnhealthy: " is in a Terraform state already (in this one, where a release went back), carries traffic and is not healthy, so taking it over could make things worse. Mend its pods, or give this one different `triggers`",
}

// StaleOwnerError says that somebody else has claimed what a state still holds.
type StaleOwnerError struct {
	Cluster      string
	Kind         string // "deployment" or "main deployment"
	ResourceType string // for the import command
	ID           string
	Holder       string // whoever claimed it, where known
}

func (e *StaleOwnerError) Error() string {
	by := "another Terraform state or resource"
	if e.Holder != "" {
		by = e.Holder
	}
	return fmt.Sprintf("the %s %s on cluster %q has been claimed by %s since this state was written", e.Kind, e.ID, e.Cluster, by)
}

// MainOwnedError says that an application's address already belongs to another
// main deployment.
type MainOwnedError struct {
	Cluster    string
	ID         string // namespace/application
	Deployment string // where it points
}

func (e *MainOwnedError) Error() string {
	return fmt.Sprintf("the application %s on cluster %q already has a main deployment, %s, in another Terraform resource or state", e.ID, e.Cluster, e.Deployment)
}

// MovedError says that main was moved between a decision and its execution.
type MovedError struct {
	Cluster string
	ID      string // namespace/application
	Was, Is string // the main deployment
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("the main deployment of %s on cluster %q was %s when going back was decided, and is %s now", e.ID, e.Cluster, e.Was, e.Is)
}

// LeftRunningError says that a release which came to nothing was to have no pods
// any more, and why it still has them.
type LeftRunningError struct {
	Cluster   string
	ID        ID
	Pods      int32 // that it asks for; 0: that cannot be told
	Abandoned bool  // it is in nobody's state, and its record says so
	Err       error // why they could not be asked to go
}

func (e *LeftRunningError) Error() string {
	pods := "its pods"
	if e.Pods > 0 {
		pods = fmt.Sprintf("its %d pods", e.Pods)
	}
	return fmt.Sprintf("the deployment %s on cluster %q could not be stopped, and %s keep running: %v", e.ID, e.Cluster, pods, e.Err)
}

func (e *LeftRunningError) Unwrap() error { return e.Err }

// Next is what to do about it, in sentences.
func (e *LeftRunningError) Next() string {
	next := "The next apply goes on from there."
	if e.Abandoned {
		next = "The next promotion of the application removes it, or the next apply of the same content takes it up again."
	}
	return fmt.Sprintf("To stop them now:\n  kubectl -n %s scale deployment %s --replicas=0\n%s", e.ID.Namespace, e.ID.Name, next)
}

// PointerChangedError says that what is remembered of an application's address
// was changed by somebody else, who did not hold its Lease, while it was being
// moved.
type PointerChangedError struct {
	Cluster string
	ID      string // namespace/application
}

func (e *PointerChangedError) Error() string {
	return fmt.Sprintf("what is remembered of the main deployment of %s on cluster %q was changed by somebody else, while this run was moving it", e.ID, e.Cluster)
}

// GoBackError says why it cannot be told what to go back to.
type GoBackError struct {
	Cluster string
	ID      string // namespace/application
	Reason  string
}

func (e *GoBackError) Error() string {
	return fmt.Sprintf("the application %s on cluster %q cannot go back by itself: %s", e.ID, e.Cluster, e.Reason)
}

// NotReadyError says why a release cannot be made main yet.
type NotReadyError struct {
	Cluster string
	ID      ID
	Reason  string
	Shares  bool // it has had a share of the traffic
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("the deployment %s on cluster %q cannot become main: %s", e.ID, e.Cluster, e.Reason)
}

// StuckError says what keeps an object from going away.
type StuckError struct {
	Cluster, Kind, Namespace, Name string
	Finalizers                     []string
	Pods                           []string // pods that are still there
	Err                            error    // why the wait ended
}

func (e *StuckError) Error() string {
	msg := fmt.Sprintf("%s %s/%s on cluster %q is being deleted but is still there", e.Kind, e.Namespace, e.Name, e.Cluster)
	if len(e.Finalizers) > 0 {
		msg += ": it waits for its finalizers " + strings.Join(e.Finalizers, ", ")
	}
	if len(e.Pods) > 0 {
		msg += "; pods still there: " + strings.Join(e.Pods, ", ")
	}
	return fmt.Sprintf("%s: %v", msg, e.Err)
}

func (e *StuckError) Unwrap() error { return e.Err }

// NewerSchemaError says that what a ConfigMap holds was written by a provider
// that knows more than this one.
type NewerSchemaError struct {
	Key           string // of the ConfigMap's data
	Schema, Known int
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("its %s was written by a newer provider (schema %d, this one knows %d): upgrade the provider", e.Key, e.Schema, e.Known)
}

// StoppedMeanwhileError is a change of a release that was stopped after the change was
// planned: with its application, or because the traffic was taken back from it.
type StoppedMeanwhileError struct {
	ID          ID
	Application string
	Reason      string // why it has no pods
}

func (e *StoppedMeanwhileError) Error() string {
	return fmt.Sprintf("deployment %s has no pods, since after this change was planned: %s", e.ID, e.Reason)
}
