package ownership

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// historyRaces is how often an entry is written again because somebody else wrote
// to the application's ConfigMap at the same time.
const historyRaces = 10

// Remember writes entries into the application's history, and makes it where
// there is none yet: its caller knows that a release of the application is left,
// whose removal takes the history with it. It is best effort and needs no Lease.
func (k *Keeper) Remember(ctx context.Context, c Cluster, namespace, application string, entries ...release.Entry) {
	k.appendHistory(ctx, c, namespace, application, true, entries...)
}

// RememberIfAny is Remember for what may have been the application's last act:
// a history that is gone stays so.
func (k *Keeper) RememberIfAny(ctx context.Context, c Cluster, namespace, application string, entries ...release.Entry) {
	k.appendHistory(ctx, c, namespace, application, false, entries...)
}

func (k *Keeper) appendHistory(ctx context.Context, c Cluster, namespace, application string, create bool, entries ...release.Entry) {
	ctx, cancel := context.WithTimeout(ctx, k.timing.History)
	defer cancel()
	for race := range historyRaces {
		if ctx.Err() != nil {
			return
		}
		live, err := historyIn(ctx, c, namespace, application, race == 0, create)
		switch {
		case err != nil, live == nil && !create:
			return
		case live == nil:
			live = ofApplication(namespace, application)
			live.Data = release.AppendHistory(nil, entries...)
			err = c.Create(ctx, live)
		default:
			live.Data = release.AppendHistory(live.Data, entries...)
			err = c.Update(ctx, live)
		}
		if again := release.ReadAgain(err) || apierrors.IsAlreadyExists(err) || create && apierrors.IsNotFound(err); !again {
			return
		}
	}
}

// historyIn is the application's ConfigMap, to be written; nil where there is
// none. At first it is what the run's shared watch knows, which saves a request
// for each release: where that is behind, the write meets a conflict. That there
// is none is believed only by those who would make it.
func historyIn(ctx context.Context, c Cluster, namespace, application string, first, create bool) (*corev1.ConfigMap, error) {
	name := release.MainName(application)
	if first {
		seen, err := c.View(namespace).Get(ctx, &corev1.ConfigMap{}, name)
		if err == nil && seen != nil && release.Foreign(c.Name(), "ConfigMap", seen, application) == nil {
			return seen.(*corev1.ConfigMap).DeepCopy(), nil
		}
		if err == nil && seen == nil && create {
			return nil, nil
		}
	}
	return Look(ctx, c, namespace, name, application, &corev1.ConfigMap{}, "ConfigMap")
}
