package ownership_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestLeaseOfTheDeadIsTakenOver: a process shows no sign of life for an expiry.
// Another one takes its Lease, and then it writes nothing more.
func TestLeaseOfTheDeadIsTakenOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.run(t), p.run(t)
	err := first.locked(t.Context(), func(ctx context.Context) error {
		must(t, second.locked(t.Context(), func(context.Context) error { return nil }))
		object := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "late"}}
		err := first.StrictlyUnder(first.c, p.namespace, "api").Create(ctx, object)
		if ownership.LeaseLost(ctx, nil) == nil {
			t.Error("its context goes on")
		}
		if ownership.Interrupted(ctx) {
			t.Error("it is taken for a Ctrl-C")
		}
		return err
	})
	if !errors.Is(err, ownership.ErrLockLost) || ownership.Lost(t.Context(), err) == nil {
		t.Errorf("it ends with: %v", err)
	}
	if _, err := p.cluster.Client().CoreV1().ConfigMaps(p.namespace).Get(t.Context(), "late", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it has written without its Lease: %v", err)
	}
}

// TestLeaseIsWaitedFor: who waits in vain is told whom for.
func TestLeaseIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.runFor(t, time.Hour), p.run(t)
	nothing := func(context.Context) error { return errors.New("two have it at once") }
	must(t, first.locked(t.Context(), func(context.Context) error {
		ctx, over := testcluster.Deadline(t, errors.New("the time is up"))
		over()
		if err := first.locked(ctx, nothing); err == nil || !strings.Contains(err.Error(), "the time is up") {
			t.Errorf("the same process is told: %v", err)
		}
		var locked *ownership.LockedError
		for limit := 500 * time.Millisecond; !errors.As(waitsFor(t, second, limit, nothing), &locked); limit *= 2 {
			if limit > testcluster.Hang {
				t.Fatal("another process is not told whom it waits for")
			}
		}
		if !strings.HasPrefix(locked.Holder, first.Holder()) || locked.Waited == 0 {
			t.Errorf("another process is told: %v", locked)
		}
		return nil
	}))
	must(t, second.locked(t.Context(), func(context.Context) error { return nil }))
}

// waitsFor is why a process has not got a Lease in time.
func waitsFor(t *testing.T, r run, limit time.Duration, do func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return r.locked(ctx, do)
}

// TestLeaseGoesWithItsLastUse: nothing is left of an application whose last record
// is going to be removed.
func TestLeaseGoesWithItsLastUse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.run(t)
	must(t, r.Locked(t.Context(), []ownership.Cluster{r.c}, p.namespace, "api", func(ctx context.Context, h *ownership.Held) error {
		gone, err := r.ForgetApplication(ctx, r.c, p.namespace, "api", "", h, nil)
		if !gone {
			t.Error("something is left of it")
		}
		return err
	}))
	if _, err := p.cluster.Client().CoordinationV1().Leases(p.namespace).Get(t.Context(), "api-switchback", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Lease is there: %v", err)
	}
}

// gathering is a cluster on which every create waits until so many are under way.
type gathering struct {
	ownership.Cluster
	missing *atomic.Int32
	all     chan struct{}
}

func (c gathering) Create(ctx context.Context, object ownership.Object) error {
	if c.missing.Add(-1) == 0 {
		close(c.all)
	}
	select {
	case <-c.all:
		return c.Cluster.Create(ctx, object)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// scopes are those of several applications on one cluster.
func (p place) scopes(c ownership.Cluster, applications ...string) []ownership.Scope {
	var all []ownership.Scope
	for _, application := range applications {
		all = append(all, ownership.ScopesOf([]ownership.Cluster{c}, p.namespace, application)...)
	}
	return all
}

// TestLeasesAreTakenAtOnce: what is free does not wait for its turn.
func TestLeasesAreTakenAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.run(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), testcluster.Hang, errors.New("one waits for another"))
	defer cancel()
	var missing atomic.Int32
	missing.Store(3)
	must(t, r.LockedAll(ctx, p.scopes(gathering{r.c, &missing, make(chan struct{})}, "a", "b", "c"), func(context.Context, *ownership.Held) error { return nil }))
}

// TestWhoWaitsHoldsWhatComesBefore: of three Leases, somebody else has the second. The
// third is let go of, for whoever may wait for it while they hold the second.
func TestWhoWaitsHoldsWhatComesBefore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, second := p.runFor(t, time.Hour), p.runFor(t, time.Hour)
	holder := func(application string) string {
		lease, err := p.cluster.Client().CoordinationV1().Leases(p.namespace).Get(t.Context(), application+"-switchback", metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil {
			return "nobody"
		}
		return *lease.Spec.HolderIdentity
	}
	var waits sync.WaitGroup
	must(t, first.LockedAll(t.Context(), p.scopes(first.c, "b"), func(context.Context, *ownership.Held) error {
		waits.Go(func() {
			err := second.LockedAll(t.Context(), p.scopes(second.c, "c", "b", "a"), func(context.Context, *ownership.Held) error {
				for _, application := range []string{"a", "b", "c"} {
					if is := holder(application); !strings.HasPrefix(is, second.Holder()) {
						t.Errorf("the Lease of %s is held by %s", application, is)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		testcluster.Eventually(t, testcluster.Hang, "the second run to wait", func() error {
			if a, c := holder("a"), holder("c"); !strings.HasPrefix(a, second.Holder()) || c != "" {
				return fmt.Errorf("a is held by %q, c by %q", a, c)
			}
			return nil
		})
		return nil
	}))
	waits.Wait()
}

// TestALeaseThatIsNotSparedEndsAll: one scope goes on without its Lease, another one does
// not, whichever is first.
func TestALeaseThatIsNotSparedEndsAll(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.run(t)
	scopes := p.scopes(broken{r.c}, "a", "b")
	scopes[1].Spare = func(error) error { return nil }
	for range 2 {
		if err := r.LockedAll(t.Context(), scopes, func(context.Context, *ownership.Held) error { return errors.New("it has begun") }); !errors.Is(err, errBroken) {
			t.Errorf("it ends with: %v", err)
		}
		slices.Reverse(scopes)
	}
}

var errBroken = errors.New("no answer")

// broken is a cluster that cannot be asked for a Lease.
type broken struct{ ownership.Cluster }

func (broken) Get(context.Context, string, string, ownership.Object) error { return errBroken }
