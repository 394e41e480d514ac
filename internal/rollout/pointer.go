package rollout

import (
	"context"
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// saveMain writes what is remembered of an application's address, and entries of
// its history with it, with what was seen under the Lease as precondition.
// Others write to the history at any time: only a change of the pointer counts.
func (e *Engine) saveMain(ctx context.Context, c Cluster, namespace, application string, live **corev1.ConfigMap, main *release.Main, entries ...release.Entry) error {
	main.Schema = release.MainSchema
	data, err := main.Marshal()
	if err != nil {
		return err
	}
	for {
		next := pointerObject(namespace, application)
		if *live != nil {
			next = (*live).DeepCopy()
		}
		next.Data = withMain(next.Data, data, entries)
		if *live == nil {
			err = c.Create(ctx, next)
		} else {
			err = c.Update(ctx, next)
		}
		if err == nil {
			*live = next
			return nil
		}
		now, cm, refused := e.mainAgain(ctx, c, namespace, application, err)
		if refused != nil || cm == nil {
			return errors.Join(refused, err)
		}
		if now != nil && now.Owner != main.Owner && (*live == nil || cm.Data[release.MainKey] != (*live).Data[release.MainKey]) {
			return err
		}
		*live = cm
	}
}

// withMain is the ConfigMap's data with another pointer; an empty one drops it.
func withMain(data, main map[string]string, entries []release.Entry) map[string]string {
	next := maps.Clone(data)
	if next == nil {
		next = map[string]string{}
	}
	delete(next, release.MainKey)
	maps.Copy(next, main)
	return release.AppendHistory(next, entries...)
}

// mainAgain looks again at what a write met: the Lease is ours, so that it was
// labelled, say, or somebody wrote to its history, or an interrupted write of
// ours came through. In every other case refused says why not to go on.
func (e *Engine) mainAgain(ctx context.Context, c Cluster, namespace, application string, err error) (now *release.Main, cm *corev1.ConfigMap, refused error) {
	if !release.ReadAgain(err) && !apierrors.IsAlreadyExists(err) {
		return nil, nil, err
	}
	if err := e.holds(ctx, c, namespace, application); err != nil {
		return nil, nil, err
	}
	now, cm, readErr := e.liveMain(ctx, c, namespace, application)
	if readErr != nil {
		return nil, nil, errors.Join(err, readErr)
	}
	return now, cm, nil
}

// dropMain forgets the address and keeps the history, where there is one.
func (e *Engine) dropMain(ctx context.Context, c Cluster, namespace, application string, live *corev1.ConfigMap, entries ...release.Entry) error {
	for live != nil {
		next := live.DeepCopy()
		next.Data = withMain(next.Data, nil, entries)
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
		if _, live, refused = e.mainAgain(ctx, c, namespace, application, err); refused != nil {
			return refused
		}
	}
	return nil
}
