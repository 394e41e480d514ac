package ownership

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
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

// LockedAll runs f while this process holds the Lease of every scope. They are
// taken in one order, so that two runs cannot wait for each other.
func (k *Keeper) LockedAll(ctx context.Context, scopes []Scope, f func(context.Context, *Held) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &Held{}
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
		unlock, err := k.lock(ctx, cancel, s, &seen[i], sync.OnceFunc(func() { lookAhead(ctx, scopes[i+1:], seen[i+1:]) }))
		if err != nil && s.Spare != nil && ctx.Err() == nil {
			if err = s.Spare(err); err == nil {
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
	if lost := LeaseLost(ctx, nil); lost != nil && err != nil && !errors.Is(err, ErrLockLost) {
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
func lookAhead(ctx context.Context, scopes []Scope, seen []sight) {
	var wg sync.WaitGroup
	for i, s := range scopes {
		if seen[i].lease != nil {
			continue
		}
		wg.Go(func() {
			lease := &coordinationv1.Lease{}
			if s.Cluster.Get(ctx, s.Namespace, release.MainName(s.Application), lease) == nil {
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
func inOrder(ctx context.Context, scopes []Scope) []Scope {
	if len(scopes) == 1 {
		return scopes
	}
	known, of := true, map[string]string{}
	identities, _ := fleet.All(scopes, func(s Scope) (string, error) {
		identity, err := s.Cluster.Identity(ctx, s.Namespace)
		if err != nil {
			identity = "~" // after every uid
		}
		return identity, nil
	})
	for i, s := range scopes {
		of[s.key()] = identities[i]
		known = known && identities[i] != ""
	}
	return slices.SortedFunc(slices.Values(scopes), func(a, b Scope) int {
		byName := cmp.Or(cmp.Compare(a.Cluster.Name(), b.Cluster.Name()), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Application, b.Application))
		if !known {
			return byName
		}
		return cmp.Or(cmp.Compare(of[a.key()], of[b.key()]), cmp.Compare(a.Application, b.Application), byName)
	})
}

// Held are the Leases that a verb holds.
type Held struct {
	mu     sync.Mutex
	unlock map[string]func(last bool) // by scope; only the first call counts
}

func (h *Held) add(s Scope, unlock func(last bool)) func(last bool) {
	var once sync.Once
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unlock == nil {
		h.unlock = map[string]func(bool){}
	}
	h.unlock[s.key()] = func(last bool) { once.Do(func() { unlock(last) }) }
	return h.unlock[s.key()]
}

// LastUse removes the Lease: nothing of the application is left on the cluster
// but what the caller removes next.
func (h *Held) LastUse(s Scope) {
	h.mu.Lock()
	unlock := h.unlock[s.key()]
	h.mu.Unlock()
	if unlock != nil {
		unlock(true)
	}
}

// lock takes one Lease and renews it until unlock, which lets it go or, on last
// use, removes it. When the Lease is lost, lost ends the holder's context.
func (k *Keeper) lock(ctx context.Context, lost context.CancelCauseFunc, s Scope, seen *sight, waits func()) (unlock func(last bool), err error) {
	free, err := k.lockHere(ctx, s.key())
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

// lockHere keeps the verbs of this process apart without a request.
func (k *Keeper) lockHere(ctx context.Context, of string) (free func(), err error) {
	k.mu.Lock()
	slot, ok := k.locks[of]
	if !ok {
		slot = make(chan struct{}, 1)
		k.locks[of] = slot
	}
	k.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
