package release

// DefaultDisruption is how many pods of a release may be missing while nodes are
// drained, unless its user says otherwise.
const DefaultDisruption = "1"

// Disruption is what a user says of the PodDisruptionBudget that a release of several
// pods has. The zero value is what it has without a word.
type Disruption struct {
	Enabled        *bool  `json:"enabled,omitempty"`        // nil: true
	MaxUnavailable string `json:"maxUnavailable,omitempty"` // a number of pods, or percent; empty: DefaultDisruption
}

// Off says that the release shall have none.
func (d *Disruption) Off() bool { return d != nil && d.Enabled != nil && !*d.Enabled }

// Unavailable is how many pods may be missing.
func (d *Disruption) Unavailable() string {
	if d == nil || d.MaxUnavailable == "" {
		return DefaultDisruption
	}
	return d.MaxUnavailable
}
