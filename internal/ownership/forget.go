package ownership

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ForgetApplication removes the application's history and Lease with the last
// ConfigMap that is left of it, which the caller deletes next, and says so. The
// Lease goes before that one: killed in between, what is left is still in a
// state, whose next destroy comes back here. Where more is left, what told
// returns goes into the history.
func (k *Keeper) ForgetApplication(ctx context.Context, c Cluster, namespace, application, last string, h *Held, told func() []release.Entry) (gone bool, err error) {
	selector := release.ManagedSelector + "," + release.LabelApplication + "=" + application
	for {
		left := &corev1.ConfigMapList{}
		if err := c.List(ctx, namespace, selector, left); err != nil {
			return false, err
		}
		history, others := sortOut(left.Items, application, last)
		if others {
			if told != nil {
				k.Remember(ctx, c, namespace, application, told()...)
			}
			return false, nil
		}
		if history != nil {
			// Only as it was seen: another release may have come, and written to it.
			err := c.Delete(ctx, history, metav1.DeletePropagationBackground)
			if release.ReadAgain(err) {
				continue
			}
			if err != nil {
				return false, err
			}
		}
		h.LastUse(Scope{Cluster: c, Namespace: namespace, Application: application})
		return true, nil
	}
}

// sortOut finds the ConfigMap that holds no more than the application's history,
// and says whether any other than it and last is left.
func sortOut(items []corev1.ConfigMap, application, last string) (history *corev1.ConfigMap, others bool) {
	for i := range items {
		cm := &items[i]
		_, hasMain := cm.Data[release.MainKey]
		switch {
		case cm.Name == last:
		case cm.Name == release.MainName(application) && !hasMain:
			history = cm
		default:
			others = true
		}
	}
	return history, others
}

// Alone says that nothing of an application is there but this release, and what goes
// with an application's last: its history and its Lease. It reads the shared watch
// cache, for telling: where it cannot be told, it is not.
func Alone(ctx context.Context, c Cluster, id release.ID, application string) bool {
	found, err := c.View(id.Namespace).List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelApplication: application})
	items := make([]corev1.ConfigMap, len(found))
	for i, obj := range found {
		items[i] = *obj.(*corev1.ConfigMap)
	}
	_, others := sortOut(items, application, id.Name)
	return err == nil && !others
}
