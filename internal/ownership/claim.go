package ownership

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Claim is this run's hold on one release on one cluster: the record with our
// token in it, kept alive by a heartbeat from Begin until it is let go of.
type Claim struct {
	// Before is the record as it was found; nil when it is new.
	Before *release.Record

	keeper      *Keeper
	cluster     Cluster
	id          release.ID
	application string
	owner       string // the record's token since Begin
	kept        bool   // it stays ours, whatever becomes of it; see Keep
	written     bool   // the record tells how it ended

	mu          sync.Mutex
	environment string // that the record's labels name; empty: as they do
	live        *corev1.ConfigMap
	record      release.Record
	abort       context.CancelCauseFunc // ends the operation; nil where nobody may
	own         certainty

	stop func() // ends the heartbeat
}

// Fresh is a claim on a release that has no record: Begin makes this one.
func (k *Keeper) Fresh(c Cluster, id release.ID, application string, record release.Record) *Claim {
	return (&Claim{keeper: k, cluster: c, id: id, application: application, record: record, stop: func() {}}).guard()
}

// Over is a claim on a record as it was seen live. It changes nothing before
// Begin, or Write.
func (k *Keeper) Over(c Cluster, application string, live *corev1.ConfigMap, record *release.Record) *Claim {
	id := release.ID{Namespace: live.Namespace, Name: live.Name}
	return (&Claim{keeper: k, cluster: c, id: id, application: application, Before: record, live: live, record: *record, stop: func() {}}).guard()
}

// Seen is what is found of a release's record before it is claimed.
type Seen struct {
	Live   *corev1.ConfigMap // nil: there is none
	Record *release.Record   // what it says; nil: there is none

	// HolderDead: whoever is at work on the release, as the record says, has shown
	// no sign of life for an Expiry.
	HolderDead bool
}

// beginner is a claim, or what has one.
type beginner interface {
	comparable
	Begin(ctx context.Context) error
}

// Take takes a release in hand. It reads the record, live, lets decide make the
// claim that it calls for, and begins that. Where somebody writes to the record
// in between, it reads it again. Where decide makes none, it waits first for
// whoever is at work on the release: until the record changes, or until they are
// taken for dead.
func Take[C beginner](ctx context.Context, k *Keeper, c Cluster, id release.ID, application string, decide func(Seen) (C, error)) (C, error) {
	var none C
	var watched *corev1.ConfigMap // whose holder was seen to be dead
	for {
		live, record, err := LiveRecord(ctx, c, id, application)
		if err != nil && !apierrors.IsNotFound(err) {
			return none, err
		}
		dead := live != nil && watched != nil && watched.ResourceVersion == live.ResourceVersion
		claim, err := decide(Seen{Live: live, Record: record, HolderDead: dead})
		if err != nil {
			return none, err
		}
		if claim == none {
			if err := k.AwaitHolder(ctx, c, live, record); err != nil {
				return none, err
			}
			watched = live
			continue
		}
		err = claim.Begin(ctx)
		switch {
		case err == nil:
			return claim, nil
		case live == nil && apierrors.IsAlreadyExists(err), live != nil && release.ReadAgain(err):
		default:
			return none, err
		}
	}
}

// Begin writes the record, which says from then on that we are at work on the
// release, and shows that we live. It fails with a conflict where the record is
// not as it was seen, or is there although there was none.
func (cl *Claim) Begin(ctx context.Context) error {
	cl.owner = cl.record.Owner
	cl.record.Run, cl.record.Holder = cl.keeper.run, cl.keeper.holder
	cl.record.Beat++
	write := cl.Write
	if cl.live == nil {
		write = cl.create
	}
	if err := write(ctx); err != nil {
		return err
	}
	cl.beat(ctx)
	return nil
}

// Overtaken is asked where a new claim's record is there although nobody had it: the
// request that makes it may have been on its way for long, as while a machine slept,
// and made again. Whoever has claimed the release so much later may have had reason to
// take us for dead, and must not lose it to us: that is a [release.TakenOverError].
func (cl *Claim) Overtaken(ctx context.Context) error {
	_, record, err := LiveRecord(ctx, cl.cluster, cl.id, cl.application)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case record.ClaimedAt.Sub(cl.record.ClaimedAt) < cl.keeper.surely():
		return nil
	}
	return cl.takenBy(record)
}

