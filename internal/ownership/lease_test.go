package ownership_test

import (
	"context"
	"errors"
	"strings"
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
