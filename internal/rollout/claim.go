package rollout

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// target is a Spec with what follows from it, computed once.
type target struct {
	spec release.Spec
	hash string
	id   release.ID

	withMain bool                     // it is to be stopped because its application is
	halt     release.Halt             // or because of this
	mains    map[string]*release.Main // by cluster: see mainAtFirst

	remains bool              // there is something of the release, but no record that says what
	avoided map[string]string // Services because of which its pods go without LabelName
	decided bool              // its spec says whether its pods carry LabelName; else what is there does
}

func newTarget(spec release.Spec) target {
	hash := spec.Content.Hash()
	return target{spec: spec, hash: hash, id: release.ID{Namespace: spec.Namespace, Name: spec.NameFor(hash)}}
}

// reason is why a release that is as it shall be has no pods; empty where it was not
// asked for any, or has them.
func (t target) reason() string { return t.halt.ReasonOf(t.withMain) }

// whileHalted is the target of an update of what is halted: it stays so. Whoever asks for
// no pods, in so many words, asks for something else.
func (t target) whileHalted(record *release.Record) target {
	if record.Halted() && t.spec.DesiredState != release.DesiredStopped {
		t.spec.DesiredState, t.halt = release.DesiredStopped, record.Halt
	} else if t.withMain {
		t.halt = record.Halt
	}
	return t
}

func (t target) application() string { return t.spec.Content.Application }

// claim is a verb's hold on one release on one cluster: whose the release is, what
// the verb does to it, and what is told of that.
type claim struct {
	*ownership.Claim
	engine  *Engine
	cluster Cluster // nothing is written there once the release is somebody else's
	target  target
	adopts  bool // by content, rather than resuming what is in our state
	halted  bool // we have scaled to zero what was there before
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
	failure   error              // why it failed on this very cluster
	stays     string             // why its pods were left although it failed
	left      string             // of its pods, where a failed create has left its objects
	waitsFor  string             // the cluster whose change has stopped on its way, ahead of its own turn
	alone     bool               // and nothing else of the application is there
	restarts  *int32             // of its containers, when it was found healthy
	clock     measurement        // how long it takes
	events    eventQueue         // what Events tell of it

	mu    sync.Mutex
	told  string    // the ID of the attempt's line in the history
	lined time.Time // when the log was last told
}

// claimFor is a verb's claim, for what the target says.
func (e *Engine) claimFor(own *ownership.Claim, t target) *claim {
	cl := &claim{Claim: own, engine: e, cluster: own.Cluster()}
	cl.aim(t)
	return cl
}

// claimOf is a claim on a record as it was seen live.
func (e *Engine) claimOf(c Cluster, application string, live *corev1.ConfigMap, record *release.Record) *claim {
	id := release.ID{Namespace: live.Namespace, Name: live.Name}
	t := target{spec: release.Spec{Namespace: id.Namespace, Content: release.Content{Application: application}}, hash: record.Hash, id: id}
	return e.claimFor(e.keeper.Over(c, application, live, record), t)
}

// stops says that the release is to have no pods.
func (cl *claim) stops() bool { return cl.target.spec.DesiredState == release.DesiredStopped }

// aim says what the release is to be.
func (cl *claim) aim(t target) {
	cl.target = t
	cl.SetEnvironment(t.spec.Environment)
}

// claim takes ownership of the release's record: makes it, or adopts what is
// there as package release decides. It waits while somebody alive is at work.
func (e *Engine) claim(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	cl := e.newClaim(ctx, c, t, owner)
	err := cl.Begin(ctx)
	if apierrors.IsAlreadyExists(err) {
		if err := cl.Overtaken(ctx); err != nil {
			return nil, err
		}
		return e.adopt(ctx, c, t, owner)
	}
	if err != nil {
		return nil, err
	}
	e.keeper.ClaimOnce(c, t.id)
	cl.began(ctx)
	return cl, nil
}

// newClaim is a claim on a release that has no record yet.
func (e *Engine) newClaim(ctx context.Context, c Cluster, t target, owner string) *claim {
	cl := e.claimFor(e.keeper.Fresh(c, t.id, t.application(), e.newRecord(ctx, c, t, owner)), t)
	cl.adopts = true
	return cl
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
		Rollout:    t.spec.Rollout,

		IgnoreServices: t.spec.IgnoreServices, AllowSelectedBy: t.spec.AllowSelectedBy, Nameless: t.spec.Nameless,
		Disruption: t.spec.Disruption, Preview: t.spec.Preview, WithMain: t.withMain, OnFailure: t.spec.OnFailure,

		Schema: release.RecordSchema, Hash: t.hash, Version: t.spec.Content.Version,
		Owner: owner, ClaimedAt: c.Now().UTC(), Custody: release.CustodyClaimed, Status: release.StatusStarting,
		Entry:     ownership.NewToken(),
		CreatedBy: mask.Redact(c.User(ctx)),
		Phases:    []release.Phase{{Name: release.PhaseClaimed, At: time.Now().UTC()}},
	}
}

