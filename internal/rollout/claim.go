package rollout

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// target is a Spec with what follows from it, computed once.
type target struct {
	spec release.Spec
	hash string
	id   release.ID

	remains bool              // there is something of the release, but no record that says what
	avoided map[string]string // Services because of which its pods go without LabelName
	decided bool              // its spec says whether its pods carry LabelName; else what is there does
}

func newTarget(spec release.Spec) target {
	hash := spec.Content.Hash()
	return target{spec: spec, hash: hash, id: release.ID{Namespace: spec.Namespace, Name: spec.NameFor(hash)}}
}

func (t target) application() string { return t.spec.Content.Application }

// claim takes ownership of the release's record: makes it, or adopts what is
// there as package release decides. It waits while somebody alive is at work.
func (e *Engine) claim(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	fresh := (&claim{engine: e, cluster: c, target: t, owner: owner, adopts: true, record: e.newRecord(ctx, c, t, owner)}).guard()
	err := fresh.create(ctx)
	if err == nil {
		e.claimOnce(key(c, t.id.Namespace, t.id.Name))
		fresh.began(ctx)
		return fresh, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	return e.adopt(ctx, c, t, owner)
}

// newRecord is the record of a release that is being created.
func (e *Engine) newRecord(ctx context.Context, c Cluster, t target, owner string) release.Record {
	companions := t.spec.Companions()
	if t.remains {
		companions = release.Companions()
	}
	return release.Record{
		Companions: companions,
		Health:     t.spec.Health,

		IgnoreServices: t.spec.IgnoreServices, AllowSelectedBy: t.spec.AllowSelectedBy, Nameless: t.spec.Nameless,

		Schema: release.RecordSchema, Hash: t.hash, Version: t.spec.Content.Version,
		Owner: owner, ClaimedAt: c.Now().UTC(), Custody: release.CustodyClaimed, Status: release.StatusStarting,
		Run: e.run, Holder: e.holder, Beat: 1, Entry: NewToken(),
		CreatedBy: mask.Redact(c.User(ctx)),
		Phases:    []release.Phase{{Name: release.PhaseClaimed, At: time.Now().UTC()}},
	}
}

// adopt takes an existing record over.
func (e *Engine) adopt(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	var watched *corev1.ConfigMap // whose holder was seen to be dead
	for {
		live, record, err := e.liveRecord(ctx, c, t.id, t.application())
		if apierrors.IsNotFound(err) {
			return e.claim(ctx, c, t, owner) // it went away meanwhile
		}
		if err != nil {
			return nil, err
		}
		found := release.Found{
			Record:      record,
			InPlace:     t.inPlace(),
			ClaimedHere: e.hasClaimed(key(c, t.id.Namespace, t.id.Name)),
			HolderDead:  watched != nil && watched.ResourceVersion == live.ResourceVersion,
		}
		if record.Custody == release.CustodyOwned && (record.Hash == t.hash || t.inPlace()) {
			if found.Carries, found.Healthy, err = e.condition(ctx, c, t); err != nil {
				return nil, err
			}
		}
		step := release.Claim(found, t.hash)
		if step == release.ClaimWait {
			if err := e.watchHolder(ctx, c, live); err != nil {
				return nil, &HolderError{ClaimError: release.ClaimError{Step: step, Cluster: c.Name(), ID: t.id, Holder: record.Holder}, Err: err}
			}
			watched = live
			continue
		}
		if step != release.ClaimAdopt && step != release.ClaimAdoptAndTell {
			return nil, &release.ClaimError{Step: step, Cluster: c.Name(), ID: t.id}
		}
		taken, err := e.takeOver(ctx, c, t, owner, live, record)
		if release.ReadAgain(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if step == release.ClaimAdoptAndTell {
			taken.notices = append(taken.notices, adoptedOwned(c, t.id, e.wentBackTo(ctx, c, t)))
		}
		return taken, nil
	}
}

// HolderError says that waiting for somebody else's work on a release ended.
type HolderError struct {
	release.ClaimError
	Err error
}

func (e *HolderError) Error() string { return fmt.Sprintf("%s: %v", e.ClaimError.Error(), e.Err) }

func (e *HolderError) Unwrap() error { return e.Err }

func (e *Engine) hasClaimed(k string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.claimed[k]
}

// takeOver writes our token into somebody's record, if it is still as we saw it.
func (e *Engine) takeOver(ctx context.Context, c Cluster, t target, owner string, live *corev1.ConfigMap, record *release.Record) (*claim, error) {
	before := *record
	if !t.decided {
		t.spec.Nameless = before.Nameless
	}
	next := e.newRecord(ctx, c, t, owner)
	next.CreatedBy, next.Baseline, next.Durations, next.Waited = before.CreatedBy, before.Baseline, before.Durations, before.Waited
	next.Companions = before.Companions
	next.Expect(t.spec.Companions()...)
	if t.inPlace() {
		next.Hash, next.Version = before.Hash, before.Version // until ours is good
	}
	if before.Status.Up() || before.Status == t.spec.DesiredState.Goal() {
		next.Status = before.Status // it is: what follows only makes sure
	}
	next.Entry = entryOf(&before)
	cl := (&claim{engine: e, cluster: c, target: t, owner: owner, before: &before, adopts: true, live: live, record: next}).guard()
	if err := cl.write(ctx); err != nil {
		return nil, err
	}
	if !e.claimOnce(key(c, t.id.Namespace, t.id.Name)) {
		return nil, &release.ClaimError{Step: release.ClaimRefuseTwin, Cluster: c.Name(), ID: t.id}
	}
	cl.beat(ctx)
	cl.began(ctx)
	return cl, nil
}

// resume holds the record of a release that is in our state, for an update. One
// that is from a backup is taken back, once nobody alive is at work on it.
func (e *Engine) resume(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	var watched *corev1.ConfigMap // whose holder was seen to be dead
	for {
		live, record, err := e.liveRecord(ctx, c, t.id, t.application())
		if apierrors.IsNotFound(err) {
			t.remains = true
			if t.spec.Nameless, err = e.goesNameless(ctx, c, t); err != nil {
				return nil, err
			}
			cl := (&claim{engine: e, cluster: c, target: t, owner: owner, record: e.newRecord(ctx, c, t, owner)}).guard()
			cl.record.Custody = release.CustodyOwned
			switch err := cl.create(ctx); {
			case err == nil:
				cl.began(ctx)
				return cl, nil
			case !apierrors.IsAlreadyExists(err):
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		outOfDate := record.OutOfDate(owner)
		if owner != "" && record.Owner != owner && !outOfDate {
			return nil, staleDeployment(c, t.id, record.Holder)
		}
		if outOfDate && record.Busy() && (watched == nil || watched.ResourceVersion != live.ResourceVersion) {
			if err := e.watchHolder(ctx, c, live); err != nil {
				return nil, &HolderError{ClaimError: release.ClaimError{Step: release.ClaimWait, Cluster: c.Name(), ID: t.id, Holder: record.Holder}, Err: err}
			}
			watched = live
			continue
		}
		before := *record
		t.spec.Nameless = before.Nameless
		cl := (&claim{engine: e, cluster: c, target: t, owner: record.Owner, before: &before, live: live, record: *record}).guard()
		if outOfDate {
			cl.owner, cl.record.Owner, cl.record.ClaimedAt = owner, owner, c.Now().UTC()
			cl.notices = append(cl.notices, recordOutOfDate(c, t.id))
		}
		cl.record.Run, cl.record.Holder, cl.record.Custody = e.run, e.holder, release.CustodyOwned
		cl.record.Entry, cl.record.Operation, cl.record.Health = entryOf(record), cl.operation(), t.spec.Health
		cl.record.IgnoreServices, cl.record.AllowSelectedBy = t.spec.IgnoreServices, t.spec.AllowSelectedBy
		cl.record.Beat++
		cl.record.Expect(t.spec.Companions()...)
		cl.record.Phases = []release.Phase{{Name: release.PhaseResumed, At: time.Now().UTC()}}
		cl.record.CancelRequested = ""
		if !record.Status.Up() && record.Status != t.spec.DesiredState.Goal() {
			cl.record.Status, cl.record.Reason = underWay(t.spec.DesiredState), ""
		}
		if err := cl.write(ctx); release.ReadAgain(err) {
			continue
		} else if err != nil {
			return nil, err
		}
		cl.beat(ctx)
		cl.began(ctx)
		return cl, nil
	}
}

// goesNameless says what the pods tell whose record is lost; see Record.Nameless.
func (e *Engine) goesNameless(ctx context.Context, c Cluster, t target) (bool, error) {
	d, err := e.liveWorkload(ctx, c, t.id, t.application())
	return d != nil && workload.Nameless(d), err
}

func staleDeployment(c Cluster, id release.ID, holder string) error {
	return &release.StaleOwnerError{
		Cluster: c.Name(), Kind: "deployment", ResourceType: "switchback_deployment", ID: id.String(), Holder: holder,
	}
}

// watchHolder returns once the record has changed, or has not for Expiry on our
// own clock: then whoever worked on it is dead.
func (e *Engine) watchHolder(ctx context.Context, c Cluster, seen *corev1.ConfigMap) error {
	expires := time.Now().Add(e.timing.Expiry)
	view := c.View(seen.Namespace)
	return wait.Until(ctx, view, func() (bool, time.Duration, error) {
		obj, err := view.Get(ctx, &corev1.ConfigMap{}, seen.Name)
		if err != nil {
			return false, 0, err
		}
		changed := obj == nil || newer(obj, seen)
		left := time.Until(expires)
		return changed || left <= 0, left, nil
	})
}

// condition says whether traffic goes to the release, and whether it is well.
func (e *Engine) condition(ctx context.Context, c Cluster, t target) (carries, healthy bool, err error) {
	d := &appsv1.Deployment{}
	if err := c.Get(ctx, t.id.Namespace, t.id.Name, d); err != nil {
		return false, false, ignoreNotFound(err)
	}
	why, err := e.carries(ctx, c, t.application(), d)
	return why.pods != "", d.Status.ReadyReplicas >= deref(d.Spec.Replicas), err
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// newer says that a cached object has changed since it was seen live; the cache
// may also still be behind.
func newer(cached, seen Object) bool {
	if cached.GetUID() != seen.GetUID() {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), seen.GetResourceVersion())
	return err != nil || order > 0
}
