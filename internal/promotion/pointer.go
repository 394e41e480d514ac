package promotion

import (
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Moved is the pointer m, as it is written down that the traffic has moved. now is
// the API server's clock, and at the own one.
func Moved(s Start, m release.Main, now, at time.Time) release.Main {
	from, to := s.Progress.From, s.Progress.To
	if from != "" && from != to && (m.Deployment == "" || s.Main.Progress == nil) {
		m = m.Promoted(from) // somebody else has moved the address, or the ConfigMap was lost
	}
	if m.Deployment != to || m.PromotedAt.IsZero() {
		m = m.Promoted(to)
		m.PromotedAt = at.UTC().Truncate(time.Second)
	}
	if s.Course.Moves() {
		m.Spared = nil
		for _, name := range s.Spared {
			if slices.Contains(m.Previous, name) {
				m.Spared = append(m.Spared, name)
			}
		}
	}
	m = m.Noted(now)
	if s.Course.Moves() || m.Breach != nil && m.Breach.To == to {
		m.Breach = m.Breach.Passed(to)
	}
	return m
}

// Restored is the pointer m as it was when the promotion began, so that what was kept
// for going back still is, and former routes have still to go. Only its owner is the new one, who has to answer for it.
// now is the API server's clock.
func Restored(s Start, m release.Main, now time.Time) release.Main {
	before, from := s.Before, s.Progress.From
	m.Deployment, m.Previous, m.Left, m.PromotedAt, m.Move = before.Deployment, before.Previous, before.Left, before.PromotedAt, before.Move
	m.Route, m.RouteBaseline = before.Route, before.RouteBaseline
	if m.State, m.StoppedBy = before.State, before.StoppedBy; before.Service != "" {
		m = m.Keeping(before.Keep())
		m.Drain, m.Asked, m.FirstShare = before.Drain, before.Asked, before.FirstShare
	}
	if from != "" && m.Deployment != from { // somebody's unfinished work, or a ConfigMap that was lost
		m = m.Promoted(from).Noted(now)
	}
	if s.Progress.Renames != "" {
		m.Service = s.Progress.Renames
	}
	if m.Leaves = s.Progress.Leaves.Without(m.Route); len(m.Leaves) == 0 {
		m.Leaves = nil
	}
	m.Progress = nil
	return m
}
