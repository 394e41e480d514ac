package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TerminateRequest ends a release on some clusters.
type TerminateRequest struct {
	ID          release.ID
	Application string
	Owner       string // the state's token
	Clusters    []Cluster
}

// Terminate does what the deletion of a release's Terraform resource may do:
// remove it with all its objects, keep it for going back, or leave it alone
// because traffic goes there or because somebody else has claimed it. It
// returns when what is removed is gone.
func (e *Engine) Terminate(ctx context.Context, req TerminateRequest) ([]Notice, error) {
	notices, ended := e.TerminateOn(ctx, req)
	return notices, errorsOf(ended)
}

// TerminateOn is Terminate, and tells how it ended on each cluster, by name. No
// cluster waits for another, nor fails with it.
func (e *Engine) TerminateOn(ctx context.Context, req TerminateRequest) ([]Notice, []Outcome) {
	clusters := fleet.ByName(req.Clusters)
	notices := make([]*Notice, len(clusters))
	outcomes, _ := fleet.Each(len(clusters), func(i int) (Outcome, error) {
		c := clusters[i]
		err := e.keeper.Locked(ctx, []Cluster{c}, req.ID.Namespace, req.Application, func(ctx context.Context, h *ownership.Held) (err error) {
			notices[i], err = e.terminateOn(ctx, c, req, h)
			return err
		})
		o := Outcome{Cluster: c.Name(), Status: release.StatusTerminated, Err: err}
		if err != nil {
			o.Status, o.Reason = release.StatusTerminateError, reasonOf(err)
		}
		return o, nil
	})
	var told []Notice
	for _, n := range notices {
		if n != nil {
			told = append(told, *n)
		}
	}
	return append(told, e.overdue()...), outcomes
}

// errorsOf joins what has failed on single clusters.
func errorsOf(outcomes []Outcome) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, o.Err)
	}
	return errors.Join(errs...)
}

// errChanged says that what was decided on has changed meanwhile.
var errChanged = errors.New("it has changed since it was looked at")

// terminateOn decides and acts on one cluster, under its Lease. A write that
// finds the record changed decides again.
func (e *Engine) terminateOn(ctx context.Context, c Cluster, req TerminateRequest, h *ownership.Held) (*Notice, error) {
	c = e.keeper.Under(c, req.ID.Namespace, req.Application)
	for {
		l, err := e.lookAtLeaver(ctx, c, req)
		if err != nil {
			return nil, err
		}
		notice, err := e.dispose(ctx, l, h)
		if !errors.Is(err, errChanged) {
			return notice, err
		}
	}
}

// leaver is a release whose resource goes, on one cluster.
type leaver struct {
	cluster  Cluster
	req      TerminateRequest
	live     *corev1.ConfigMap  // its record; nil: somebody has deleted it
	record   *release.Record    // as far as it is known
	workload *appsv1.Deployment // nil: none
	main     *release.Main      // of its application; nil: none
	worked   bool               // somebody goes on with what a backup has
	carries  reach              // why it may not be removed
}

func (e *Engine) lookAtLeaver(ctx context.Context, c Cluster, req TerminateRequest) (*leaver, error) {
	l := &leaver{cluster: c, req: req}
	var err error
	if l.live, l.record, err = ownership.LiveRecord(ctx, c, req.ID, req.Application); err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if l.workload, err = e.liveWorkload(ctx, c, req.ID, req.Application); err != nil {
		return nil, err
	}
	if l.record == nil && l.workload != nil {
		l.record = &release.Record{Owner: req.Owner, Custody: release.CustodyOwned} // the labels say that the rest is ours
	}
	if l.record.OutOfDate(req.Owner) {
		if l.worked, err = e.keeper.Working(ctx, c, l.live, l.record); err != nil || l.worked {
			return l, err
		}
	}
	if l.workload != nil {
		l.carries = e.mayRemove(ctx, c, req.Application, l.workload)
	}
	l.main, _, err = ownership.LiveMain(ctx, c, req.ID.Namespace, req.Application)
	return l, err
}

// dispose does what package release decides.
func (e *Engine) dispose(ctx context.Context, l *leaver, h *ownership.Held) (*Notice, error) {
	c, req := l.cluster, l.req
	if l.worked {
		n := staleDelete(c, req.ID.String())
		return &n, nil
	}
	var kept []string
	if l.main != nil {
		kept = l.main.Kept(c.Now())
	}
	switch release.Dispose(l.record, req.Owner, l.carries.objects != "", kept, req.ID.Name) {
	case release.DisposeGone:
		_, err := e.keeper.ForgetApplication(ctx, c, req.ID.Namespace, req.Application, "", h, nil)
		return nil, err
	case release.DisposeStale:
		if e.keeper.HasClaimed(c, req.ID) {
			return nil, nil // by this very run, for the resource that it is in now
		}
		n := staleDelete(c, req.ID.String())
		return &n, nil
	case release.DisposeRemove:
		return nil, e.removeLeaver(ctx, l, h)
	case release.DisposeCondemn:
		return e.keepLeaver(ctx, l, release.CustodyCondemned)
	case release.DisposeRetain:
		if l.main.Keep().State == release.DesiredStopped && l.record.Status != release.StatusStopped && l.workload != nil {
			return nil, changed(e.retainStopped(ctx, c, req.Application, l.live, l.record), carriesNow)
		}
		return e.keepLeaver(ctx, l, release.CustodyRetained)
	}
	return nil, nil
}

