package ownership

import (
	"context"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

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
func (k *Keeper) tenureOf(of string) *tenure {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leases[of]
}

func (k *Keeper) hasTenure(of string, t *tenure) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t == nil {
		delete(k.leases, of)
		return
	}
	k.leases[of] = t
}

// Holds fails with a *LockLostError unless the application's Lease is ours: what
// runs under it ends then. It is asked between a look and the write that was
// decided on it.
func (k *Keeper) Holds(ctx context.Context, c Cluster, namespace, application string) error {
	lease := &coordinationv1.Lease{}
	err := c.Get(ctx, namespace, release.MainName(application), lease)
	if !apierrors.IsNotFound(err) && (err != nil || holderOf(lease) == k.identity()) {
		return err
	}
	lost := &LockLostError{Cluster: c.Name(), Namespace: namespace, Application: application, Holder: holderOf(lease)}
	if t := k.tenureOf(Key(c, namespace, application)); t != nil {
		t.lose(lost)
	}
	return lost
}
