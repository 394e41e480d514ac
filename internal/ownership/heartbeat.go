package ownership

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// certainty is how sure a claim is that its release is still ours. A process
// that slept, or was cut off, for longer than its heartbeat is good for does not
// know that somebody else has taken the release over.
type certainty struct {
	held   atomic.Bool // between the claim and its end
	strict atomic.Bool // every write is preceded by a beat

	// The rest is guarded by the claim's mutex.
	seen  time.Time                 // when the last beat that came through was sent
	tried []map[string]string       // what we have asked the record to say since, and it may
	lost  error                     // who has it now; nil: it is ours
	ends  []context.CancelCauseFunc // of what is done for it
}

// lose ends everything that is done for the claim. cl.mu is held.
func (cl *Claim) lose(err *release.TakenOverError) error {
	cl.own.lost = err
	for _, end := range cl.own.ends {
		end(err)
	}
	return err
}

// Bound is a context that ends where the claim is lost, with who has it now as
// its cause.
func (cl *Claim) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.own.ends = append(cl.own.ends, end)
	if cl.own.lost != nil {
		end(cl.own.lost)
	}
	return ctx, func() { end(nil) }
}

// Gone is why the claim is not ours any more; nil where it is.
func (cl *Claim) Gone() error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.own.lost
}

// Confirm is a beat that is waited for: it reads who has the record where
// somebody else has written to it.
func (cl *Claim) Confirm(ctx context.Context) error {
	return cl.Update(ctx, func(r *release.Record) { r.Beat++ })
}

// Strictly lets every write that follows be preceded by a beat: for what takes
// something away.
func (cl *Claim) Strictly() { cl.own.strict.Store(true) }

// beatsInARow is how often a beat may come through too late to be believed.
const beatsInARow = 5

// mayWrite makes sure, between what a write was decided on and the write, that
// the claim is ours. Its last beat is enough as long as nobody can have taken it
// for dead since it was sent.
func (cl *Claim) mayWrite(ctx context.Context, obj Object) error {
	if !cl.own.held.Load() {
		return cl.Gone()
	}
	_, lease := obj.(*coordinationv1.Lease) // it takes nothing away
	strict := cl.own.strict.Load() && !lease
	for n := range beatsInARow {
		cl.mu.Lock()
		lost, ago := cl.own.lost, since(cl.own.seen)
		cl.mu.Unlock()
		switch {
		case lost != nil:
			return lost
		case n > 0 && ago < max(cl.keeper.timing.Expiry, cl.keeper.surely()): // it has just been asked
			return nil
		case ago < cl.keeper.surely() && !strict:
			return nil
		}
		if err := cl.Confirm(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("the API server of cluster %q answers too slowly: it cannot be told in time whether %s is still this run's", cl.cluster.Name(), cl.id)
}

// OrLost is what a claim's failure comes down to where the claim is not ours any
// more: every other error follows from that.
func (cl *Claim) OrLost(err error) error {
	if lost := cl.Gone(); lost != nil && err != nil {
		return lost
	}
	return err
}

// Held says that the claim has begun and has not been let go of.
func (cl *Claim) Held() bool { return cl.own.held.Load() }

// beat shows that we live, until Stop.
func (cl *Claim) beat(ctx context.Context) {
	cl.own.held.Store(true)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		for wait.For(ctx, cl.keeper.timing.Beat) == nil {
			if Lost(ctx, cl.Confirm(ctx)) != nil {
				return
			}
		}
	})
	cl.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
}

// Stop ends the heartbeat. The record still says that we are at work.
func (cl *Claim) Stop() { cl.stop() }
