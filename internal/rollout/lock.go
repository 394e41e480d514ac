package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// ErrLockLost is what every LockLostError is.
var ErrLockLost = errors.New("another process took the application's Lease over, because it saw no sign of life from this one")

// LockedError says who holds an application's Lease when waiting for it ended.
type LockedError struct {
	Cluster, Namespace, Application, Holder string
	Waited                                  time.Duration
	Err                                     error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the application %s/%s on cluster %q is being changed by %s; waited %s for it: %v",
		e.Namespace, e.Application, e.Cluster, e.Holder, e.Waited.Round(time.Second), e.Err)
}

func (e *LockedError) Unwrap() error { return e.Err }

// leasePoll is how often users' processes look at a held Lease. Watching it would
// need a permission that nothing else does.
const leasePoll = time.Second

// scope is what a Lease is for: one application on one cluster.
type scope struct {
	cluster                Cluster
	namespace, application string

	// spare, where set, may let the rest go on without this Lease: then it returns
	// no error.
	spare func(error) error
}

func scopesOf(clusters []Cluster, namespace, application string) []scope {
	scopes := make([]scope, len(clusters))
	for i, c := range clusters {
		scopes[i] = scope{cluster: c, namespace: namespace, application: application}
	}
	return scopes
}

func (s scope) key() string { return key(s.cluster, s.namespace, s.application) }

func (s scope) lostTo(holder string) *LockLostError {
	return &LockLostError{Cluster: s.cluster.Name(), Namespace: s.namespace, Application: s.application, Holder: holder}
}

// locked runs f while this process holds the application's Lease on every
// cluster.
func (e *Engine) locked(ctx context.Context, clusters []Cluster, namespace, application string, f func(context.Context, *held) error) error {
	return e.lockedAll(ctx, scopesOf(clusters, namespace, application), f)
}

// lockedAll runs f while this process holds the Lease of every scope. They are
// taken in one order, so that two runs cannot wait for each other.
func (e *Engine) lockedAll(ctx context.Context, scopes []scope, f func(context.Context, *held) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &held{}
	var unlocks []func()
	defer func() {
		var wg sync.WaitGroup
		for _, unlock := range unlocks {
			wg.Go(unlock)
		}
		wg.Wait()
	}()
	scopes = inOrder(ctx, scopes)
	seen := make([]sight, len(scopes))
	for i, s := range scopes {
		unlock, err := e.lock(ctx, cancel, s, &seen[i], sync.OnceFunc(func() { lookAhead(ctx, scopes[i+1:], seen[i+1:]) }))
		if err != nil && s.spare != nil && ctx.Err() == nil {
			if err = s.spare(err); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		free := h.add(s, unlock)
		unlocks = append(unlocks, func() { free(false) })
	}
	err := f(ctx, h)
	if lost := leaseLost(ctx, nil); lost != nil && err != nil && !errors.Is(err, ErrLockLost) {
		return lost // every other error follows from that
	}
	return err
}

// sight is a held Lease as it was first seen like that, and when.
type sight struct {
	lease *coordinationv1.Lease
	since time.Time
}

// lookAhead sees Leases for the first time while another one is waited for: a
// process that died left all of its own, which then expire side by side.
func lookAhead(ctx context.Context, scopes []scope, seen []sight) {
	var wg sync.WaitGroup
	for i, s := range scopes {
		if seen[i].lease != nil {
			continue
		}
		wg.Go(func() {
			lease := &coordinationv1.Lease{}
			if s.cluster.Get(ctx, s.namespace, release.MainName(s.application), lease) == nil {
				seen[i] = sight{lease, time.Now()}
			}
		})
	}
	wg.Wait()
}

// inOrder sorts scopes by what the clusters themselves say, since their names
// are each configuration's own: two that call the same clusters differently
// would each hold what the other waits for. Where a cluster may not tell, the
// names must do. What cannot be reached comes last: nobody will hold its Lease.
func inOrder(ctx context.Context, scopes []scope) []scope {
	if len(scopes) == 1 {
		return scopes
	}
	known, of := true, map[string]string{}
	identities, _ := fleet.All(scopes, func(s scope) (string, error) {
		identity, err := s.cluster.Identity(ctx, s.namespace)
		if err != nil {
			identity = "~" // after every uid
		}
		return identity, nil
	})
	for i, s := range scopes {
		of[s.key()] = identities[i]
		known = known && identities[i] != ""
	}
	return slices.SortedFunc(slices.Values(scopes), func(a, b scope) int {
		byName := cmp.Or(cmp.Compare(a.cluster.Name(), b.cluster.Name()), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.application, b.application))
		if !known {
			return byName
		}
		return cmp.Or(cmp.Compare(of[a.key()], of[b.key()]), cmp.Compare(a.application, b.application), byName)
	})
}

