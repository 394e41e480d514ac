package ownership

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// LiveRecord reads a release's record, live. It fails with IsNotFound where
// there is none, and with a *release.ForeignError where it is not ours.
func LiveRecord(ctx context.Context, c Cluster, id release.ID, application string) (*corev1.ConfigMap, *release.Record, error) {
	live := &corev1.ConfigMap{}
	if err := c.Get(ctx, id.Namespace, id.Name, live); err != nil {
		return nil, nil, err
	}
	if err := release.Foreign(c.Name(), "ConfigMap", live, application); err != nil {
		return nil, nil, err
	}
	record, err := RecordIn(live.Data)
	if err != nil {
		return nil, nil, Unreadable(c, live, err)
	}
	return live, record, nil
}

// LiveMain reads what is remembered of the application's address; nil where it
// has none. The ConfigMap may be there without one: it also has the history.
func LiveMain(ctx context.Context, c Cluster, namespace, application string) (*release.Main, *corev1.ConfigMap, error) {
	cm, err := Look(ctx, c, namespace, release.MainName(application), application, &corev1.ConfigMap{}, "ConfigMap")
	if err != nil || cm == nil {
		return nil, nil, err
	}
	main, err := MainIn(cm.Data)
	if err != nil {
		return nil, nil, Unreadable(c, cm, err)
	}
	return main, cm, nil
}

// Records are what is written down of an application's releases on one cluster.
type Records struct {
	Read   map[string]*release.Record   // by name
	Live   map[string]*corev1.ConfigMap // of those
	Unread []*corev1.ConfigMap          // cannot be read: nobody can decide on these
}

// RecordsOf reads them live.
func RecordsOf(ctx context.Context, c Cluster, namespace, application string) (Records, error) {
	found := Records{Read: map[string]*release.Record{}, Live: map[string]*corev1.ConfigMap{}}
	list := &corev1.ConfigMapList{}
	selector := release.ManagedSelector + "," + release.LabelApplication + "=" + application + "," + release.LabelRole + "=" + release.RoleRecord
	if err := c.List(ctx, namespace, selector, list); err != nil {
		return found, err
	}
	for i := range list.Items {
		cm := &list.Items[i]
		record, err := RecordIn(cm.Data)
		if err != nil {
			found.Unread = append(found.Unread, cm)
			continue
		}
		found.Read[cm.Name], found.Live[cm.Name] = record, cm
	}
	return found, nil
}

// Look reads an object before it is written or removed: the zero T where there
// is none, a *release.ForeignError where it is not ours.
func Look[T interface {
	comparable
	Object
}](ctx context.Context, c Cluster, namespace, name, application string, into T, kind string) (T, error) {
	var none T
	err := c.Get(ctx, namespace, name, into)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	return into, release.Foreign(c.Name(), kind, into, application)
}
