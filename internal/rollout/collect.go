package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// collected is what became of the releases that nobody needs any more.
type collected struct {
	notices []Notice
	entries []release.Entry // of the history, for the caller to write
}

// collect removes the application's releases that nobody needs any more,
// retains the condemned ones that are kept for going back, and brings what is
// kept into the state in which it shall be. Callers hold the Lease. What it may
// not remove or stop is left, with a notice.
func (e *Engine) collect(ctx context.Context, c Cluster, namespace, application string, main release.Main) (done collected, err error) {
	c = e.under(c, namespace, application)
	found, err := e.records(ctx, c, namespace, application)
	if err != nil {
		return done, err
	}
	records, live := found.read, found.live
	for _, cm := range found.unread {
		done.notices = append(done.notices, recordUnread(c, cm))
	}
	main.Progress = nil // it protects both sides of a switch; this one is over
	plan := release.Collect(main, records, c.Now())
	for _, name := range plan.Retain {
		cl := e.claimOf(c, application, live[name], records[name])
		cl.record.Custody = release.CustodyRetained
		err := cl.write(ctx)
		if err != nil && !release.ReadAgain(err) && !apierrors.IsNotFound(err) {
			return done, err
		}
		if err == nil {
			entry := e.entry(ctx, c, release.OperationRetain, name, records[name].Version)
			entry.Reason = "kept for going back"
			done.entries = append(done.entries, entry)
			if d, err := e.liveWorkload(ctx, c, release.ID{Namespace: namespace, Name: name}, application); err == nil {
				mark(ctx, c, d, &cl.record)
			}
		}
		live[name], records[name] = cl.live, &cl.record
	}
	kept, err := e.keepAsAsked(ctx, c, application, plan, records, live)
	done.notices = append(done.notices, kept...)
	if err != nil {
		return done, err
	}
	for _, name := range plan.Remove {
		began := time.Now()
		why, removed, err := e.collectOne(ctx, c, release.ID{Namespace: namespace, Name: name}, application, live[name], records[name])
		if removed || err != nil {
			entry := ended(ctx, e.entry(ctx, c, release.OperationCollect, name, records[name].Version), began, err)
			if err == nil {
				entry.Reason = "it was " + string(records[name].Custody)
			}
			done.entries = append(done.entries, entry)
		}
		if err != nil {
			return done, err
		}
		if why != "" {
			done.notices = append(done.notices, notCollected(c, release.ID{Namespace: namespace, Name: name}, main, why))
		}
	}
	done.notices = append(done.notices, e.overdue()...)
	return done, nil
}

// collectOne removes a release unless it carries traffic or somebody alive is
// at work on it, and says which.
func (e *Engine) collectOne(ctx context.Context, c Cluster, id release.ID, application string, live *corev1.ConfigMap, record *release.Record) (why string, removed bool, err error) {
	if working, err := e.working(ctx, c, live, record); err != nil || working {
		return "", false, err
	}
	d, err := e.liveWorkload(ctx, c, id, application)
	if err != nil {
		return "", false, err
	}
	if d != nil {
		if why := e.mayRemove(ctx, c, application, d).objects; why != "" {
			return why, false, nil
		}
	}
	forgotten := &held{} // the application's own address still needs the Lease
	err = e.remove(ctx, c, id, application, live, record, forgotten, nil)
	if release.ReadAgain(err) || apierrors.IsNotFound(err) {
		return "", false, nil // claimed or worked on since we looked: not ours to collect
	}
	return "", err == nil, err
}

// working says that somebody alive is at work on a release: this run, too, may
// be creating it right now.
func (e *Engine) working(ctx context.Context, c Cluster, live *corev1.ConfigMap, record *release.Record) (bool, error) {
	if !record.Busy() || record.Run == e.run {
		return record.Busy(), nil
	}
	return e.alive(ctx, c, live)
}

// alive watches a record's heartbeat for up to Expiry on our own clock.
func (e *Engine) alive(ctx context.Context, c Cluster, seen *corev1.ConfigMap) (bool, error) {
	began := time.Now()
	if err := e.watchHolder(ctx, c, seen); err != nil {
		return false, err
	}
	return time.Since(began) < e.timing.Expiry, nil
}

// records are what is written down of an application's releases on one cluster.
type records struct {
	read   map[string]*release.Record   // by name
	live   map[string]*corev1.ConfigMap // of those
	unread []*corev1.ConfigMap          // cannot be read: nobody can decide on these
}

// records reads them live.
func (e *Engine) records(ctx context.Context, c Cluster, namespace, application string) (records, error) {
	found := records{read: map[string]*release.Record{}, live: map[string]*corev1.ConfigMap{}}
	list := &corev1.ConfigMapList{}
	selector := release.ManagedSelector + "," + release.LabelApplication + "=" + application + "," + release.LabelRole + "=" + release.RoleRecord
	if err := c.List(ctx, namespace, selector, list); err != nil {
		return found, err
	}
	for i := range list.Items {
		cm := &list.Items[i]
		record, err := recordIn(cm.Data)
		if err != nil {
			found.unread = append(found.unread, cm)
			continue
		}
		found.read[cm.Name], found.live[cm.Name] = record, cm
	}
	return found, nil
}