// held are the Leases that a verb holds.
type held struct {
	mu     sync.Mutex
	unlock map[string]func(last bool) // by scope; only the first call counts
}

func (h *held) add(s scope, unlock func(last bool)) func(last bool) {
	var once sync.Once
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unlock == nil {
		h.unlock = map[string]func(bool){}
	}
	h.unlock[s.key()] = func(last bool) { once.Do(func() { unlock(last) }) }
	return h.unlock[s.key()]
}

// lastUse removes the Lease: nothing of the application is left on the cluster
// but what the caller removes next.
func (h *held) lastUse(s scope) {
	h.mu.Lock()
	unlock := h.unlock[s.key()]
	h.mu.Unlock()
	if unlock != nil {
		unlock(true)
	}
}

// lock takes one Lease and renews it until unlock, which lets it go or, on last
// use, removes it. When the Lease is lost, lost ends the holder's context.
func (e *Engine) lock(ctx context.Context, lost context.CancelCauseFunc, s scope, seen *sight, waits func()) (unlock func(last bool), err error) {
	free, err := e.lockHere(ctx, s.key())
	if err != nil {
		return nil, err
	}
	t := &tenure{end: lost}
	lease, err := e.acquire(ctx, s, seen, t, waits)
	if err != nil {
		free()
		return nil, err
	}
	e.hasTenure(s.key(), t)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { e.renew(renewing, t, s, lease) })
	return func(last bool) {
		stop()
		wg.Wait()
		e.hasTenure(s.key(), nil)
		limit := e.timing.Cleanup
		if last && ctx.Err() == nil {
			limit = e.timing.Settle // one that stays does expire, but nobody would come for it
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		letGo(clean, bare(s.cluster), lease, last)
		free()
	}, nil
}

// lockHere keeps the verbs of this process apart without a request.
func (e *Engine) lockHere(ctx context.Context, k string) (free func(), err error) {
	e.mu.Lock()
	slot, ok := e.locks[k]
	if !ok {
		slot = make(chan struct{}, 1)
		e.locks[k] = slot
	}
	e.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// acquire takes the Lease when it is free, or when its renewTime has not
// changed for its duration on our own clock, since it was first seen. waits is
// called where it is neither.
func (e *Engine) acquire(ctx context.Context, s scope, seen *sight, t *tenure, waits func()) (*coordinationv1.Lease, error) {
	c, namespace, application := s.cluster, s.namespace, s.application
	began := time.Now()
	locked := func(err error) error {
		return &LockedError{
			Cluster: c.Name(), Namespace: namespace, Application: application,
			Holder: deref(seen.lease.Spec.HolderIdentity), Waited: time.Since(began), Err: err,
		}
	}
	for {
		lease := &coordinationv1.Lease{}
		err := c.Get(ctx, namespace, release.MainName(application), lease)
		switch {
		case apierrors.IsNotFound(err):
			lease = e.newLease(namespace, application)
			t.shown(time.Now())
			if err = c.Create(ctx, lease); err == nil {
				return lease, nil
			}
			if !apierrors.IsAlreadyExists(err) {
				return nil, err
			}
			continue
		case err != nil && ctx.Err() != nil && seen.lease != nil && deref(seen.lease.Spec.HolderIdentity) != "":
			return nil, locked(context.Cause(ctx)) // the wait has ended while it looked
		case err != nil:
			return nil, err
		}
		if err := release.Foreign(c.Name(), "Lease", lease, application); err != nil {
			return nil, err
		}
		if seen.lease == nil || seen.lease.UID != lease.UID || seen.lease.ResourceVersion != lease.ResourceVersion {
			*seen = sight{lease.DeepCopy(), time.Now()}
		}
		if deref(lease.Spec.HolderIdentity) == "" || time.Since(seen.since) >= e.expiryOf(lease) {
			e.hold(lease)
			t.shown(time.Now())
			if err = c.Update(ctx, lease); err == nil {
				return lease, nil
			}
			if !release.ReadAgain(err) && !apierrors.IsNotFound(err) {
				return nil, err
			}
			*seen = sight{}
			continue
		}
		waits()
		if err := wait.For(ctx, cmp.Or(e.timing.Poll, leasePoll)); err != nil {
			return nil, locked(err)
		}
	}
}

func (e *Engine) newLease(namespace, application string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: release.MainName(application),
			Labels: applicationLabels(application, release.RolePointer),
		},
	}
	e.hold(lease)
	return lease
}

