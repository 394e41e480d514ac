package release

import (
	"slices"
	"time"
)

// Canary is how the traffic moves to a new release: by shares of it that grow, with a
// pause after each. The zero Canary moves it all at once.
type Canary struct {
	Steps []CanaryStep `json:"steps,omitempty"`
	// Mirror comes before the first of them; nil: there is none.
	Mirror *CanaryMirror `json:"mirror,omitempty"`
	// MaxWeight is the most that the release gets for now, in percent: there the
	// promotion pauses until it is raised. 0: all.
	MaxWeight int `json:"maxWeight,omitempty"`
	// Scales says that the release has only the pods that its share takes.
	Scales bool `json:"scales,omitempty"`
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

// Shares are those of its steps, up to all of the traffic, with 0 ahead where there is a
// mirror, or the most that it gives is less than the first. At each, the members of a
// group wait for each other.
func (c Canary) Shares() (percents []int) {
	if c.Mirror != nil || c.MaxWeight > 0 && len(c.Steps) > 0 && c.Steps[0].Weight > c.MaxWeight {
		percents = append(percents, 0)
	}
	for _, step := range append(slices.Clone(c.Steps), CanaryStep{Weight: 100}) {
		if n := len(percents); n == 0 || percents[n-1] != step.Weight {
			percents = append(percents, step.Weight)
		}
	}
	return percents
}

// PauseAt is how long the release is watched with a share.
func (c Canary) PauseAt(percent int) time.Duration {
	if percent == 0 && c.Mirror != nil {
		return c.Mirror.Pause
	}
	for _, step := range c.Steps {
		if step.Weight == percent {
			return step.Pause
		}
	}
	return 0
}

// Gate is who says that a promotion may go on.
type Gate string

// GateManual is whoever resumes it; GateMaxWeight is a raised Canary.MaxWeight; GateGroup
// are the other members of a group.
const (
	GateManual    Gate = "manual"
	GateMaxWeight Gate = "max_weight"
	GateGroup     Gate = "group"
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
