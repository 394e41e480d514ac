package ownership

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// AwaitHolder waits for whoever is at work on a release. It returns once the
// record has changed since it was seen, or has not for an Expiry: then they are
// dead. Where the wait ends before that, it is a *HolderError.
func (k *Keeper) AwaitHolder(ctx context.Context, c Cluster, seen *corev1.ConfigMap, record *release.Record) error {
	err := k.watchHolder(ctx, c, seen)
	if err == nil {
		return nil
	}
	id := release.ID{Namespace: seen.Namespace, Name: seen.Name}
	return &HolderError{ClaimError: release.ClaimError{Step: release.ClaimWait, Cluster: c.Name(), ID: id, Holder: record.Holder}, Err: err}
}

// Working says that somebody alive is at work on a release: this run, too, may
// be creating it right now.
func (k *Keeper) Working(ctx context.Context, c Cluster, live *corev1.ConfigMap, record *release.Record) (bool, error) {
	if !record.Busy() || record.Run == k.run {
		return record.Busy(), nil
	}
	began := time.Now()
	if err := k.watchHolder(ctx, c, live); err != nil {
		return false, err
	}
	return time.Since(began) < k.timing.Expiry, nil
}

// watchHolder returns once the record has changed, or has not for Expiry on our
// own clock: then whoever worked on it is dead.
func (k *Keeper) watchHolder(ctx context.Context, c Cluster, seen *corev1.ConfigMap) error {
	expires := time.Now().Add(k.timing.Expiry)
	view := c.View(seen.Namespace)
	return wait.Until(ctx, view.Changes(seen.Labels[release.LabelApplication]), func() (bool, time.Duration, error) {
		obj, err := view.Get(ctx, &corev1.ConfigMap{}, seen.Name)
		if err != nil {
			return false, 0, err
		}
		changed := obj == nil || release.Newer(obj, seen)
		left := time.Until(expires)
		return changed || left <= 0, left, nil
	})
}
