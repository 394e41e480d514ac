package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// saveMain writes what is remembered of an application's address, and entries of
// its history with it, with what was seen under the Lease as precondition.
// Others write to the history at any time: only a change of the pointer counts,
// whoever owns it.
func (e *Engine) saveMain(ctx context.Context, c Cluster, namespace, application string, live **corev1.ConfigMap, main *release.Main, entries ...release.Entry) error {
	c = e.under(c, namespace, application)
	data, err := main.Marshal()
	if err != nil {
		return err
	}
	e.tries(c, namespace, application, release.PointerIn(data))
	for {
		next := pointerObject(namespace, application)
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
		cm, refused := e.mainAgain(ctx, c, namespace, application, *live, err)
		if refused != nil || cm == nil {
			return errors.Join(refused, err)
		}
		*live = cm
	}
}

// tries remembers what may have been written of an address, although its reply
// was lost.
func (e *Engine) tries(c Cluster, namespace, application, main string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := key(c, namespace, application)
	if !slices.Contains(e.tried[k], main) {
		e.tried[k] = append(e.tried[k], main)
	}
}

// mine says that a pointer is one that this run has asked to be written.
func (e *Engine) mine(c Cluster, namespace, application, main string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.tried[key(c, namespace, application)], main)
}

// mainAgain looks again at what a write met. The Lease is asked for after that
// look, whose resourceVersion the next write has as precondition: whoever takes
// it in between makes that a conflict, too. It may be written again where the
// ConfigMap was labelled, say, or somebody wrote to its history, or an
// interrupted write of ours came through. Where the pointer is another one than
// was seen, or the Lease is lost, refused says so.
func (e *Engine) mainAgain(ctx context.Context, c Cluster, namespace, application string, seen *corev1.ConfigMap, err error) (cm *corev1.ConfigMap, refused error) {
	if !release.ReadAgain(err) && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	_, cm, readErr := e.liveMain(ctx, c, namespace, application)
	if readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	if err := e.holds(ctx, c, namespace, application); err != nil {
		return nil, err
	}
	if cm == nil {
		return nil, nil
	}
	was, is := "", release.PointerIn(cm.Data)
	if seen != nil {
		was = release.PointerIn(seen.Data)
	}
	if is != was && !e.mine(c, namespace, application, is) {
		return nil, &release.PointerChangedError{Cluster: c.Name(), ID: namespace + "/" + application}
	}
	return cm, nil
}

// dropMain forgets the address and keeps the history, where there is one.
func (e *Engine) dropMain(ctx context.Context, c Cluster, namespace, application string, live *corev1.ConfigMap, entries ...release.Entry) error {
	c = e.under(c, namespace, application)
	e.tries(c, namespace, application, "")
	for live != nil {
		next := live.DeepCopy()
		next.Data = release.AppendHistory(release.WithPointer(next.Data, nil), entries...)
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
		if live, refused = e.mainAgain(ctx, c, namespace, application, live, err); refused != nil {
			return refused
		}
	}
	return nil
}

// forgetMain deletes an application's ConfigMap with the last of it, after its
// Lease. Where somebody has begun anew with it since, it is theirs.
func (e *Engine) forgetMain(ctx context.Context, c Cluster, namespace, application string, live *corev1.ConfigMap) error {
	c = bare(c)
	for {
		err := c.Delete(ctx, live, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return err
		}
		_, cm, readErr := e.liveMain(ctx, c, namespace, application)
		switch {
		case readErr != nil:
			return errors.Join(err, readErr)
		case cm == nil, cm.UID != live.UID, release.PointerIn(cm.Data) != release.PointerIn(live.Data):
			return nil
		}
		live = cm
	}
}
