package release

import "time"

// Canary is how the traffic moves to a new release: by shares of it that grow, with a
// pause after each. The zero Canary moves it all at once.
type Canary struct {
	Steps []CanaryStep `json:"steps,omitempty"`
	// MaxWeight is the most that the release gets for now, in percent: there the
	// promotion pauses until it is raised. 0: all.
	MaxWeight int `json:"maxWeight,omitempty"`
	// OnAbandon is what becomes of a promotion whose run was killed; empty: AbandonStable.
	OnAbandon AbandonPolicy `json:"onAbandon,omitempty"`
}

// CanaryStep is one share of the traffic.
type CanaryStep struct {
	Weight int           `json:"weight"`          // percent, 1 to 100
	Pause  time.Duration `json:"pause,omitempty"` // how long it is watched with that share
	Gate   Gate          `json:"gate,omitempty"`  // who has to say that it may go on; empty: nobody
	// Replicas is how many ready pods it needs for that share; 0: the share of those that
	// the other side has.
	Replicas int `json:"replicas,omitempty"`
}

// Gate is who says that a promotion may go on.
type Gate string

// GateManual is whoever resumes it; GateMaxWeight is a raised Canary.MaxWeight.
const (
	GateManual    Gate = "manual"
	GateMaxWeight Gate = "max_weight"
)

// Gates lists every Gate that a step may have.
func Gates() []Gate { return []Gate{GateManual} }

// AbandonPolicy is what the next run does about a promotion whose run was killed while
// it moved the traffic.
type AbandonPolicy string

// Policies.
const (
	AbandonStable AbandonPolicy = "stable" // the traffic goes back first, and it begins anew
	AbandonHold   AbandonPolicy = "hold"   // it goes on with the share that it has
)

// AbandonPolicies lists every AbandonPolicy.
func AbandonPolicies() []AbandonPolicy { return []AbandonPolicy{AbandonStable, AbandonHold} }
