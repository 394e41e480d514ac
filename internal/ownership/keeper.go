package ownership

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Timing is how soon owners are taken for dead, and how long they may take.
type Timing struct {
	Beat   time.Duration // between heartbeats of a record or Lease we hold
	Expiry time.Duration // of somebody's heartbeat, watched on our own clock
	Poll   time.Duration // between looks at a Lease that somebody else holds; 0: LeasePoll

	Settle  time.Duration // what may still be done after a failure
	Cleanup time.Duration // what may still be done after a Ctrl-C
	History time.Duration // how long it may take to write an entry of the history
}

// Keeper is what one process owns. It is safe for concurrent use.
type Keeper struct {
	run    string // this process, in heartbeats and Leases
	holder string // the same, in words
	timing Timing

	mu      sync.Mutex
	claimed map[string]bool          // releases this run has claimed
	leases  map[string]*tenure       // the Leases that this run holds
	tried   map[string][]string      // what this run has asked to be written of an address, and may have been
	locks   map[string]chan struct{} // one promotion at a time within this process
}

// New is a process that owns nothing yet.
func New(timing Timing) *Keeper {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return &Keeper{
		run:     NewToken(),
		holder:  fmt.Sprintf("process %d on %s", os.Getpid(), host),
		timing:  timing,
		claimed: map[string]bool{},
		leases:  map[string]*tenure{},
		tried:   map[string][]string{},
		locks:   map[string]chan struct{}{},
	}
}

// Holder is this process in words, as others read it in records and Leases.
func (k *Keeper) Holder() string { return k.holder }

// identity is this process as the holder of a Lease.
func (k *Keeper) identity() string { return k.holder + " (" + k.run + ")" }

// NewOwner makes the token of a claim on some clusters, with the time by whichever
// clock of theirs is behind: what they hold since later is never taken for older.
func NewOwner(clusters []Cluster) string {
	at := time.Now()
	for i, c := range clusters {
		if now := c.Now(); i == 0 || now.Before(at) {
			at = now
		}
	}
	return release.OwnerToken(NewToken(), at)
}

// NewToken makes what nobody else has: 16 random hexadecimal characters.
func NewToken() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

// Key names a release or an application of one cluster within the process.
func Key(c Cluster, namespace, name string) string {
	return c.Name() + "/" + namespace + "/" + name
}

// HasClaimed says whether this run has claimed the release.
func (k *Keeper) HasClaimed(c Cluster, id release.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.claimed[Key(c, id.Namespace, id.Name)]
}

// ClaimOnce notes that this run has claimed the release, and says whether it is
// the first time.
func (k *Keeper) ClaimOnce(c Cluster, id release.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := Key(c, id.Namespace, id.Name)
	if k.claimed[of] {
		return false
	}
	k.claimed[of] = true
	return true
}

// Unclaim notes that nothing of this run's claim of the release is left.
func (k *Keeper) Unclaim(c Cluster, id release.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.claimed, Key(c, id.Namespace, id.Name))
}

// tries remembers what may have been written of an address, although its reply
// was lost.
func (k *Keeper) tries(c Cluster, namespace, application, main string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := Key(c, namespace, application)
	if !slices.Contains(k.tried[of], main) {
		k.tried[of] = append(k.tried[of], main)
	}
}

// mine says that a pointer is one that this run has asked to be written.
func (k *Keeper) mine(c Cluster, namespace, application, main string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.tried[Key(c, namespace, application)], main)
}

// surely is for how long after a sign of life nobody can have taken over what
// it was given for: others watch for an Expiry that there is none.
func (k *Keeper) surely() time.Duration { return max(k.timing.Beat, k.timing.Expiry/2) }

// since is how long ago t was: also of a machine that slept, whose monotonic
// clock may have stood still.
func since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// Cleanup is a context for the little that may be done after ctx has ended.
func (k *Keeper) Cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := k.timing.Settle
	if Interrupted(ctx) {
		limit = k.timing.Cleanup
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
