package release

import (
	"encoding/json"
	"fmt"
	"time"
)

// Route names an application's route of the Gateway API.
type Route struct {
	Kind string `json:"kind"`
	Name string `json:"name"`

	Adopted *AdoptedRule `json:"adopted,omitempty"` // of a route that is somebody else's; nil: it is ours
}

// AdoptedRule is the rule of somebody else's route whose backends were handed to us, and
// what must be remembered of it. Nothing of that stands on the route, which is not ours.
type AdoptedRule struct {
	Name   string        `json:"name,omitempty"` // empty: the route's only one
	Port   string        `json:"port"`           // named port of the pods, to which it leads
	Settle time.Duration `json:"settle"`
	Probe  string        `json:"probe,omitempty"` // as a route of our own has it in an annotation
	// Backends are what it led to before, as they stood there; empty: not known.
	Backends json.RawMessage `json:"backends,omitempty"`
}

// Is says that both are one route, and one rule of it, whatever is remembered of it.
func (r *Route) Is(other *Route) bool {
	switch {
	case r == nil || other == nil:
		return r == other
	case r.Kind != other.Kind || r.Name != other.Name || (r.Adopted == nil) != (other.Adopted == nil):
		return false
	}
	return r.Adopted == nil || r.Adopted.Name == other.Adopted.Name
}

func (r Route) String() string {
	if r.Adopted != nil && r.Adopted.Name != "" {
		return fmt.Sprintf("rule %q of the %s %s", r.Adopted.Name, r.Kind, r.Name)
	}
	return r.Kind + " " + r.Name
}

// RuleError says why a rule of somebody else's route cannot lead to an application.
type RuleError struct {
	Cluster, Namespace string
	Route              Route
	Reason             string // ends with what to do
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("the %s in the namespace %s on cluster %q cannot be adopted: %s", e.Route, e.Namespace, e.Cluster, e.Reason)
}

// PatchOp is an operation of a JSON patch.
type PatchOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}
