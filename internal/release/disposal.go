package release

import "slices"

// Disposal is what becomes of a release whose Terraform resource is deleted, on
// one cluster.
type Disposal string

// Disposals.
const (
	DisposeGone    Disposal = "gone"    // nothing there any more
	DisposeStale   Disposal = "stale"   // somebody else claimed it since: not ours to touch
	DisposeCondemn Disposal = "condemn" // carries traffic: stays until main moves away
	DisposeRetain  Disposal = "retain"  // kept for going back
	DisposeRemove  Disposal = "remove"
)

// Dispose decides what the Delete of a release may do. An empty owner is not
// stale: it is what a state has that lost its token. carries must be true where
// it cannot be told.
func Dispose(r *Record, owner string, carries bool, kept []string, name string) Disposal {
	switch {
	case r == nil:
		return DisposeGone
	case owner != "" && r.Owner != owner:
		return DisposeStale
	case carries:
		return DisposeCondemn
	case r.Status.Finished() && r.Custody != CustodyTerminating && slices.Contains(kept, name):
		return DisposeRetain
	default:
		return DisposeRemove
	}
}

// Collection is what a finished promotion does with an application's releases.
type Collection struct {
	Remove []string // in nobody's state, and not kept
	Retain []string // condemned before, kept now
}

// Collect sorts an application's releases after a promotion, or after its main
// is deleted (then main.Deployment is empty and nothing is kept). A release
// that is in somebody's state, or that a process is at work on, is never
// collected here: its own Delete decides. Callers check each one of Remove for
// traffic and dead heartbeats, live, before they touch it.
func Collect(main Main, records map[string]*Record) Collection {
	var c Collection
	kept := main.Kept()
	for name, r := range records {
		if main.Names(name) {
			continue
		}
		keep := slices.Contains(kept, name) && r.Status.Finished()
		switch r.Custody {
		case CustodyOwned:
		case CustodyClaimed, CustodyCondemned:
			// A claim is a create under way, or one that was killed: only its
			// heartbeat tells, which the caller watches.
			if keep {
				c.Retain = append(c.Retain, name)
			} else {
				c.Remove = append(c.Remove, name)
			}
		case CustodyRetained:
			if !keep {
				c.Remove = append(c.Remove, name)
			}
		case CustodyAbandoned, CustodyTerminating:
			c.Remove = append(c.Remove, name)
		}
	}
	slices.Sort(c.Remove)
	slices.Sort(c.Retain)
	return c
}
