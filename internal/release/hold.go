package release

import (
	"cmp"
	"fmt"
	"time"
)

// Hold is somebody's wish that a promotion stays where it is: it takes no share from the
// release, and gives it no greater one, until somebody lets it go on. The time of a pause
// runs on meanwhile.
type Hold struct {
	By  string    `json:"by,omitempty"`
	Why string    `json:"why,omitempty"` // in their words
	At  time.Time `json:"at"`            // by the API server's clock
}

// Text says who holds it, since when and why, as the end of a sentence.
func (h *Hold) Text() string {
	return h.since("held")
}

// StopText says who has stopped what has no pods, since when and why, as the end of a
// sentence.
func (h *Hold) StopText() string { return h.since("stopped") }

// Who it was, as far as that is known.
func (h *Hold) Who() string { return cmp.Or(h.By, "somebody") }

func (h *Hold) since(what string) string {
	text := fmt.Sprintf("%s by %s since %s", what, h.Who(), h.At.UTC().Format(time.RFC3339))
	if h.Why != "" {
		text += " (" + oneLine(h.Why, reasonLimit) + ")"
	}
	return text
}

// Holdable says why a promotion of an application cannot be held; empty: it can.
func (m *Main) Holdable() string {
	switch p := m.Progress; {
	case p == nil:
		return "no promotion of it is under way"
	case m.Group != "":
		return fmt.Sprintf("the group %[1]q moves it together with others. To take the group back, change its versions back and apply, or let `kubectl switchback rollback --group %[1]s`, or the action switchback_rollback_group, do it", m.Group)
	case p.Direction != DirectionForward:
		return "its traffic goes back already"
	case !p.shares():
		return "all of its traffic moves at once. Go back with a rollback, or let it come to its end"
	case !p.Open():
		return "the promotion to " + p.To + " is past the point at which it could be held"
	}
	return ""
}

// HoldError says why a promotion is not held where it is.
type HoldError struct {
	Cluster string
	ID      string // namespace/application
	Reason  string
}

func (e *HoldError) Error() string {
	return fmt.Sprintf("the application %s on cluster %q was not held: %s", e.ID, e.Cluster, e.Reason)
}
