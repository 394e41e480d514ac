package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// collected is what became of the releases that nobody needs any more.
type collected struct {
	notices []Notice
	entries []release.Entry            // of the history, for the caller to write
	records map[string]*release.Record // of what is left
}

// collect removes the application's releases that nobody needs any more,
// retains the condemned ones that are kept for going back, and brings what is
// kept into the state in which it shall be. Callers hold the Lease. What it may
// not remove or stop is left, with a notice.
func (e *Engine) collect(ctx context.Context, c Cluster, namespace, application string, main release.Main) (done collected, err error) {
	c = e.keeper.Under(c, namespace, application)
	found, err := ownership.RecordsOf(ctx, c, namespace, application)
	if err != nil {
		return done, err
	}
	records, live := found.Read, found.Live
	for _, cm := range found.Unread {
		done.notices = append(done.notices, recordUnread(c, cm))
	}
	main.Progress = nil // it protects both sides of a switch; this one is over
	plan := release.Collect(main, records, c.Now())
	for _, name := range plan.Retain {
		cl := e.claimOf(c, application, live[name], records[name])
		cl.Note(func(r *release.Record) { r.Custody = release.CustodyRetained })
		err := cl.Write(ctx)
		if err != nil && !release.ReadAgain(err) && !apierrors.IsNotFound(err) {
			return done, err
		}
		if err == nil {
			entry := e.entry(ctx, c, release.OperationRetain, name, records[name].Version)
			entry.Reason = "kept for going back"
			done.entries = append(done.entries, entry)
			if d, err := e.liveWorkload(ctx, c, release.ID{Namespace: namespace, Name: name}, application); err == nil {
				label(ctx, c, d, cl.Record())
			}
		}
		live[name], records[name] = cl.Live(), cl.Record()
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
			done.notices = append(done.notices, notCollected(c, release.ID{Namespace: namespace, Name: name}, records[name], main, why))
		}
		if removed {
			delete(records, name)
		}
	}
	done.notices = append(done.notices, e.overdue()...)
	done.records = records
	return done, nil
}

// collectOne removes a release unless it carries traffic or somebody alive is
// at work on it, and says which.
func (e *Engine) collectOne(ctx context.Context, c Cluster, id release.ID, application string, live *corev1.ConfigMap, record *release.Record) (why string, removed bool, err error) {
	if working, err := e.keeper.Working(ctx, c, live, record); err != nil || working {
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
	forgotten := &ownership.Held{} // the application's own address still needs the Lease
	err = e.remove(ctx, c, id, application, live, record, forgotten, nil)
	if release.ReadAgain(err) || apierrors.IsNotFound(err) {
		return "", false, nil // claimed or worked on since we looked: not ours to collect
	}
	return "", err == nil, err
}
