package ownership

import (
	"cmp"
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// acquire takes the Lease when it is free, or when its renewTime has not
// changed for its duration on our own clock, since it was first seen. Where it is
// neither, waits is asked whether to wait: its error ends it.
func (k *Keeper) acquire(ctx context.Context, s Scope, seen *sight, t *tenure, waits func() error) (*coordinationv1.Lease, error) {
	c, namespace, application := s.Cluster, s.Namespace, s.Application
	began := time.Now()
	locked := func(err error) error {
		return &LockedError{
			Cluster: c.Name(), Namespace: namespace, Application: application,
			Holder: holderOf(seen.lease), Waited: time.Since(began), Err: err,
		}
	}
	for {
		lease := &coordinationv1.Lease{}
		err := c.Get(ctx, namespace, release.MainName(application), lease)
		switch {
		case apierrors.IsNotFound(err):
			lease = k.newLease(namespace, application)
			t.shown(time.Now())
			if err = c.Create(ctx, lease); err == nil {
				return lease, nil
			}
			if !apierrors.IsAlreadyExists(err) {
				return nil, err
			}
			continue
		case err != nil && ctx.Err() != nil && seen.lease != nil && holderOf(seen.lease) != "":
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
		if holderOf(lease) == "" || time.Since(seen.since) >= k.expiryOf(lease) {
			k.hold(lease)
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
		if err := waits(); err != nil {
			return nil, err
		}
		if err := wait.For(ctx, cmp.Or(k.timing.Poll, LeasePoll)); err != nil {
			return nil, locked(err)
		}
	}
}

func (k *Keeper) newLease(namespace, application string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{
		TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: release.MainName(application),
			Labels: applicationLabels(application, release.RolePointer),
		},
	}
	k.hold(lease)
	return lease
}

// holderOf is who a Lease says that has it; empty: nobody.
func holderOf(lease *coordinationv1.Lease) string {
	if holder := lease.Spec.HolderIdentity; holder != nil {
		return *holder
	}
	return ""
}

// hold writes us down as the holder. The times are for people.
func (k *Keeper) hold(lease *coordinationv1.Lease) {
	now := metav1.NowMicro()
	identity := k.identity()
	seconds := int32(max(1, k.timing.Expiry/time.Second))
	if holderOf(lease) != identity {
		lease.Spec.AcquireTime = &now
		transitions := int32(1)
		if before := lease.Spec.LeaseTransitions; before != nil {
			transitions += *before
		}
		lease.Spec.LeaseTransitions = &transitions
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &identity, &seconds, &now
}

func (k *Keeper) expiryOf(lease *coordinationv1.Lease) time.Duration {
	if s := lease.Spec.LeaseDurationSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	return k.timing.Expiry
}

// renew keeps the Lease until stopped. A server that cannot be reached is not
// yet a loss: only another holder is.
func (k *Keeper) renew(ctx context.Context, t *tenure, s Scope, lease *coordinationv1.Lease) {
	c := bare(s.Cluster)
	for wait.For(ctx, k.timing.Beat) == nil {
		k.hold(lease)
		sent := time.Now()
		err := c.Update(ctx, lease)
		if err == nil {
			t.shown(sent)
		}
		if release.ReadAgain(err) { // somebody's label, or another holder
			live := &coordinationv1.Lease{}
			if err = c.Get(ctx, lease.Namespace, lease.Name, live); err == nil && holderOf(live) == k.identity() {
				lease = live // renewed at the next beat, of which there are several before it expires
				continue
			}
			if err == nil {
				t.lose(s.lostTo(holderOf(live)))
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
		if c.Get(ctx, lease.Namespace, lease.Name, live) != nil || holderOf(live) != holderOf(lease) {
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
