package rollout

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// GoesOn are the clusters, by name, on which a release has the traffic because the
// last promotion of its application went back to it, and is held by a state: what is
// deposed there is that very release. It reads the shared watch caches, for telling:
// where it cannot be told, nothing is.
func (e *Engine) GoesOn(ctx context.Context, clusters []Cluster, id release.ID, application string) []string {
	all, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (string, error) {
		if owned(ctx, c, id) && cameBackOn(ctx, c, id, application) {
			return c.Name(), nil
		}
		return "", nil
	})
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// owned says that a state holds the release.
func owned(ctx context.Context, c Cluster, id release.ID) bool {
	cm, err := cached(ctx, c.View(id.Namespace), &corev1.ConfigMap{}, id.Name)
	if err != nil || cm == nil {
		return false
	}
	record, err := recordIn(cm.Data)
	return err == nil && record.Custody == release.CustodyOwned
}

func cameBackOn(ctx context.Context, c Cluster, id release.ID, application string) bool {
	cm, err := cached(ctx, c.View(id.Namespace), &corev1.ConfigMap{}, release.MainName(application))
	return err == nil && cm != nil && cameBack(cm.Data, id.Name)
}

// wentBackTo says that the release has the traffic because the last promotion of
// its application went back to it.
func (e *Engine) wentBackTo(ctx context.Context, c Cluster, t target) bool {
	_, live, err := e.liveMain(ctx, c, t.id.Namespace, t.application())
	return err == nil && live != nil && cameBack(live.Data, t.id.Name)
}

// cameBack is wentBackTo of an application's ConfigMap.
func cameBack(data map[string]string, name string) bool {
	main, err := mainIn(data)
	if err != nil || main == nil || main.Deployment != name {
		return false
	}
	history, err := historyOf(data)
	if err != nil {
		return false
	}
	for _, entry := range slices.Backward(history.Entries) {
		if entry.Operation == release.OperationPromote || entry.Operation == release.OperationRollback {
			failed := entry.Outcome != release.OutcomeSucceeded
			return failed && entry.From == name || !failed && entry.Operation == release.OperationRollback && entry.To == name
		}
	}
	return false
}
