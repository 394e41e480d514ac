package session

import (
	"fmt"
	"slices"
	"sync"
)

// Holder is a resource as one walk plans it: with a deployment, on clusters.
type Holder struct {
	Deployment string // its id
	Clusters   []string

	// Owner is the token of what the resource has already; empty where it has nothing
	// yet. It tells the resource from others, as what it plans does not.
	Owner string
	Makes bool // it has another deployment than before, or none yet
}

// Holders are which resources are planned to have which deployments. One deployment is
// one resource's: the second one would take it from the first.
//
// Terraform plans a resource by its values alone, and says of none which one it is. What
// has something is known by its owner's token. What is replaced is planned twice, the
// second time as if nothing were there: see [SecondHalf].
type Holders struct {
	// OneWalk says that each resource is planned once: what is new, and planned a second
	// time, is another resource then.
	OneWalk bool

	mu  sync.Mutex
	of  map[string][]Holder // by deployment
	has map[string]string   // owner -> its deployment
}

// Twin is what else has the same deployment.
type Twin string

// Twins.
const (
	NoTwin   Twin = ""
	NewTwin  Twin = "new"  // one of the two makes it, or comes to it: so far, all is well
	HeldTwin Twin = "held" // both have had it before this run
)

// Hold notes what a resource is planned to have, and finds another one that is planned
// to have the same. A resource that has something may be planned several times.
func (h *Holders) Hold(one Holder) Twin {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.OneWalk {
		return NoTwin
	}
	if h.of == nil {
		h.of, h.has = map[string][]Holder{}, map[string]string{}
	}
	if one.Owner != "" {
		before := h.has[one.Owner]
		h.of[before] = slices.DeleteFunc(h.of[before], func(other Holder) bool { return other.Owner == one.Owner })
		h.has[one.Owner] = one.Deployment
	}
	twin := NoTwin
	for _, other := range h.of[one.Deployment] {
		switch {
		case !slices.ContainsFunc(one.Clusters, func(c string) bool { return slices.Contains(other.Clusters, c) }):
		case one.Makes || other.Makes:
			twin = NewTwin
		case twin == NoTwin:
			twin = HeldTwin
		}
	}
	h.of[one.Deployment] = append(h.of[one.Deployment], one)
	return twin
}

// TwinsSummary is for two resources that are planned to have one deployment.
const TwinsSummary = "Two resources are one deployment"

// TwinsBeside says that they have the same content; inPlace that what they have in
// common is their name.
func TwinsBeside(id string, inPlace bool) string {
	if inPlace {
		return fmt.Sprintf("Another switchback_deployment of this configuration has the id %s, too: with a `strategy` in place, the application is the name. "+
			"Both would change the same pods, and each would take them from the other. Give one of them a different `application`, or remove it.", id)
	}
	return fmt.Sprintf("Another switchback_deployment of this configuration has the same content, hence the same content_hash and the same id, %s. "+
		"Only one of them can have it: the other one is out of date from then on. "+
		"Use one resource for both, or make their contents differ by `triggers`, such as triggers = { side = \"green\" }.", id)
}
