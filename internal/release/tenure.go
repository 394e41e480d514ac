package release

import (
	"strconv"
	"strings"
	"time"
)

// OwnerToken is the token of a claim: what nobody else has, and when it is made,
// by the clocks of the clusters that it is made on.
func OwnerToken(random string, at time.Time) string {
	return random + "-" + strconv.FormatInt(at.Unix(), 16)
}

// madeAt is when a token was made; false for one that does not say, as those of
// earlier providers.
func madeAt(owner string) (time.Time, bool) {
	_, text, ok := strings.Cut(owner, "-")
	seconds, err := strconv.ParseInt(text, 16, 64)
	if !ok || err != nil || seconds <= 0 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// clocksDiffer is how far apart the clocks of one cluster's API servers may be.
const clocksDiffer = time.Minute

// OutOfDate says that a release, or an address, which holder has held since then
// is so in a backup, and not in what became of it: owner claimed it later. A claim
// takes the place of whatever was there, or finds nothing, so that what an older
// one holds has been put back since. It is false wherever that is not certain:
// what a later claim holds is somebody else's, and so is what says no time.
func OutOfDate(holder string, since time.Time, owner string) bool {
	made, ok := madeAt(owner)
	return ok && holder != owner && holder != "" && !since.IsZero() && since.Add(clocksDiffer).Before(made)
}

// OutOfDate says that the record is one from before the owner's claim; see the
// function of that name.
func (r *Record) OutOfDate(owner string) bool {
	return r != nil && OutOfDate(r.Owner, r.ClaimedAt, owner)
}

// OutOfDate says the same of an application's address.
func (m *Main) OutOfDate(owner string) bool {
	return m != nil && OutOfDate(m.Owner, m.ClaimedAt, owner)
}

// Past is what a history is told by from others: which entries there are, and of
// when.
type Past []Sight

// Sight is one entry of a history, as it is remembered elsewhere.
type Sight struct {
	Entry string    `json:"entry,omitempty"` // its ID
	At    time.Time `json:"at,omitzero"`
}

// Past is all that tells the history from another one.
func (h History) Past() Past {
	past := make(Past, len(h.Entries))
	for i, entry := range h.Entries {
		past[i] = Sight{Entry: entry.ID, At: entry.Time}
	}
	return past
}

// Last is the newest entry; the zero value where there is none.
func (p Past) Last() Sight {
	var last Sight
	for _, entry := range p {
		if !entry.At.Before(last.At) {
			last = entry
		}
	}
	return last
}

// OutOfDate says that a history is older than what was seen of it: it lacks that
// entry, and has one from before it. Entries leave in the order in which they
// came, and a history that begins anew has only later ones.
func (p Past) OutOfDate(seen Sight) bool {
	before := false
	for _, entry := range p {
		if entry.Entry == seen.Entry {
			return false
		}
		before = before || entry.At.Before(seen.At)
	}
	return seen.Entry != "" && before
}