// changed is errChanged for an error that says so.
func changed(err error, or func(error) bool) error {
	if release.ReadAgain(err) || or(err) {
		return errChanged
	}
	return err
}

// removeLeaver removes a release that nobody needs.
func (e *Engine) removeLeaver(ctx context.Context, l *leaver, h *ownership.Held) error {
	c, req := l.cluster, l.req
	entry, began := e.entry(ctx, c, release.OperationTerminate, req.ID.Name, l.record.Version), time.Now()
	err := changed(e.remove(ctx, c, req.ID, req.Application, l.live, l.record, h, &entry), apierrors.IsNotFound)
	if err != nil && !errors.Is(err, errChanged) && ownership.Lost(ctx, err) == nil {
		e.failedTo(ctx, c, req.ID.Namespace, req.Application, ended(ctx, entry, began, err))
	}
	return err
}

// keepLeaver writes down that a release stays, in nobody's state. Where it has no record,
// the labels will do.
func (e *Engine) keepLeaver(ctx context.Context, l *leaver, custody release.Custody) (*Notice, error) {
	c, req := l.cluster, l.req
	told := condemned(c, req.ID, l.record, l.main, l.carries)
	if l.live == nil {
		return &told, nil
	}
	err := e.rewrite(ctx, c, req.Application, l.live, l.record, func(r *release.Record) { r.Custody = custody })
	if err != nil {
		return nil, changed(err, func(error) bool { return false })
	}
	label(ctx, c, l.workload, &release.Record{Custody: custody, Status: l.record.Status})
	e.letGoOf(ctx, c, req, l.workload, l.record, custody, l.carries.objects)
	if custody == release.CustodyRetained {
		return nil, nil
	}
	return &told, nil
}

// letGoOf tells that a release is in nobody's state any more, but stays.
func (e *Engine) letGoOf(ctx context.Context, c Cluster, req TerminateRequest, d *appsv1.Deployment, record *release.Record, custody release.Custody, why string) {
	if record.Custody == custody {
		return // a destroy that was killed, or refused, came again
	}
	entry := e.entry(ctx, c, release.OperationRetain, req.ID.Name, record.Version)
	entry.Reason = "no longer in a Terraform state, kept for going back"
	if custody == release.CustodyCondemned {
		entry.Operation, entry.Reason = release.OperationCondemn, mask.Redact("no longer in a Terraform state, but "+why)
	}
	if d != nil {
		e.report(ctx, c, d, entry)
	}
	e.keeper.Remember(ctx, c, req.ID.Namespace, req.Application, entry)
}

// failedTo tells of a removal that did not succeed.
func (e *Engine) failedTo(ctx context.Context, c Cluster, namespace, application string, entry release.Entry) {
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	e.keeper.RememberIfAny(clean, c, namespace, application, entry)
	e.report(clean, c, workloadNamed(release.ID{Namespace: namespace, Name: entry.Deployment}), entry)
}

// rewrite changes a record that nobody works on, if it is still as we saw it.
func (e *Engine) rewrite(ctx context.Context, c Cluster, application string, live *corev1.ConfigMap, record *release.Record, change func(*release.Record)) error {
	cl := e.claimOf(c, application, live, record)
	cl.Note(change)
	return cl.Write(ctx)
}

