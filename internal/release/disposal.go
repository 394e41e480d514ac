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
// stale: it is what a state has that lost its token. Nor is one that claimed later
// than whoever the record says: that record is from a backup. carries must be true
// where it cannot be told.
func Dispose(r *Record, owner string, carries bool, kept []string, name string) Disposal {
	switch {
	case r == nil:
		return DisposeGone
	case owner != "" && r.Owner != owner && !r.OutOfDate(owner):
		return DisposeStale
	case carries:
		return DisposeCondemn
	case r.Custody != CustodyTerminating && r.keepable() && slices.Contains(kept, name):
		return DisposeRetain
	default:
		return DisposeRemove
	}
}
