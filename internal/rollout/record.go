package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// claim is this run's hold on one release on one cluster: the record with our
// token in it, kept alive by a heartbeat until finish.
type claim struct {
	engine  *Engine
	cluster Cluster
	target  target
	owner   string
	before  *release.Record // what was adopted; nil when the record is new
	adopts  bool            // by content, rather than resuming what is in our state
	halted  bool            // we have scaled to zero what was there before
	// unplanned: the target is what lives, so that single fields of it may be
	// applied, and never the whole.
	unplanned bool
	restart   *restart // nil: its pods are not to be replaced
	roll      *roll    // nil: its content does not change in place
	notices   []Notice
	fresh     bool               // admit saw that nothing of the release was there
	starts    int32              // pods of an autoscaled workload that has none yet
	does      release.Operation  // for the history, where the claim does not tell
	applied   *appsv1.Deployment // the workload as the API server answered; nil before that
	told      string             // the ID of the attempt's line in the history
	failure   error              // why it failed on this very cluster
	stays     string             // why its pods were left although it failed
	written   bool               // the record tells how it ended
	left      string             // of its pods, where a failed create has left its objects
	alone     bool               // and nothing else of the application is there
	restarts  *int32             // of its containers, when it was found healthy
	kept      bool               // it stays in our state, whatever becomes of it; see keep
	clock     measurement        // how long it takes
	story     story              // what Events tell of it
	lined     time.Time          // when the log was last told

	mu     sync.Mutex
	live   *corev1.ConfigMap
	record release.Record
	abort  context.CancelCauseFunc // ends the operation; nil where nobody may
	own    ownership

	stop func() // ends the heartbeat
}

// liveRecord reads a release's record, live. It fails with IsNotFound where
// there is none, and with a *release.ForeignError where it is not ours.
func (e *Engine) liveRecord(ctx context.Context, c Cluster, id release.ID, application string) (*corev1.ConfigMap, *release.Record, error) {
	live := &corev1.ConfigMap{}
	if err := c.Get(ctx, id.Namespace, id.Name, live); err != nil {
		return nil, nil, err
	}
	if err := release.Foreign(c.Name(), "ConfigMap", live, application); err != nil {
		return nil, nil, err
	}
	record, err := recordIn(live.Data)
	if err != nil {
		return nil, nil, unreadable(c, live, err)
	}
	return live, record, nil
}

// create makes the record's ConfigMap: the atomic claim.
func (cl *claim) create(ctx context.Context) error {
	cl.live = &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: cl.target.id.Namespace, Name: cl.target.id.Name},
	}
	if err := cl.fill(cl.live); err != nil {
		return err
	}
	sent := time.Now()
	if err := cl.beneath().Create(ctx, cl.live); err != nil {
		return err
	}
	cl.own.seen = sent
	cl.beat(ctx)
	return nil
}

// fill writes the record, and the labels that show it to kubectl, into its
// ConfigMap.
func (cl *claim) fill(cm *corev1.ConfigMap) error {
	data, err := cl.record.Marshal()
	if err != nil {
		return err
	}
	cm.Data = data
	if cm.Labels == nil {
		cm.Labels = applicationLabels(cl.target.application(), release.RoleRecord)
		cm.Labels[release.LabelInstance] = cm.Name
		cm.Labels[release.LabelDeployment] = cm.Name
	}
	if cm.Annotations == nil {
		cm.Annotations = map[string]string{}
	}
	cm.Labels[release.LabelVersion] = release.LabelValue(cl.record.Version)
	cm.Annotations[release.AnnotationVersion] = cl.record.Version
	cm.Annotations[release.AnnotationContentHash] = cl.record.Hash
	if environment := cl.target.spec.Environment; environment != "" {
		cm.Labels[release.LabelEnvironment] = release.LabelValue(environment)
	}
	cm.Labels[release.LabelCustody] = string(cl.record.Custody)
	cm.Labels[release.LabelStatus] = string(cl.record.Status)
	return nil
}

// write replaces the record if it is still as we last saw it.
func (cl *claim) write(ctx context.Context) error {
	for {
		next := cl.live.DeepCopy()
		if err := cl.fill(next); err != nil {
			return err
		}
		sent := time.Now()
		cl.own.tried = append(cl.own.tried, next.Data) // it may be written although its reply is lost
		err := cl.beneath().Update(ctx, next)
		if err == nil {
			cl.live, cl.own.seen, cl.own.tried = next, sent, nil
			return nil
		}
		if cl.live, err = unchanged(ctx, cl.cluster, cl.live, err); err != nil {
			return err
		}
	}
}

// unchanged reads a ConfigMap again whose update met a conflict. Where its data
// is what we saw, somebody only labelled it, say, and the update may be tried
// again on what is returned; in every other case seen and the error are.
func unchanged(ctx context.Context, c Cluster, seen *corev1.ConfigMap, conflict error) (*corev1.ConfigMap, error) {
	if !release.ReadAgain(conflict) {
		return seen, conflict
	}
	live := &corev1.ConfigMap{}
	if err := c.Get(ctx, seen.Namespace, seen.Name, live); err != nil {
		return seen, errors.Join(conflict, err)
	}
	if live.UID != seen.UID || !maps.Equal(live.Data, seen.Data) {
		return seen, conflict
	}
	return live, nil
}

