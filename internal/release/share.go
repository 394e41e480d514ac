package release

import "slices"

// Portion is so many percent of some pods, rounded up: a share of the traffic takes at
// least one.
func Portion(percent int, pods int32) int32 { return int32((int64(percent)*int64(pods) + 99) / 100) }

// Pods is how many of its pods a release needs for the share: as many as the step says,
// else its part of them, and of those that the other side has. It is never more than all.
func (s CanaryStep) Pods(all, other int32) int32 {
	switch {
	case s.Weight >= 100:
		return all
	case s.Replicas > 0:
		return min(all, int32(s.Replicas)) //nolint:gosec // the schema has 32 bits
	}
	return min(all, max(Portion(s.Weight, all), Portion(s.Weight, other)))
}

// Floor is how few pods an autoscaler may leave to a release that has the share: as many as
// the step says, else its part of those that the other side has. It stays within what was
// typed for the autoscaler.
func (s CanaryStep) Floor(of Autoscaling, other int32) int32 {
	if s.Weight < 100 && s.Replicas > 0 {
		return of.Start(int32(s.Replicas)) //nolint:gosec // the schema has 32 bits
	}
	return of.Start(Portion(min(s.Weight, 100), other))
}

// Raises says that the open promotion may have raised the least number of pods that a
// release's autoscaler goes down to.
func (m *Main) Raises(name string) bool {
	return m != nil && m.Progress != nil && slices.Contains(m.Progress.Floors, name)
}

// FirstShare is what a new release begins with, where it has only the pods that its share
// takes; nil: all of them are started.
func (c Canary) FirstShare() *CanaryStep {
	if !c.Scales || len(c.Steps) == 0 {
		return nil
	}
	first := CanaryStep{Weight: c.Steps[0].Weight, Replicas: c.Steps[0].Replicas}
	if c.Mirror != nil {
		first = c.Mirror.Share()
	}
	if first.Weight >= 100 {
		return nil
	}
	return &first
}

// ShareOf is the share for which a release that is not main has pods; nil: it has all of
// them. While a promotion to it is open, that is the greatest share that it may have;
// before, the first one that it would get. A former main is gone back to in one step.
func (m *Main) ShareOf(name string) *CanaryStep {
	if m == nil || m.Deployment == "" || m.Deployment == name || slices.Contains(m.Previous, name) {
		return nil
	}
	share := m.FirstShare
	if p := m.Progress; p != nil {
		switch {
		case p.From == name, p.To == name && !p.Scales:
			return nil
		case p.To == name:
			share = p.Share()
		}
	}
	if share == nil || share.Weight >= 100 {
		return nil
	}
	return share
}

// Share is the last shift that may have been written; the first one before that.
func (p *Progress) Share() *CanaryStep {
	var share *CanaryStep
	for i, step := range p.Steps {
		if step.Kind == StepShift && (share == nil || i <= p.At) {
			share = &CanaryStep{Weight: step.Load(), Replicas: step.Needs}
		}
	}
	return share
}
