package release

import (
	"slices"
	"time"
)

// Keep is what stays of former mains, so that going back is quick: keep_previous.
type Keep struct {
	Count int           `json:"count"`         // the newest so many
	TTL   time.Duration `json:"ttl,omitempty"` // after that long without being main they are kept no longer; 0: for ever
	State DesiredState  `json:"state"`         // what is in nobody's state runs, or has no pods
}

// Keep is what main was last asked to keep.
func (m *Main) Keep() Keep {
	keep := Keep{Count: m.KeepCount, TTL: m.KeepTTL, State: m.KeepState}
	if keep.State == "" {
		keep.State = DesiredStarted
	}
	return keep
}

// Keeping is m with another answer to what stays.
func (m Main) Keeping(keep Keep) Main {
	m.KeepCount, m.KeepTTL, m.KeepState = keep.Count, keep.TTL, keep.State
	return m
}

// Noted is m with a time for every former main: now, for those that have none.
// That is the one that has just left, and all of them where a provider wrote m
// that noted no times: their ttl begins now, rather than be over unseen.
func (m Main) Noted(now time.Time) Main {
	left := make(map[string]time.Time, len(m.Previous))
	for _, name := range m.Previous {
		left[name] = now.UTC().Truncate(time.Second)
		if at, ok := m.Left[name]; ok {
			left[name] = at
		}
	}
	m.Left = left
	return m
}

// Expires is when a former main has outlived keep_previous.ttl; false where
// there is none, or where it is not known since when it has not been main.
func (m *Main) Expires(name string) (time.Time, bool) {
	at, ok := m.Left[name]
	if !ok || m.KeepTTL <= 0 {
		return time.Time{}, false
	}
	return at.Add(m.KeepTTL), true
}

// Kept are the former mains that are kept for going back, newest first.
func (m *Main) Kept(now time.Time) []string {
	n := min(m.KeepCount, len(m.Previous))
	kept := slices.Clone(m.Previous[:n])
	for _, name := range m.Previous[n:] {
		if slices.Contains(m.Spared, name) {
			kept = append(kept, name)
		}
	}
	return slices.DeleteFunc(kept, func(name string) bool {
		ends, ok := m.Expires(name)
		return ok && !now.Before(ends)
	})
}

// keepable says that a release can be gone back to: it is finished, or it was
// being stopped, which whoever comes next finishes. What is retained already
// has been finished: if a start of it failed, the next one may not.
func (r *Record) keepable() bool {
	return r.Custody == CustodyRetained || r.Status.Finished() || r.Status == StatusStopping || r.Status == StatusStopError
}

// Cold says that a release is retained without pods. A missing record is not.
func (r *Record) Cold() bool {
	return r != nil && r.Custody == CustodyRetained && !r.Status.Up()
}

// Collection is what a finished promotion does with an application's releases.
type Collection struct {
	Remove []string // in nobody's state, and not kept
	Retain []string // condemned before, kept now
	Stop   []string // kept, or among Retain, without pods
	Start  []string // kept, or among Retain, with pods again; or its application was stopped, and is not any more
}

// Collect sorts an application's releases after a promotion, or after its main
// is deleted (then main.Deployment is empty and nothing is kept). A release
// that is in somebody's state, or that a process is at work on, is never
// collected here: its own Delete decides. Callers check each one of Remove and
// Stop for traffic and dead heartbeats, live, before they touch it.
func Collect(main Main, records map[string]*Record, now time.Time) Collection {
	var c Collection
	kept := main.Kept(now)
	for name, r := range records {
		if main.Names(name) {
			continue
		}
		keep := slices.Contains(kept, name) && r.keepable()
		switch r.Custody {
		case CustodyOwned:
			if r.WithMain && !main.Stopped() && (r.Halt == Halt{}) {
				c.Start = append(c.Start, name)
			}
			continue
		case CustodyAbandoned, CustodyTerminating:
			keep = false
		case CustodyClaimed, CustodyCondemned:
			// A claim is a create under way, or one that was killed: only its
			// heartbeat tells, which the caller watches.
			if keep {
				c.Retain = append(c.Retain, name)
			}
		case CustodyRetained:
		}
		running := main.Keep().State == DesiredStarted && !main.Stopped()
		switch {
		case !keep:
			c.Remove = append(c.Remove, name)
		case running && !r.Status.Up() && r.StoppedBy == nil:
			c.Start = append(c.Start, name)
		case !running && r.Status != StatusStopped:
			c.Stop = append(c.Stop, name)
		}
	}
	for _, names := range [][]string{c.Remove, c.Retain, c.Stop, c.Start} {
		slices.Sort(names)
	}
	return c
}
