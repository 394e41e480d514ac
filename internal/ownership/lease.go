package ownership

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
)

// LeasePoll is how often users' processes look at a held Lease. Watching it would
// need a permission that nothing else does.
const LeasePoll = time.Second

// Scope is what a Lease is for: one application on one cluster.
type Scope struct {
	Cluster                Cluster
	Namespace, Application string

	// Spare, where set, may let the rest go on without this Lease: then it returns
	// no error.
	Spare func(error) error
}

// ScopesOf are those of one application on several clusters.
func ScopesOf(clusters []Cluster, namespace, application string) []Scope {
	scopes := make([]Scope, len(clusters))
	for i, c := range clusters {
		scopes[i] = Scope{Cluster: c, Namespace: namespace, Application: application}
	}
	return scopes
}

func (s Scope) key() string { return Key(s.Cluster, s.Namespace, s.Application) }

func (s Scope) lostTo(holder string) *LockLostError {
	return &LockLostError{Cluster: s.Cluster.Name(), Namespace: s.Namespace, Application: s.Application, Holder: holder}
}

// Locked runs f while this process holds the application's Lease on every
// cluster.
func (k *Keeper) Locked(ctx context.Context, clusters []Cluster, namespace, application string, f func(context.Context, *Held) error) error {
	return k.LockedAll(ctx, ScopesOf(clusters, namespace, application), f)
}

// LockedAll runs f while this process holds the Lease of every scope.
func (k *Keeper) LockedAll(ctx context.Context, scopes []Scope, f func(context.Context, *Held) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &Held{}
	defer h.letGo()
	if err := k.takeAll(ctx, cancel, h, scopes); err != nil {
		return err
	}
	err := f(ctx, h)
	if lost := LeaseLost(ctx, nil); lost != nil && err != nil && !errors.Is(err, ErrLockLost) {
		return lost // every other error follows from that
	}
	return err
}

// wanted is a Lease that is to be taken.
type wanted struct {
	Scope
	seen sight
	err  error // of the last attempt
}

// sight is a held Lease as it was first seen like that, and when.
type sight struct {
	lease *coordinationv1.Lease
	since time.Time
}

// errElsewhere says that somebody else has a Lease.
var errElsewhere = errors.New("somebody else has the Lease")

func (w *wanted) elsewhere() bool { return errors.Is(w.err, errElsewhere) }

