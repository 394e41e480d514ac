package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ownership is how sure a claim is that its release is still ours. A process
// that slept, or was cut off, for longer than its heartbeat is good for does not
// know that somebody else has taken the release over.
type ownership struct {
	held   atomic.Bool // between the claim and its end
	strict atomic.Bool // every write is preceded by a beat

	// The rest is guarded by the claim's mutex.
	seen  time.Time                 // when the last beat that came through was sent
	tried []map[string]string       // what we have asked the record to say since, and it may
	lost  error                     // who has it now; nil: it is ours
	ends  []context.CancelCauseFunc // of what is done for it
}

// lose ends everything that is done for the claim. cl.mu is held.
func (cl *claim) lose(err *release.TakenOverError) error {
	cl.own.lost = err
	for _, end := range cl.own.ends {
		end(err)
	}
	return err
}

// bound is a context that ends where the claim is lost, with who has it now as
// its cause.
func (cl *claim) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.own.ends = append(cl.own.ends, end)
	if cl.own.lost != nil {
		end(cl.own.lost)
	}
	return ctx, func() { end(nil) }
}

// gone is why the claim is not ours any more; nil where it is.
func (cl *claim) gone() error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.own.lost
}

// confirm is a beat that is waited for: it reads who has the record where
// somebody else has written to it.
func (cl *claim) confirm(ctx context.Context) error {
	return cl.update(ctx, func(r *release.Record) { r.Beat++ })
}

// strictly lets every write that follows be preceded by a beat: for what takes
// something away.
func (cl *claim) strictly() { cl.own.strict.Store(true) }

// beatsInARow is how often a beat may come through too late to be believed.
const beatsInARow = 5

// mayWrite makes sure, between what a write was decided on and the write, that
// the claim is ours. Its last beat is enough as long as nobody can have taken it
// for dead since it was sent.
func (cl *claim) mayWrite(ctx context.Context, obj Object) error {
	if !cl.own.held.Load() {
		return cl.gone()
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
		case n > 0 && ago < max(cl.engine.timing.Expiry, cl.engine.surely()): // it has just been asked
			return nil
		case ago < cl.engine.surely() && !strict:
			return nil
		}
		if err := cl.confirm(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("the API server of cluster %q answers too slowly: it cannot be told in time whether %s is still this run's", cl.cluster.Name(), cl.target.id)
}

// guarded is a cluster on which nothing is written for a claim that is not ours
// any more. Its users read what they write first, and write with that as
// precondition.
type guarded struct {
	Cluster
	claim *claim
}

// guard lets the claim write only as long as it is ours.
func (cl *claim) guard() *claim {
	cl.cluster = guarded{cl.cluster, cl}
	return cl
}

// beneath is where the claim writes its record, which has a precondition of its
// own.
func (cl *claim) beneath() Cluster {
	if g, ok := cl.cluster.(guarded); ok {
		return g.Cluster
	}
	return cl.cluster
}

// bare is the cluster without what keeps from writing to it: to let go of what
// is ours.
func bare(c Cluster) Cluster {
	for {
		switch inner := c.(type) {
		case guarded:
			c = inner.Cluster
		case fenced:
			c = inner.Cluster
		default:
			return c
		}
	}
}

func (g guarded) Create(ctx context.Context, obj Object) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Create(ctx, obj)
}

func (g guarded) Apply(ctx context.Context, obj Object, force bool) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Apply(ctx, obj, force)
}

func (g guarded) Update(ctx context.Context, obj Object) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Update(ctx, obj)
}

func (g guarded) Delete(ctx context.Context, obj Object, propagation metav1.DeletionPropagation) error {
	if err := g.claim.mayWrite(ctx, obj); err != nil {
		return err
	}
	return g.Cluster.Delete(ctx, obj, propagation)
}

func (g guarded) Scale(ctx context.Context, d *appsv1.Deployment, replicas int32, force bool) (*appsv1.Deployment, error) {
	if err := g.claim.mayWrite(ctx, d); err != nil {
		return nil, err
	}
	return g.Cluster.Scale(ctx, d, replicas, force)
}

