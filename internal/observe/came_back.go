package observe

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// CameBack are the clusters, by name, on which a release has the traffic because the
// last promotion of its application went back to it, or did not come to replace it,
// and is held by a state: what is deposed there is that very release. Where it cannot be
// told, nothing is.
func CameBack(ctx context.Context, clusters []ownership.Cluster, id release.ID, application string) []string {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (string, error) {
		if cameBackOn(ctx, c, id, application) {
			return c.Name(), nil
		}
		return "", nil
	})
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// cameBackOn is WentBackTo of a release that a state holds, as a plan sees it.
func cameBackOn(ctx context.Context, c ownership.Cluster, id release.ID, application string) bool {
	ours, err := c.View(id.Namespace).List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelApplication: application})
	if err != nil {
		return false
	}
	all, owned := make([]*corev1.ConfigMap, len(ours)), false
	for i, obj := range ours {
		all[i] = obj.(*corev1.ConfigMap)
		if all[i].Name == id.Name {
			record, err := ownership.RecordIn(all[i].Data)
			owned = err == nil && record.Custody == release.CustodyOwned
		}
	}
	return owned && cameBack(all, id.Name)
}

// WentBackTo says, live, that the release has the traffic because the last promotion of
// its application went back to it, or did not come to replace it.
func WentBackTo(ctx context.Context, c ownership.Cluster, id release.ID, application string) bool {
	list := &corev1.ConfigMapList{}
	if err := c.List(ctx, id.Namespace, release.ManagedSelector+","+release.LabelApplication+"="+application, list); err != nil {
		return false
	}
	all := make([]*corev1.ConfigMap, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	return cameBack(all, id.Name)
}

// cameBack is WentBackTo of an application's ConfigMaps.
func cameBack(all []*corev1.ConfigMap, name string) bool {
	var pointer, own *corev1.ConfigMap
	for _, cm := range all {
		switch {
		case cm.Name == name:
			own = cm
		case cm.Labels[release.LabelRole] == release.RolePointer:
			pointer = cm
		}
	}
	if pointer == nil || own == nil {
		return false
	}
	main, err := ownership.MainIn(pointer.Data)
	if err != nil || main == nil {
		return false
	}
	if open := main.Progress; open != nil && open.Before != nil && open.From == name {
		return true // one that was cut off can still go back to it
	}
	if main.Deployment != name {
		return false
	}
	return slices.ContainsFunc(all, func(cm *corev1.ConfigMap) bool { return attempted(cm, own, main) }) || wentBack(pointer.Data, name)
}

// attempted says that a release was made after another one, which is main, and never
// became that.
func attempted(cm, after *corev1.ConfigMap, main *release.Main) bool {
	if cm.Labels[release.LabelRole] != release.RoleRecord || cm.Name == after.Name || slices.Contains(main.Previous, cm.Name) || !cm.CreationTimestamp.After(after.CreationTimestamp.Time) {
		return false
	}
	record, err := ownership.RecordIn(cm.Data)
	return err == nil && record.Custody != release.CustodyRetained
}

// wentBack says that the last promotion in a history was to the release as a way
// back, or away from it and failed.
func wentBack(data map[string]string, name string) bool {
	history, err := ownership.HistoryIn(data)
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
