package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Timing are the engine's own durations. The user's are in the requests.
type Timing struct {
	Beat    time.Duration // between heartbeats of a record or Lease we hold
	Expiry  time.Duration // of somebody's heartbeat, watched on our own clock
	Grace   time.Duration // how long a certain cause of failure must last: a flap must not fail
	Settle  time.Duration // for endpoints to appear, and for a switch to be visible
	Cleanup time.Duration // what may still be done after the context has ended
	Poll    time.Duration // between looks at a Lease that somebody else holds; 0: a second

	Listen  time.Duration // how long a release may take before warnings about it are listened to; 0: as usual
	Longest time.Duration // the most that a cause may ask for beyond Grace; 0: as each says

	// Patience is the least that may be spent on each thing that only explains or
	// remembers: the history, Events, how long things took. 0: as each says.
	Patience time.Duration
}

// PatienceFor is how long may be spent on something that says it may take usual.
func (e *Engine) PatienceFor(usual time.Duration) time.Duration { return e.timing.patience(usual) }

// patience is how long may be spent on something that says it may take usual.
func (t Timing) patience(usual time.Duration) time.Duration { return max(usual, t.Patience) }

// historyPatience is how long an entry may take to be written. The history is
// best effort: what it tells must not keep anybody waiting.
const historyPatience = 5 * time.Second

// owning are those of them by which is owned what others may take over.
func (t Timing) owning() ownership.Timing {
	return ownership.Timing{
		Beat: t.Beat, Expiry: t.Expiry, Poll: t.Poll, Settle: t.Settle, Cleanup: t.Cleanup, History: t.patience(historyPatience),
	}
}

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
	t.Poll = min(ownership.LeasePoll, expiry/10)
	return t, nil
}

// Engine runs the verbs of one provider process. It is safe for concurrent use.
type Engine struct {
	keeper *ownership.Keeper
	timing Timing

	automation release.Run // what the process runs in
	journal    Journal     // who is told what happens; nil: nobody

	mu     sync.Mutex
	left   map[string]time.Time // when this run saw traffic leave a release
	said   map[string]bool      // what is told once in a run
	unsaid []Notice             // of that, what nobody has been told yet
}

// New starts an engine.
func New(timing Timing) *Engine {
	return &Engine{
		keeper: ownership.New(timing.owning()),
		timing: timing,
		left:   map[string]time.Time{},
		said:   map[string]bool{},
	}
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
	k := ownership.Key(c, id.Namespace, id.Name)
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
	if err := drain(ctx, rest); err != nil || rest <= 0 {
		return err
	}
	e.drained(ctx, c, id, main.Drain)
	return nil
}