// Finish writes the outcome and lets go of the record.
func (cl *Claim) Finish(ctx context.Context, change func(*release.Record)) error {
	cl.Stop()
	err := cl.Update(ctx, func(r *release.Record) {
		change(r)
		r.Run, r.Holder, r.CancelRequested, r.Entry, r.Operation = "", "", "", "", ""
	})
	if cl.written = err == nil; cl.written {
		cl.own.held.Store(false)
	}
	return err
}

// GiveBack undoes a claim that came to nothing: a new record is removed, an
// adopted one is as it was.
func (cl *Claim) GiveBack(ctx context.Context) error {
	cl.Stop()
	cl.keeper.Unclaim(cl.cluster, cl.id)
	if cl.Before == nil {
		return cl.Forget(ctx)
	}
	err := cl.Update(ctx, func(r *release.Record) {
		made, since := r.Companions, r.ClaimedAt
		*r = *cl.Before
		r.ClaimedAt = since
		cl.RestoreOwner(r)
		r.Expect(made...)
		r.Run, r.Holder, r.Entry, r.Operation = "", "", "", ""
	})
	cl.written = err == nil
	cl.own.held.Store(err != nil)
	return err
}

// Forget deletes the record, as long as it is ours. The last heartbeat may have
// been written although Stop cut it off: then there is a newer one to delete.
func (cl *Claim) Forget(ctx context.Context) error {
	cl.Stop()
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
		live, record, err := LiveRecord(ctx, cl.cluster, cl.id, cl.application)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if cl.foreign(record) {
			return cl.lose(cl.takenBy(record))
		}
		cl.live = live
	}
}

// Keep makes what was claimed ours, whatever becomes of it.
func (cl *Claim) Keep() {
	cl.kept = true
	cl.Note(func(r *release.Record) { r.Custody = release.CustodyOwned })
}

// RestoreOwner puts back whose the release was before, unless it stays ours.
func (cl *Claim) RestoreOwner(r *release.Record) {
	switch {
	case cl.kept:
		r.Owner, r.Custody = cl.owner, release.CustodyOwned
	case cl.Before != nil:
		r.Owner, r.ClaimedAt, r.Custody = cl.Before.Owner, cl.Before.ClaimedAt, cl.Before.Custody
	}
}

// AbortBy lets whoever writes a request into the record end the operation.
func (cl *Claim) AbortBy(abort context.CancelCauseFunc) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.abort = abort
	cl.heed()
}

// heed ends the operation where that was requested. cl.mu is held.
func (cl *Claim) heed() {
	if by := cl.record.CancelRequested; by != "" && cl.abort != nil {
		cl.abort(&release.CancelledError{Cluster: cl.cluster.Name(), ID: cl.id, By: by})
	}
}

// Cluster is the claim's, for what is done for it: nothing is written there once
// the release is somebody else's.
func (cl *Claim) Cluster() Cluster { return cl.cluster }

// Unfence lets the record be written whoever has the application's Lease.
func (cl *Claim) Unfence() {
	cl.mu.Lock() // the heartbeat writes there
	defer cl.mu.Unlock()
	cl.cluster = guarded{bare(cl.cluster), cl}
}

// Written says that the record tells how the claim ended.
func (cl *Claim) Written() bool { return cl.written }

// Record is the record as it is now, for who reads it while heartbeats write it.
func (cl *Claim) Record() *release.Record {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	record := cl.record
	return &record
}

// Live is the record's ConfigMap as it was last written or read.
func (cl *Claim) Live() *corev1.ConfigMap {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.live
}

// Note changes the record in memory; it is written with the next update.
func (cl *Claim) Note(change func(*release.Record)) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	change(&cl.record)
}

// Phase notes one step of the attempt.
func (cl *Claim) Phase(name release.PhaseName) {
	cl.Note(func(r *release.Record) {
		r.Phases = append(r.Phases, release.Phase{Name: name, At: time.Now().UTC()})
	})
}

// SetEnvironment names the environment that the record's labels show.
func (cl *Claim) SetEnvironment(environment string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.environment = environment
}