// adopt takes an existing record over.
func (e *Engine) adopt(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	var step release.ClaimStep
	cl, err := ownership.Take(ctx, e.keeper, c, t.id, t.application(), func(seen ownership.Seen) (*claim, error) {
		if seen.Record == nil {
			step = release.ClaimAdopt
			return e.newClaim(ctx, c, t, owner), nil // it went away meanwhile
		}
		found := release.Found{
			Record:      seen.Record,
			InPlace:     t.inPlace(),
			ClaimedHere: e.keeper.HasClaimed(c, t.id),
			HolderDead:  seen.HolderDead,
		}
		if seen.Record.Custody == release.CustodyOwned && (seen.Record.Hash == t.hash || t.inPlace()) {
			var err error
			if found.Carries, found.Healthy, err = e.condition(ctx, c, t); err != nil {
				return nil, err
			}
		}
		step = release.Claim(found, t.hash)
		if step == release.ClaimWait {
			return nil, nil
		}
		if step != release.ClaimAdopt && step != release.ClaimAdoptAndTell {
			return nil, &release.ClaimError{Step: step, Cluster: c.Name(), ID: t.id}
		}
		return e.takeOver(ctx, c, t, owner, seen), nil
	})
	if err != nil {
		return nil, err
	}
	if !e.keeper.ClaimOnce(c, t.id) && cl.Before != nil {
		cl.Stop()
		return nil, &release.ClaimError{Step: release.ClaimRefuseTwin, Cluster: c.Name(), ID: t.id}
	}
	cl.began(ctx)
	if step == release.ClaimAdoptAndTell {
		cl.notices = append(cl.notices, adoptedOwned(c, t.id, observe.WentBackTo(ctx, c, t.id, t.application())))
	}
	return cl, nil
}

// takeOver is a claim with our token on what was somebody's.
func (e *Engine) takeOver(ctx context.Context, c Cluster, t target, owner string, seen ownership.Seen) *claim {
	before := *seen.Record
	if !t.decided {
		t.spec.Nameless = before.Nameless
	}
	next := e.newRecord(ctx, c, t, owner)
	next.CreatedBy, next.Baseline, next.Durations, next.Waited = before.CreatedBy, before.Baseline, before.Durations, before.Waited
	next.Companions = before.Companions
	next.Expect(t.spec.Companions()...)
	if t.inPlace() {
		next.Hash, next.Version, next.Roll = before.Hash, before.Version, before.Roll // until ours is good
	}
	if before.Status.Up() || before.Status == t.spec.DesiredState.Goal() {
		next.Status = before.Status // it is: what follows only makes sure
	}
	next.Entry = entryOf(&before)
	cl := e.claimFor(e.keeper.Over(c, t.application(), seen.Live, &before), t)
	cl.adopts = true
	cl.Note(func(r *release.Record) { *r = next })
	return cl
}

// resume holds the record of a release that is in our state, for an update. One
// that is from a backup is taken back, once nobody alive is at work on it.
func (e *Engine) resume(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	if err := e.knowsPreview(ctx, c, t); err != nil {
		return nil, err
	}
	cl, err := ownership.Take(ctx, e.keeper, c, t.id, t.application(), func(seen ownership.Seen) (*claim, error) {
		if seen.Record == nil {
			return e.resumeLost(ctx, c, t, owner)
		}
		record := seen.Record
		outOfDate := record.OutOfDate(owner)
		if owner != "" && record.Owner != owner && !outOfDate {
			return nil, staleDeployment(c, t.id, record.Holder)
		}
		if outOfDate && record.Busy() && !seen.HolderDead {
			return nil, nil
		}
		t := t.whileHalted(record)
		t.spec.Nameless = record.Nameless
		before := *record
		cl := e.claimFor(e.keeper.Over(c, t.application(), seen.Live, &before), t)
		if outOfDate {
			cl.notices = append(cl.notices, recordOutOfDate(c, t.id))
		}
		cl.Note(func(r *release.Record) {
			if outOfDate {
				r.Owner, r.ClaimedAt = owner, c.Now().UTC()
			}
			r.Custody = release.CustodyOwned
			r.Entry, r.Operation, r.Health = entryOf(record), cl.operation(), t.spec.Health
			r.Rollout, r.WithMain, r.Halt, r.OnFailure = t.spec.Rollout, t.withMain, t.halt, t.spec.OnFailure
			r.IgnoreServices, r.AllowSelectedBy = t.spec.IgnoreServices, t.spec.AllowSelectedBy
			r.Disruption, r.Preview = t.spec.Disruption, t.spec.Preview
			r.Expect(t.spec.Companions()...)
			r.CancelRequested = ""
			cl.underWay(r, release.PhaseResumed)
		})
		return cl, nil
	})
	if err != nil {
		return nil, err
	}
	cl.began(ctx)
	return cl, nil
}

// resumeLost is resume where the record is gone: it is made anew, as ours.
func (e *Engine) resumeLost(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	var err error
	t.remains = true
	if t.spec.Nameless, err = e.goesNameless(ctx, c, t); err != nil {
		return nil, err
	}
	cl := e.claimFor(e.keeper.Fresh(c, t.id, t.application(), e.newRecord(ctx, c, t, owner)), t)
	cl.Note(func(r *release.Record) { r.Custody = release.CustodyOwned })
	return cl, nil
}

// underWay notes in the record that something begins, and that the release is
// brought to what is desired where it is not that.
func (cl *claim) underWay(r *release.Record, phase release.PhaseName) {
	desired := cl.target.spec.DesiredState
	r.Phases = []release.Phase{{Name: phase, At: time.Now().UTC()}}
	if !cl.Before.Status.Up() && cl.Before.Status != desired.Goal() {
		r.Status, r.Reason = underWay(desired), ""
	}
}

// finish writes the outcome, lets go of the record, and waits until all has been
// told.
func (cl *claim) finish(ctx context.Context, change func(*release.Record)) error {
	err := cl.Finish(ctx, change)
	if err == nil {
		label(ctx, cl.cluster, cl.applied, cl.Record())
	}
	cl.events.end(ctx)
	return err
}

// phase notes one step of the attempt, and tells the log.
func (cl *claim) phase(ctx context.Context, name release.PhaseName) {
	cl.Phase(name)
	cl.line(ctx, string(name), cl.clock.fields())
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