// takeAll takes the Lease of every scope, all at once. Where somebody else has one of
// them, they are waited for in the one order that all runs have, and whoever waits holds
// only what comes before: two runs cannot wait for each other. For example: of a, b and
// c, another run has b. This one keeps a, lets go of c, waits for b, and takes c again.
func (k *Keeper) takeAll(ctx context.Context, lost context.CancelCauseFunc, h *Held, scopes []Scope) error {
	all := make([]*wanted, len(scopes))
	for i, s := range scopes {
		all[i] = &wanted{Scope: s}
	}
	// Those of a process that died are all seen now: they expire side by side.
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(func() { k.take(ctx, lost, h, w, func() error { return errElsewhere }) })
	}
	wg.Wait()
	var err error
	for _, w := range all {
		if w.err != nil && !w.elsewhere() {
			if one := w.spared(ctx); one != nil {
				err = one // of one promotion, the last one tells of those before it, too
			}
		}
	}
	if err != nil || !slices.ContainsFunc(all, (*wanted).elsewhere) {
		return err
	}
	later := inOrder(ctx, slices.DeleteFunc(all, func(w *wanted) bool { return w.err != nil && !w.elsewhere() }))
	later = later[slices.IndexFunc(later, (*wanted).elsewhere):]
	for _, w := range later { // before the wait: somebody may wait for one of them
		h.free(w.key(), false)
	}
	for _, w := range later {
		if k.take(ctx, lost, h, w, func() error { return nil }); w.err != nil {
			if err := w.spared(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes one Lease. waits is as in acquire.
func (k *Keeper) take(ctx context.Context, lost context.CancelCauseFunc, h *Held, w *wanted, waits func() error) {
	var unlock func(bool)
	if unlock, w.err = k.lock(ctx, lost, w.Scope, &w.seen, waits); w.err == nil {
		h.add(w.key(), unlock)
	}
}

// spared is why the rest does not go on without a Lease that cannot be taken.
func (w *wanted) spared(ctx context.Context) error {
	if w.Spare == nil || ctx.Err() != nil {
		return w.err
	}
	return w.Spare(w.err)
}

// inOrder sorts by what the clusters themselves say, since their names are each
// configuration's own: two that call the same clusters differently would each hold what
// the other waits for. Where a cluster may not tell, the names must do. What cannot be
// reached comes last: nobody will hold its Lease.
func inOrder(ctx context.Context, all []*wanted) []*wanted {
	if len(all) == 1 {
		return all
	}
	identity := map[string]string{}
	known := true
	identities, _ := fleet.All(all, func(w *wanted) (string, error) {
		is, err := w.Cluster.Identity(ctx, w.Namespace)
		if err != nil {
			is = "~" // after every uid
		}
		return is, nil
	})
	for i, w := range all {
		identity[w.key()] = identities[i]
		known = known && identities[i] != ""
	}
	return slices.SortedFunc(slices.Values(all), func(a, b *wanted) int {
		byName := cmp.Or(cmp.Compare(a.Cluster.Name(), b.Cluster.Name()), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Application, b.Application))
		if !known {
			return byName
		}
		return cmp.Or(cmp.Compare(identity[a.key()], identity[b.key()]), cmp.Compare(a.Application, b.Application), byName)
	})
}

// Held are the Leases that a verb holds.
type Held struct {
	mu     sync.Mutex
	unlock map[string]func(last bool) // by scope
}

func (h *Held) add(key string, unlock func(last bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unlock == nil {
		h.unlock = map[string]func(bool){}
	}
	h.unlock[key] = unlock
}

// free lets a Lease go, or removes it on its last use. Only the first call counts.
func (h *Held) free(key string, last bool) {
	h.mu.Lock()
	unlock := h.unlock[key]
	delete(h.unlock, key)
	h.mu.Unlock()
	if unlock != nil {
		unlock(last)
	}
}

// letGo frees all that are left, at once.
func (h *Held) letGo() {
	h.mu.Lock()
	left := slices.Collect(maps.Keys(h.unlock))
	h.mu.Unlock()
	_ = fleet.Failed(left, func(key string) error { h.free(key, false); return nil })
}

// LastUse removes the Lease: nothing of the application is left on the cluster
// but what the caller removes next.
func (h *Held) LastUse(s Scope) { h.free(s.key(), true) }

// lock takes one Lease and renews it until unlock, which lets it go or, on last
// use, removes it. When the Lease is lost, lost ends the holder's context.
func (k *Keeper) lock(ctx context.Context, lost context.CancelCauseFunc, s Scope, seen *sight, waits func() error) (unlock func(last bool), err error) {
	free, err := k.lockHere(ctx, s.key(), waits)
	if err != nil {
		return nil, err
	}
	t := &tenure{end: lost}
	lease, err := k.acquire(ctx, s, seen, t, waits)
	if err != nil {
		free()
		return nil, err
	}
	k.hasTenure(s.key(), t)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { k.renew(renewing, t, s, lease) })
	return func(last bool) {
		stop()
		wg.Wait()
		k.hasTenure(s.key(), nil)
		limit := k.timing.Cleanup
		if last && ctx.Err() == nil {
			limit = k.timing.Settle // one that stays does expire, but nobody would come for it
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		letGo(clean, bare(s.Cluster), lease, last)
		free()
	}, nil
}

// lockHere keeps the verbs of this process apart without a request. waits is as in
// acquire.
func (k *Keeper) lockHere(ctx context.Context, of string, waits func() error) (free func(), err error) {
	k.mu.Lock()
	slot, ok := k.locks[of]
	if !ok {
		slot = make(chan struct{}, 1)
		k.locks[of] = slot
	}
	k.mu.Unlock()
	free = func() { <-slot }
	select {
	case slot <- struct{}{}:
		return free, nil
	default:
	}
	if err := waits(); err != nil {
		return nil, err
	}
	select {
	case slot <- struct{}{}:
		return free, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