// update changes the record while the claim is held. Another writer's conflict
// is read again; who finds another owner's token, or another run at work, has
// lost the claim, and everything that is done for it ends.
func (cl *claim) update(ctx context.Context, change func(*release.Record)) error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.own.lost != nil {
		return cl.own.lost
	}
	before := cl.record
	kept := false
	defer func() {
		if !kept {
			cl.record = before // what could not be written is not so
		}
	}()
	for {
		change(&cl.record)
		err := cl.write(ctx)
		if apierrors.IsNotFound(err) {
			return cl.lose(&release.TakenOverError{Cluster: cl.cluster.Name(), ID: cl.target.id, Gone: true})
		}
		if !release.ReadAgain(err) {
			kept = err == nil
			return err
		}
		live, record, err := cl.engine.liveRecord(ctx, cl.cluster, cl.target.id, cl.target.application())
		if apierrors.IsNotFound(err) {
			return cl.lose(&release.TakenOverError{Cluster: cl.cluster.Name(), ID: cl.target.id, Gone: true})
		}
		if err != nil {
			return err
		}
		ours := slices.ContainsFunc(cl.own.tried, func(data map[string]string) bool { return maps.Equal(data, live.Data) })
		if !ours && (record.Owner != cl.owner || record.Run != cl.engine.run) {
			return cl.lose(&release.TakenOverError{Cluster: cl.cluster.Name(), ID: cl.target.id, Holder: record.Holder, Claimed: record.Owner != cl.owner})
		}
		cl.live = live
		cl.record.CancelRequested = record.CancelRequested
		cl.heed()
	}
}

// copied is the record as it is now, for who reads it while heartbeats write it.
func (cl *claim) copied() *release.Record {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	record := cl.record
	return &record
}

// beat shows that we live, until stop.
func (cl *claim) beat(ctx context.Context) {
	cl.own.held.Store(true)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		for wait.For(ctx, cl.engine.timing.Beat) == nil {
			if Lost(ctx, cl.confirm(ctx)) != nil {
				return
			}
		}
	})
	cl.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
}

// finish writes the outcome and lets go of the record.
func (cl *claim) finish(ctx context.Context, change func(*release.Record)) error {
	cl.stop()
	err := cl.update(ctx, func(r *release.Record) {
		change(r)
		r.Run, r.Holder, r.CancelRequested, r.Entry, r.Operation = "", "", "", "", ""
	})
	if cl.written = err == nil; cl.written {
		cl.own.held.Store(false)
		mark(ctx, cl.cluster, cl.applied, &cl.record)
	}
	cl.story.end(ctx)
	return err
}

// giveBack undoes a claim that came to nothing: a new record is removed, an
// adopted one is as it was.
func (cl *claim) giveBack(ctx context.Context) error {
	cl.stop()
	cl.engine.unclaim(key(cl.cluster, cl.target.id.Namespace, cl.target.id.Name))
	if cl.before == nil {
		return cl.forget(ctx)
	}
	err := cl.update(ctx, func(r *release.Record) {
		made, since := r.Companions, r.ClaimedAt
		*r = *cl.before
		r.ClaimedAt = since
		cl.whose(r)
		r.Expect(made...)
		r.Run, r.Holder, r.Entry, r.Operation = "", "", "", ""
	})
	cl.written = err == nil
	cl.own.held.Store(err != nil)
	return err
}

// forget deletes the record, as long as it is ours. The last heartbeat may have
// been written although stop cut it off: then there is a newer one to delete.
func (cl *claim) forget(ctx context.Context) error {
	cl.stop()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.own.lost != nil {
		return cl.own.lost
	}
	for {
		// The application's Lease may have gone before, with the last of it.
		err := bare(cl.cluster).Delete(ctx, cl.live, metav1.DeletePropagationBackground)
		if !release.ReadAgain(err) {
			cl.own.held.Store(err != nil)
			return err
		}
		live, record, err := cl.engine.liveRecord(ctx, cl.cluster, cl.target.id, cl.target.application())
		if err != nil {
			return ignoreNotFound(err)
		}
		if record.Owner != cl.owner || record.Run != cl.engine.run {
			return cl.lose(&release.TakenOverError{Cluster: cl.cluster.Name(), ID: cl.target.id, Holder: record.Holder, Claimed: record.Owner != cl.owner})
		}
		cl.live = live
	}
}

// note changes the record in memory; it is written with the next update.
func (cl *claim) note(change func(*release.Record)) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	change(&cl.record)
}

// phase notes one step of the attempt, and tells the log.
func (cl *claim) phase(ctx context.Context, name release.PhaseName) {
	cl.note(func(r *release.Record) {
		r.Phases = append(r.Phases, release.Phase{Name: name, At: time.Now().UTC()})
	})
	cl.line(ctx, string(name), cl.clock.fields())
}
