package release

import (
	"fmt"
	"slices"
	"time"
)

// RollStop is a share of the pods at which a change of content in place stops.
type RollStop struct {
	Percent int           `json:"percent"`         // of the pods that are asked for, 1 to 99
	Pause   time.Duration `json:"pause,omitempty"` // how long the new pods are watched
	Gate    Gate          `json:"gate,omitempty"`  // who has to say that it may go on; empty: nobody
}

// Pods is how many new pods are that share of so many.
func (s RollStop) Pods(of int32) int32 {
	return int32((int64(of)*int64(s.Percent) + 99) / 100)
}

// Roll is how far a change of content in place has come by its stops. It is kept from
// its first write to its end, also while nobody is at work on it.
type Roll struct {
	Hash   string    `json:"hash"`             // of the content that the pods get
	Passed int       `json:"passed,omitempty"` // percent: the last stop that is over
	Stop   *RollStop `json:"stop,omitempty"`   // the one that it is in; nil: none
	// Since is when the new pods of that stop were ready, by the API server's clock.
	Since time.Time `json:"since,omitzero"`
	// Resumed says that somebody has let it go on from that stop.
	Resumed bool `json:"resumed,omitempty"`
}

// Ahead are those of some stops that are not over.
func (r *Roll) Ahead(stops []RollStop) []RollStop {
	if r == nil {
		return stops
	}
	return slices.DeleteFunc(slices.Clone(stops), func(s RollStop) bool { return s.Percent <= r.Passed })
}

// To is the same change where it is one to this content, and else a new one: after the
// run that was at it was killed, its pause begins anew.
func (r *Roll) To(hash string, paused bool) *Roll {
	if r == nil || r.Hash != hash {
		return &Roll{Hash: hash}
	}
	next := *r
	if !paused {
		next.Stop, next.Since, next.Resumed = nil, time.Time{}, false
	}
	return &next
}

// In is the change in a stop, which began now unless it is in it already.
func (r *Roll) In(stop RollStop, now time.Time) *Roll {
	next := Roll{Hash: r.Hash, Passed: r.Passed, Stop: &stop, Since: now}
	if r.Stop != nil && r.Stop.Percent == stop.Percent && !r.Since.IsZero() {
		next.Since, next.Resumed = r.Since, r.Resumed
	}
	return &next
}

// Past is the change after a stop.
func (r *Roll) Past(stop RollStop) *Roll { return &Roll{Hash: r.Hash, Passed: stop.Percent} }

// Left is how long the pause of its stop goes on.
func (r *Roll) Left(now time.Time) time.Duration {
	if r.Stop == nil || r.Resumed {
		return 0
	}
	return max(0, r.Since.Add(r.Stop.Pause).Sub(now))
}

// Waits says that it may not go on: by the API server's clock, and by what is asked for.
func (r *Roll) Waits(now time.Time) bool {
	return r != nil && r.Stop != nil && !r.Resumed && (r.Stop.Gate != "" || r.Left(now) > 0)
}

// ResumingRoll is the request that ends the pause in which a change in place is.
func ResumingRoll(r *Roll) Request {
	return Request{Kind: RequestResume, To: r.Hash, Step: r.Stop.Percent, Since: r.Since}
}

// ResumesRoll says that a change in place is asked to go on from the very stop that it is in.
func (r *Request) ResumesRoll(roll *Roll) bool {
	return r != nil && roll != nil && roll.Stop != nil && r.Kind == RequestResume && r.To == roll.Hash && r.Step == roll.Stop.Percent && r.Since.Equal(roll.Since)
}

// RollText says, on one line, in which pause a change of an application in place is, and
// what ends it.
func RollText(cluster string, id ID, application string, r *Roll) string {
	has := fmt.Sprintf("%d %% of the pods of %s have the new content", r.Stop.Percent, id.Name)
	if r.Stop.Gate == GateManual {
		return has + " until somebody lets it go on: " + letsGoOn(cluster, id.Namespace, id.Name, ResumingRoll(r), application)
	}
	return fmt.Sprintf("%s. The pause ends at %s: the next apply after that goes on", has, r.Since.Add(r.Stop.Pause).UTC().Format(time.RFC3339))
}

// Paused says of a record that its release waits at a stop, and that nobody is at work on it.
func (r *Record) Paused() bool {
	return r != nil && r.Status == StatusPaused && r.Roll != nil && r.Roll.Stop != nil
}
