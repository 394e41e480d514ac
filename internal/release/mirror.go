package release

import (
	"fmt"
	"time"
)

// CanaryMirror is a release that gets copies of requests before it has any of the traffic:
// who had that answers all of them, and nobody sees what the release answers.
type CanaryMirror struct {
	Percent  int           `json:"percent"`            // of the requests, 1 to 100
	Pause    time.Duration `json:"pause,omitempty"`    // as in CanaryStep
	Gate     Gate          `json:"gate,omitempty"`     // as in CanaryStep
	Replicas int           `json:"replicas,omitempty"` // as in CanaryStep
}

// Share is the part of the traffic that takes as many pods as the copies do; the zero
// CanaryStep without a mirror.
func (m *CanaryMirror) Share() CanaryStep {
	if m == nil {
		return CanaryStep{}
	}
	return CanaryStep{Weight: m.Percent, Replicas: m.Replicas}
}

// Load is the percentage of the requests that come to the release with a shift, as its
// share of them or as copies.
func (s Step) Load() int { return max(s.Weight, s.Mirror) }

// Mirror is the percentage of the requests of which the shifts before step at have given
// copies to the release; 0: none.
func (p *Progress) Mirror(at int) (percent int) {
	for _, step := range p.Steps[:min(at, len(p.Steps))] {
		if step.Kind == StepShift {
			percent = step.Mirror
		}
	}
	return percent
}

// Has says what of the traffic the release has by now.
func (p *Progress) Has() string {
	if copies := p.Mirror(p.At); copies > 0 {
		return fmt.Sprintf("%s gets %s", p.To, CopiesText(copies))
	}
	return fmt.Sprintf("%s has %d %% of the traffic", p.To, p.Weight(p.At))
}

// CopiesText is what a mirror sends.
func CopiesText(percent int) string { return fmt.Sprintf("copies of %d %% of the requests", percent) }