// identity is this process as the holder of a Lease.
func (e *Engine) identity() string { return e.holder + " (" + e.run + ")" }

// holds fails with a *LockLostError unless the application's Lease is ours: what
// runs under it ends then. It is asked between a look and the write that was
// decided on it.
func (e *Engine) holds(ctx context.Context, c Cluster, namespace, application string) error {
	lease := &coordinationv1.Lease{}
	err := c.Get(ctx, namespace, release.MainName(application), lease)
	if !apierrors.IsNotFound(err) && (err != nil || deref(lease.Spec.HolderIdentity) == e.identity()) {
		return err
	}
	lost := &LockLostError{Cluster: c.Name(), Namespace: namespace, Application: application, Holder: deref(lease.Spec.HolderIdentity)}
	if t := e.tenureOf(key(c, namespace, application)); t != nil {
		t.lose(lost)
	}
	return lost
}

// hold writes us down as the holder. The times are for people.
func (e *Engine) hold(lease *coordinationv1.Lease) {
	now := metav1.NowMicro()
	identity := e.identity()
	seconds := int32(max(1, e.timing.Expiry/time.Second))
	if deref(lease.Spec.HolderIdentity) != identity {
		lease.Spec.AcquireTime = &now
		transitions := deref(lease.Spec.LeaseTransitions) + 1
		lease.Spec.LeaseTransitions = &transitions
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &identity, &seconds, &now
}

func (e *Engine) expiryOf(lease *coordinationv1.Lease) time.Duration {
	if s := deref(lease.Spec.LeaseDurationSeconds); s > 0 {
		return time.Duration(s) * time.Second
	}
	return e.timing.Expiry
}

// renew keeps the Lease until stopped. A server that cannot be reached is not
// yet a loss: only another holder is.
func (e *Engine) renew(ctx context.Context, t *tenure, s scope, lease *coordinationv1.Lease) {
	c := bare(s.cluster)
	for wait.For(ctx, e.timing.Beat) == nil {
		e.hold(lease)
		sent := time.Now()
		err := c.Update(ctx, lease)
		if err == nil {
			t.shown(sent)
		}
		if release.ReadAgain(err) { // somebody's label, or another holder
			live := &coordinationv1.Lease{}
			if err = c.Get(ctx, lease.Namespace, lease.Name, live); err == nil && deref(live.Spec.HolderIdentity) == e.identity() {
				lease = live // renewed at the next beat, of which there are several before it expires
				continue
			}
			if err == nil {
				t.lose(s.lostTo(deref(live.Spec.HolderIdentity)))
				return
			}
		}
		if apierrors.IsNotFound(err) {
			t.lose(s.lostTo(""))
			return
		}
	}
}

// letGo frees the Lease, or removes it with the last of the application. Where
// that fails, it expires.
func letGo(ctx context.Context, c Cluster, lease *coordinationv1.Lease, last bool) {
	for {
		live := &coordinationv1.Lease{}
		if c.Get(ctx, lease.Namespace, lease.Name, live) != nil || deref(live.Spec.HolderIdentity) != deref(lease.Spec.HolderIdentity) {
			return
		}
		var err error
		if last {
			err = c.Delete(ctx, live, metav1.DeletePropagationBackground)
		} else {
			nobody := ""
			live.Spec.HolderIdentity = &nobody
			err = c.Update(ctx, live)
		}
		if !release.ReadAgain(err) {
			return
		}
	}
}

// applicationLabels mark what belongs to an application rather than to one of
// its releases.
func applicationLabels(application, role string) map[string]string {
	return map[string]string{
		release.LabelName:        application,
		release.LabelManagedBy:   release.ManagedBy,
		release.LabelApplication: application,
		release.LabelRole:        role,
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