// remove deletes every object of a release, its record last, and waits until
// they are gone. Callers hold the Lease and have decided on the record that they
// pass, nil where there is none: one that was claimed since is a conflict. A
// workload that has changed since is looked at again. entry goes into the history
// that the application's other releases keep; nil is nothing.
func (e *Engine) remove(ctx context.Context, c Cluster, id release.ID, application string, live *corev1.ConfigMap, record *release.Record, h *ownership.Held, entry *release.Entry) error {
	began := time.Now()
	told := func() []release.Entry {
		if entry == nil {
			return nil
		}
		return []release.Entry{ended(ctx, *entry, began, nil)}
	}
	if live != nil {
		if entry != nil && record.Custody == release.CustodyTerminating && record.Entry != "" {
			entry.ID = record.Entry // of a removal that was killed
		}
		cl := e.claimOf(c, application, live, record)
		cl.Note(func(r *release.Record) {
			r.Custody, r.Status = release.CustodyTerminating, release.StatusTerminating
			if entry != nil {
				r.Entry = entry.ID
			}
		})
		if err := cl.Begin(ctx); err != nil {
			return err
		}
		cl.Strictly()
		whole := ctx
		ctx, done := cl.Bound(ctx)
		defer done()
		if err := e.removeObjects(ctx, cl.cluster, id, application, cl.Record()); err != nil {
			err = cl.OrLost(err)
			return errors.Join(err, e.letRecordGo(whole, cl, err))
		}
		if _, err := e.keeper.ForgetApplication(ctx, cl.cluster, id.Namespace, application, id.Name, h, told); err != nil {
			err = cl.OrLost(err)
			return errors.Join(err, e.letRecordGo(whole, cl, err))
		}
		reason := release.EventCollected
		if entry != nil {
			reason = release.EventTerminated
		}
		c.Emit(ctx, workloadNamed(id), reason, e.inRun(id.Name+" is gone, with all its objects"), false)
		e.line(ctx, fmt.Sprintf("%s on cluster %q: removed", id, c.Name()), map[string]any{
			fieldApplication: application, fieldNamespace: id.Namespace, fieldDeployment: id.Name, fieldVersion: record.Version, fieldCluster: c.Name(),
			fieldPhase: "removed", fieldTotal: time.Since(began).Milliseconds(),
		})
		return cl.Forget(ctx)
	}
	c = e.keeper.StrictlyUnder(c, id.Namespace, application) // there is no record that would tell whose it is
	if err := e.removeObjects(ctx, c, id, application, &release.Record{Companions: release.Companions()}); err != nil {
		return err
	}
	_, err := e.keeper.ForgetApplication(ctx, c, id.Namespace, application, "", h, told)
	return err
}

// letRecordGo ends the heartbeat of a removal that did not finish: it stays
// terminating, and whoever comes next need not wait for us.
func (e *Engine) letRecordGo(ctx context.Context, cl *claim, cause error) error {
	if ownership.Lost(ctx, cause) != nil {
		cl.Stop()
		return nil // it is up to whoever has it now
	}
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	return cl.finish(clean, func(r *release.Record) {
		if !ownership.Interrupted(ctx) {
			r.Status, r.Reason = release.StatusTerminateError, reasonOf(cause)
		}
	})
}

// removeObjects deletes a release's workload, Service and companions, after the
// drain where it was main before.
func (e *Engine) removeObjects(ctx context.Context, c Cluster, id release.ID, application string, record *release.Record) error {
	main, _, err := ownership.LiveMain(ctx, c, id.Namespace, application)
	if err != nil {
		return err
	}
	if err := e.awaitDrained(ctx, c, id, main); err != nil {
		return err
	}
	d, err := e.deleteWorkload(ctx, c, id, application)
	if err != nil {
		return err
	}
	first, last := leading(record.Companions)
	before, err := e.deleteCompanions(ctx, c, id, application, record, first)
	if err != nil {
		return err
	}
	svc, err := e.deleteService(ctx, c, id, application)
	if err != nil {
		return err
	}
	after, err := e.deleteCompanions(ctx, c, id, application, record, last)
	if err != nil {
		return err
	}
	if d != nil {
		if err := awaitGone(ctx, c, d, "Deployment"); err != nil {
			return err
		}
	}
	if svc != nil {
		if err := awaitGone(ctx, c, svc, "Service"); err != nil {
			return err
		}
	}
	return awaitCompanionsGone(ctx, c, slices.Concat(before, after))
}

// deleteWorkload asks for the workload's deletion, pods first, if it is as it
// was when we made sure that no traffic goes there.
func (e *Engine) deleteWorkload(ctx context.Context, c Cluster, id release.ID, application string) (*appsv1.Deployment, error) {
	for {
		d, err := e.liveWorkload(ctx, c, id, application)
		if err != nil || d == nil || d.DeletionTimestamp != nil {
			return d, err
		}
		if why := e.mayRemove(ctx, c, application, d).objects; why != "" {
			return nil, fmt.Errorf("%s on cluster %q was about to be removed, but %s", id, c.Name(), why)
		}
		// Since the record says terminating, nobody makes it main any more.
		if err := e.keeper.Holds(ctx, c, id.Namespace, application); err != nil {
			return nil, err
		}
		c.Emit(ctx, d, release.EventTerminating, e.inRun(id.Name+" is being removed"), false)
		err = c.Delete(ctx, d, metav1.DeletePropagationForeground)
		if !release.ReadAgain(err) {
			return d, err
		}
	}
}

func (e *Engine) deleteService(ctx context.Context, c Cluster, id release.ID, application string) (*corev1.Service, error) {
	for {
		svc, err := e.liveService(ctx, c, id, application)
		if err != nil || svc == nil || svc.DeletionTimestamp != nil {
			return svc, err
		}
		err = c.Delete(ctx, svc, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			return svc, err
		}
	}
}
