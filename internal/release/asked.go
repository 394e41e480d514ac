package release

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Asked is what a configuration says of how an address is moved, and nothing in the
// cluster shows. No promotion reads it: it is for an import. A provider that did not
// write it leaves none.
type Asked struct {
	At         time.Time `json:"at,omitzero"`          // by the API server's clock
	Bake       string    `json:"bake,omitempty"`       // as it was typed
	RetryToken *string   `json:"retryToken,omitempty"` // nil: not set
	Rollout    *Rollout  `json:"rollout,omitempty"`    // nil: not set
	// Canary is how the traffic is shared, as it was typed; nil: not set.
	Canary json.RawMessage `json:"canary,omitempty"`
	Group  *GroupAsked     `json:"group,omitempty"` // nil: a main deployment of its own
}

// GroupAsked is what a configuration says of a group. Each member's application has
// all of it, so that any one of them leads to the others.
type GroupAsked struct {
	Members map[string]MemberAsked `json:"members"`
	Waves   []WaveAsked            `json:"waves,omitempty"`
	Scope   FailureScope           `json:"scope"`
	Keep    Keep                   `json:"keep"`
	Drain   time.Duration          `json:"drain"`
}

// Before are the applications, as namespace/application, that move before the one with the
// id: those of earlier waves, and those that it comes after.
func (g *GroupAsked) Before(id string) (ids []string) {
	if g == nil {
		return nil
	}
	for name, member := range g.Members {
		if member.ID != id {
			continue
		}
		for _, wave := range g.Waves {
			if slices.Contains(wave.Members, name) {
				break
			}
			for _, earlier := range slices.Sorted(slices.Values(wave.Members)) {
				ids = append(ids, g.Members[earlier].ID)
			}
		}
		for _, earlier := range member.After {
			ids = append(ids, g.Members[earlier].ID)
		}
	}
	return ids
}

// MemberAsked is what a configuration says of one member. Whether it has values of
// its own is said here; the values are the application's.
type MemberAsked struct {
	ID          string   `json:"id"`           // namespace/application
	To          string   `json:"to,omitempty"` // the release
	After       []string `json:"after,omitempty"`
	OwnClusters bool     `json:"ownClusters,omitempty"`
	OwnKeep     bool     `json:"ownKeep,omitempty"`
	OwnDrain    bool     `json:"ownDrain,omitempty"`
}

// WaveAsked is one wave as it was typed.
type WaveAsked struct {
	Members     []string `json:"members"`
	Bake        string   `json:"bake,omitempty"`
	MaxParallel int      `json:"maxParallel,omitempty"` // 0: not set
}

// Noted is a with the time at which it was asked; nil where nothing was.
func (a *Asked) Noted(now time.Time) *Asked {
	if a == nil {
		return nil
	}
	noted := *a
	noted.At = now.UTC()
	return &noted
}

// Addresses are the applications of the group's members, each as namespace/application.
func (g *GroupAsked) Addresses() []string {
	if g == nil {
		return nil
	}
	var ids []string
	for member := range maps.Values(g.Members) {
		ids = append(ids, member.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
