package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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

// Routes are several of an application's. A single one is written as providers write it, and
// read it, that know of no more.
type Routes []*Route

// Without are the routes but one.
func (r Routes) Without(route *Route) Routes {
	return slices.DeleteFunc(slices.Clone(r), func(of *Route) bool { return of.Is(route) })
}

// MarshalJSON writes a single one as an object, and several as a list.
func (r Routes) MarshalJSON() ([]byte, error) {
	if len(r) == 1 {
		return json.Marshal(r[0])
	}
	return json.Marshal([]*Route(r))
}

// UnmarshalJSON reads both.
func (r *Routes) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, (*[]*Route)(r))
	}
	var one *Route
	if err := json.Unmarshal(text, &one); err != nil || one == nil {
		return err
	}
	*r = Routes{one}
	return nil
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

// RuleAdoptedElsewhere is the error for a rule that another application moves already.
func RuleAdoptedElsewhere(cluster, namespace string, route Route, application string) error {
	return &RuleError{Cluster: cluster, Namespace: namespace, Route: route, Reason: fmt.Sprintf(
		"the application %q has adopted it already. Choose another rule, or destroy that application's switchback_main_deployment first", application)}
}

// PatchOp is an operation of a JSON patch.
type PatchOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}
