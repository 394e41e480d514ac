package ownership

import (
	"context"
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// SaveMain writes what is remembered of an application's address, and entries of
// its history with it, with what was seen under the Lease as precondition.
// Others write to the history at any time: only a change of the pointer counts,
// whoever owns it.
func (k *Keeper) SaveMain(ctx context.Context, c Cluster, namespace, application string, live **corev1.ConfigMap, main *release.Main, entries ...release.Entry) error {
	c = k.Under(c, namespace, application)
	data, err := main.Marshal()
	if err != nil {
		return err
	}
	k.tries(c, namespace, application, release.PointerIn(data))
	for {
		next := ofApplication(namespace, application)
		if *live != nil {
			next = (*live).DeepCopy()
		}
		next.Data = release.AppendHistory(release.WithPointer(next.Data, data), entries...)
		if *live == nil {
			err = c.Create(ctx, next)
		} else {
			err = c.Update(ctx, next)
		}
		if err == nil {
			*live = next
			return nil
		}
		cm, refused := k.mainAgain(ctx, c, namespace, application, *live, err)
		if refused != nil || cm == nil {
			return errors.Join(refused, err)
		}
		*live = cm
	}
}

// mainAgain looks again at what a write met. The Lease is asked for after that
// look, whose resourceVersion the next write has as precondition: whoever takes
// it in between makes that a conflict, too. It may be written again where the
// ConfigMap was labelled, say, or somebody wrote to its history, or an
// interrupted write of ours came through. Where the pointer is another one than
// was seen, or the Lease is lost, refused says so.
func (k *Keeper) mainAgain(ctx context.Context, c Cluster, namespace, application string, seen *corev1.ConfigMap, err error) (cm *corev1.ConfigMap, refused error) {
	if !release.ReadAgain(err) && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	_, cm, readErr := LiveMain(ctx, c, namespace, application)
	if readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	if err := k.Holds(ctx, c, namespace, application); err != nil {
		return nil, err
	}
	if cm == nil {
		return nil, nil
	}
	was, is := "", release.PointerIn(cm.Data)
	if seen != nil {
		was = release.PointerIn(seen.Data)
	}
	if is != was && !k.mine(c, namespace, application, is) {
		return nil, &release.PointerChangedError{Cluster: c.Name(), ID: namespace + "/" + application}
	}
	return cm, nil
}

// DropMain forgets the address and keeps the history, where there is one, and what is to
// be remembered of a release that was taken back; nil: nothing is.
func (k *Keeper) DropMain(ctx context.Context, c Cluster, namespace, application string, live *corev1.ConfigMap, breach *release.Breach, entries ...release.Entry) error {
	c = k.Under(c, namespace, application)
	k.tries(c, namespace, application, release.PointerIn(release.WithBreach(map[string]string{}, breach)))
	for live != nil {
		next := live.DeepCopy()
		next.Data = release.AppendHistory(release.WithBreach(release.WithPointer(next.Data, nil), breach), entries...)
		var err error
		if maps.Equal(next.Data, live.Data) {
			return nil
		}
		if len(next.Data) == 0 {
			err = c.Delete(ctx, live, metav1.DeletePropagationBackground)
		} else {
			err = c.Update(ctx, next)
		}
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		var refused error
		if live, refused = k.mainAgain(ctx, c, namespace, application, live, err); refused != nil {
			return refused
		}
	}
	return nil
}

// ForgetMain deletes an application's ConfigMap with the last of it, after its
// Lease. Where somebody has begun anew with it since, it is theirs.
func (k *Keeper) ForgetMain(ctx context.Context, c Cluster, namespace, application string, live *corev1.ConfigMap) error {
	c = bare(c)
	for {
		err := c.Delete(ctx, live, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return err
		}
		_, cm, readErr := LiveMain(ctx, c, namespace, application)
		switch {
		case readErr != nil:
			return errors.Join(err, readErr)
		case cm == nil, cm.UID != live.UID, release.PointerIn(cm.Data) != release.PointerIn(live.Data):
			return nil
		}
		live = cm
	}
}

// ofApplication is an application's ConfigMap, empty.
func ofApplication(namespace, application string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: release.MainName(application),
			Labels: applicationLabels(application, release.RolePointer),
		},
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
