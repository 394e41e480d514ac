package release

import (
	"fmt"
	"slices"
)

// Left says that shares and pauses are left, ahead of all of the traffic.
func (p *Progress) Left() bool {
	return slices.ContainsFunc(p.left(), func(s Step) bool { return s.Kind == StepPause || s.Kind == StepShift && s.Weight < 100 })
}

// left are the steps from the one on that is being done.
func (p *Progress) left() []Step { return p.Steps[min(p.At, len(p.Steps)):] }

// Given is the share of the traffic that the release has, or is being given; nil: none.
// Copies of requests are no share.
func (p *Progress) Given() *CanaryStep {
	for _, step := range slices.Backward(p.Steps[:min(p.At+1, len(p.Steps))]) {
		if step.Kind == StepShift && step.Weight > 0 && step.Weight < 100 {
			return &CanaryStep{Weight: step.Weight, Replicas: step.Needs}
		}
	}
	return nil
}

// Bake is for how long the release is watched with all of the traffic.
func (p *Progress) Bake() Step {
	for _, step := range p.Steps {
		if step.Kind == StepAnalyse {
			return step
		}
	}
	return Step{}
}

// Skippable says why an application's promotion is not brought to its end without the shares
// and pauses that are left; empty: it is.
func (m *Main) Skippable() string {
	switch p := m.Progress; {
	case p == nil:
		return "no promotion of it is under way"
	case m.Group != "":
		return fmt.Sprintf("the group %q moves it together with others. Let the group go on: `kubectl switchback promote` without --full, or the action switchback_resume", m.Group)
	case p.Direction != DirectionForward:
		return "its traffic goes back already"
	case slices.ContainsFunc(p.left(), func(s Step) bool { return s.Gate == GateMaxWeight }):
		return "canary.max_weight allows it no more than a share. Only a higher canary.max_weight, and an apply, give it more"
	case p.From == p.To:
		return "what is not over is a stop or a start of the application. Do that again"
	}
	return ""
}

// SkipError says why a release does not get all of the traffic at once.
type SkipError struct {
	Cluster string
	ID      string // namespace/application
	Reason  string
}

func (e *SkipError) Error() string {
	return fmt.Sprintf("nothing of the promotion of the application %s on cluster %q was skipped: %s", e.ID, e.Cluster, e.Reason)
}