// Mark is for what the record says: also at the very end, when it says that
// nobody is at work on the release.
func (g guarded) Mark(ctx context.Context, obj Object, labels map[string]string) {
	cl := g.claim
	cl.mu.Lock()
	told := cl.own.lost == nil && since(cl.own.seen) < cl.engine.surely()
	cl.mu.Unlock()
	if told {
		g.Cluster.Mark(ctx, obj, labels)
	}
}

// Tell says nothing about what is somebody else's.
func (g guarded) Tell(ctx context.Context, regarding Object, reason release.EventReason, note string, warning bool) {
	if g.claim.gone() == nil {
		g.Cluster.Tell(ctx, regarding, reason, note, warning)
	}
}

// boundAll is bound for what is done on all clusters or on none.
func boundAll(ctx context.Context, claims []*claim) (context.Context, context.CancelFunc) {
	var ends []context.CancelFunc
	for _, cl := range claims {
		var end context.CancelFunc
		ctx, end = cl.bound(ctx)
		ends = append(ends, end)
	}
	return ctx, func() {
		for _, end := range ends {
			end()
		}
	}
}

// lostOf is orLost for what is done on all clusters or on none.
func lostOf(claims []*claim, err error) error {
	for _, cl := range claims {
		if lost := cl.gone(); lost != nil && err != nil {
			return lost
		}
	}
	return err
}

// orLost is what a claim's failure comes down to where the claim is not ours any
// more: every other error follows from that.
func (cl *claim) orLost(err error) error {
	if lost := cl.gone(); lost != nil && err != nil {
		return lost
	}
	return err
}

// confirmAll asks once more whose the releases are that something has been
// done to. The result is who has those that are not ours any more.
func (e *Engine) confirmAll(ctx context.Context, claims []*claim) []error {
	// Most of the time is for the clean-up, which asks again.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.timing.Cleanup/3)
	defer cancel()
	return putInOrder(claims, func(cl *claim) error {
		if cl.own.held.Load() {
			_ = cl.confirm(clean) // only whose it is matters here
		}
		return cl.gone()
	})
}

// tenure is how sure this run is that a Lease is still its own.
type tenure struct {
	seen atomic.Pointer[time.Time] // when the last renewal that came through was sent
	lost atomic.Pointer[LockLostError]
	end  context.CancelCauseFunc
}

func (t *tenure) shown(at time.Time) { t.seen.Store(&at) }

// lose ends everything that is done under the Lease.
func (t *tenure) lose(err *LockLostError) {
	if t.lost.CompareAndSwap(nil, err) {
		t.end(err)
	}
}

// tenureOf is that of a Lease which this run holds; nil: it holds none.
func (e *Engine) tenureOf(k string) *tenure {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leases[k]
}

func (e *Engine) hasTenure(k string, t *tenure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t == nil {
		delete(e.leases, k)
		return
	}
	e.leases[k] = t
}

// LockLostError is the cause of a context whose Lease somebody else has taken.
// It is an ErrLockLost.
type LockLostError struct {
	Cluster, Namespace, Application string
	Holder                          string // who has it now; empty: nobody any more
}

func (e *LockLostError) Error() string {
	by := "another process, which has let it go since,"
	if e.Holder != "" {
		by = e.Holder
	}
	return fmt.Sprintf("%s took the Lease of the application %s/%s on cluster %q over, because it saw no sign of life from this one", by, e.Namespace, e.Application, e.Cluster)
}

// Is makes every LockLostError an ErrLockLost.
func (e *LockLostError) Is(target error) bool { return target == ErrLockLost }

// leaseLost says that an operation has lost the Lease that it runs under: then
// it writes nothing more.
func leaseLost(ctx context.Context, err error) *LockLostError {
	var lost *LockLostError
	if errors.As(context.Cause(ctx), &lost) || errors.As(err, &lost) {
		return lost
	}
	return nil
}
