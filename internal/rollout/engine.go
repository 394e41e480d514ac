package rollout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// Timing are the engine's own durations. The user's are in the requests.
type Timing struct {
	Beat    time.Duration // between heartbeats of a record or Lease we hold
	Expiry  time.Duration // of somebody's heartbeat, watched on our own clock
	Grace   time.Duration // how long a certain cause of failure must last: a flap must not fail
	Settle  time.Duration // for endpoints to appear, and for a switch to be visible
	Cleanup time.Duration // what may still be done after the context has ended
	Poll    time.Duration // between looks at a Lease that somebody else holds; 0: a second

	Listen time.Duration // how long a release may take before warnings about it are listened to; 0: as usual

	// Patience is the least that may be spent on each thing that only explains or
	// remembers: the history, Events, how long things took. 0: as each says.
	Patience time.Duration
}

// PatienceFor is how long may be spent on something that says it may take usual.
func (e *Engine) PatienceFor(usual time.Duration) time.Duration { return e.timing.patience(usual) }

// patience is how long may be spent on something that says it may take usual.
func (t Timing) patience(usual time.Duration) time.Duration { return max(usual, t.Patience) }

// DefaultTiming is what users get.
func DefaultTiming() Timing {
	return Timing{
		Beat:   release.HeartbeatEvery,
		Expiry: release.HeartbeatExpiry,
		Grace:  15 * time.Second,
		Settle: 30 * time.Second,
		// A first Ctrl-C must be over within two seconds.
		Cleanup: 1500 * time.Millisecond,
	}
}

// Expiring is the timing of processes that take one another for dead after
// expiry, with as many beats in it as before. A Lease says its duration in whole
// seconds, so expiry must be some of those.
func (t Timing) Expiring(expiry time.Duration) (Timing, error) {
	if expiry < time.Second || expiry%time.Second != 0 {
		return Timing{}, fmt.Errorf("heartbeats cannot expire after %s: want whole seconds", expiry)
	}
	t.Beat = time.Duration(float64(t.Beat) * float64(expiry) / float64(t.Expiry))
	t.Expiry = expiry
	t.Poll = min(leasePoll, expiry/10)
	return t, nil
}

// Engine runs the verbs of one provider process. It is safe for concurrent use.
type Engine struct {
	run    string // this process, in heartbeats and Leases
	holder string // the same, in words
	timing Timing

	automation release.Run // what the process runs in
	journal    Journal     // who is told what happens; nil: nobody

	mu      sync.Mutex
	claimed map[string]bool          // releases this run has claimed
	leases  map[string]*tenure       // the Leases that this run holds
	tried   map[string][]string      // what this run has asked to be written of an address, and may have been
	left    map[string]time.Time     // when this run saw traffic leave a release
	locks   map[string]chan struct{} // one promotion at a time within this process
	said    map[string]bool          // what is told once in a run
	unsaid  []Notice                 // of that, what nobody has been told yet
}

// New starts an engine.
func New(timing Timing) *Engine {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return &Engine{
		run:     NewToken(),
		holder:  fmt.Sprintf("process %d on %s", os.Getpid(), host),
		timing:  timing,
		claimed: map[string]bool{},
		leases:  map[string]*tenure{},
		tried:   map[string][]string{},
		left:    map[string]time.Time{},
		locks:   map[string]chan struct{}{},
		said:    map[string]bool{},
	}
}

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

// Notice is something the user should know although the operation succeeded.
type Notice struct {
	Summary, Detail string

	// Routine notices are part of every replacement: whoever knows that one is
	// under way need not be told.
	Routine bool
}

// sayOnce leaves a notice, the first time in a run that there is one of this key,
// for the next verb that ends.
func (e *Engine) sayOnce(key string, n Notice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.said[key] {
		e.said[key] = true
		e.unsaid = append(e.unsaid, n)
	}
}

// overdue are the notices that sayOnce has left.
func (e *Engine) overdue() []Notice {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := e.unsaid
	e.unsaid = nil
	return told
}

// key names a release or an application of one cluster within the process.
func key(c Cluster, namespace, name string) string {
	return c.Name() + "/" + namespace + "/" + name
}

// claimOnce says whether this is the run's first claim of the release.
func (e *Engine) claimOnce(k string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.claimed[k] {
		return false
	}
	e.claimed[k] = true
	return true
}

func (e *Engine) unclaim(k string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.claimed, k)
}

// trafficLeft remembers that the release stopped being main just now.
func (e *Engine) trafficLeft(k string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left[k] = time.Now()
}

// awaitDrained returns once the application's drain has passed since traffic left
// the release: one that was main before, or that this run has seen to have the
// traffic of a switch that nobody finished. What another process switched is
// taken to have been switched just now: clocks of different machines are never
// compared.
func (e *Engine) awaitDrained(ctx context.Context, c Cluster, id release.ID, main *release.Main) error {
	if main == nil {
		return nil
	}
	k := key(c, id.Namespace, id.Name)
	e.mu.Lock()
	left, seen := e.left[k]
	if !seen && slices.Contains(main.Previous, id.Name) {
		left, seen = time.Now(), true
		e.left[k] = left
	}
	e.mu.Unlock()
	if !seen {
		return nil
	}
	rest := main.Drain - time.Since(left)
	if err := wait.For(ctx, rest); err != nil || rest <= 0 {
		return err
	}
	e.drained(ctx, c, id, main.Drain)
	return nil
}

// Interrupted says that the user's Ctrl-C has ended ctx: not a deadline, nor a
// request to cancel, nor that somebody else has taken over what this run was at
// work on. All of these but the deadline look alike in ctx.Err.
func Interrupted(ctx context.Context) bool {
	return calledOff(ctx) && errors.Is(context.Cause(ctx), context.Canceled)
}

// calledOff says that something other than a deadline has ended ctx.
func calledOff(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// Lost is why an operation has nothing to say any more: somebody else has taken
// over its Lease or its release. Nil where nobody has.
func Lost(ctx context.Context, err error) error {
	for _, err := range []error{err, context.Cause(ctx)} {
		var lease *LockLostError
		var claim *release.TakenOverError
		switch {
		case errors.As(err, &lease):
			return lease
		case errors.As(err, &claim):
			return claim
		}
	}
	return nil
}

// surely is for how long after a sign of life nobody can have taken over what
// it was given for: others watch for an Expiry that there is none.
func (e *Engine) surely() time.Duration { return max(e.timing.Beat, e.timing.Expiry/2) }

// since is how long ago t was: also of a machine that slept, whose monotonic
// clock may have stood still.
func since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// cleanup is a context for the little that may be done after ctx has ended.
func (e *Engine) cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := e.timing.Settle
	if Interrupted(ctx) {
		limit = e.timing.Cleanup
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
