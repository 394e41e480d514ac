package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Deployed is what became of a release.
type Deployed struct {
	ID        release.ID
	Owner     string
	CreatedAt time.Time // by the API server's clock
	CreatedBy string
	Status    release.Status
	Reason    string
	Durations release.Durations
	Notices   []Notice

	Clusters []Outcome // by name: those on which something was to be done

	// Reached says of an update that all is done but for the clusters that were
	// to be left, which Left is about.
	Reached bool
	Left    []Outcome
}

// DeployRequest creates a release on some clusters.
type DeployRequest struct {
	Spec     release.Spec
	Clusters []Cluster
	Rollout  release.Rollout

	// Unready are clusters that were found not to be ready for it, and why. The
	// release is to be there, too: they have failed before it begins.
	Unready map[string]error
}

// errSibling ends the work on one cluster because another one failed.
var errSibling = errors.New("another cluster failed")

// Deploy creates a release on every cluster at once, or adopts it, and returns
// when it is healthy on all of them.
func (e *Engine) Deploy(ctx context.Context, clusters []Cluster, spec release.Spec) (Deployed, error) {
	return e.DeployOver(ctx, DeployRequest{Spec: spec, Clusters: clusters})
}

// DeployOver creates a release on its clusters as the rollout says, or adopts
// it, and returns when it is healthy on all of them, or on as many as the
// rollout asks for: then it is ours on the others, too, and Deployed says how it
// ended there.
//
// When ctx is cancelled (not when its deadline passes) the release is asked to
// scale down and it succeeds with status cancelled. When it fails, nothing of it
// is owned any more: the error says why, the record remembers it as abandoned,
// and OnFailure decides what keeps running.
func (e *Engine) DeployOver(ctx context.Context, req DeployRequest) (Deployed, error) {
	t, owner, began := e.whileStopped(ctx, req.Clusters, newTarget(req.Spec)), ownership.NewOwner(req.Clusters), time.Now()
	done := Deployed{ID: t.id, Owner: owner, Status: t.spec.DesiredState.Goal(), Reason: t.reason()}
	whole := ctx
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)

	s := e.newChange(req.Rollout, len(req.Clusters)+len(req.Unready), req.Unready)
	err := s.hold(ctx, &s.added, req.Clusters, func(c Cluster) (*claim, error) { return e.admit(ctx, c, t, owner) })
	claims := s.claims()
	if err != nil {
		// Also when interrupted: a state whose token is in no record could not be resumed.
		undone, err := withUnclean(err, e.giveBackAll(ctx, claims))
		return Deployed{Notices: undone}, err
	}
	done.CreatedAt, done.CreatedBy = creation(claims)
	for _, cl := range claims {
		cl.AbortBy(abort)
	}
	err = s.reach(ctx, nil)
	if err == nil {
		err = s.settle(ctx, &done, began)
	}
	if err != nil {
		if lost := e.confirmAll(whole, claims); len(lost) > 0 {
			if cancelledOn(ctx) != nil || ownership.Interrupted(whole) {
				err = lost[0]
			}
			err = told(err, lost...)
			undone, err := withUnclean(err, e.abandonAll(whole, claims, err))
			return Deployed{Notices: append(undone, tellRolledBack(claims)...)}, err
		}
	}
	if by := cancelledOn(ctx); err != nil && (by != nil || ownership.Interrupted(whole)) {
		unclean := e.cancelAll(whole, claims, by)
		if lost := ownership.Lost(whole, errors.Join(unclean...)); lost != nil {
			return Deployed{Notices: tellRolledBack(claims)}, lost // a state that has it would be stale
		}
		done.Notices = slices.Concat(done.Notices, notCleanedUp(unclean), tellRolledBack(claims))
		done.Status = release.StatusCancelled
		done.Notices = append(done.Notices, cancelled(t.id, by, len(unclean) > 0, slices.ContainsFunc(claims, func(cl *claim) bool { return cl.Record().Status == release.StatusCancelled })))
		done.Clusters = s.outcomes()
		return done, nil
	}
	if err != nil {
		undone, err := withUnclean(err, e.abandonAll(whole, claims, err))
		return Deployed{Notices: slices.Concat(undone, tellRolledBack(claims), tellLeft(err, claims), tellStaying(claims), e.overdue())}, err
	}
	s.letGo(whole)
	done.Notices = append(done.Notices, notCleanedUp(s.unclean)...)
	done.Notices = append(done.Notices, tellRolledBack(claims)...)
	if t.withMain {
		done.Notices = append(done.Notices, startsNothing(t.id, t.application()))
	}
	done.conclude(s)
	return done, nil
}

// admit looks at every name the release will use, so that a stranger's object
// is found before anything is written, and then claims the release.
func (e *Engine) admit(ctx context.Context, c Cluster, t target, owner string) (*claim, error) {
	d, err := e.liveWorkload(ctx, c, t.id, t.application())
	if err != nil {
		return nil, err
	}
	if d == nil {
		if t, err = e.unselected(ctx, c, t); err != nil {
			return nil, err
		}
	} else {
		t.spec.Nameless = workload.Nameless(d)
	}
	unserved := true
	if workload.Service(t.spec) != nil {
		svc, err := e.liveService(ctx, c, t.id, t.application())
		if err != nil {
			return nil, err
		}
		unserved = svc == nil
	}
	if err := e.knowsPreview(ctx, c, t); err != nil {
		return nil, err
	}
	none := d == nil
	for _, kind := range t.spec.Companions() {
		id := release.ID{Namespace: t.id.Namespace, Name: companions[kind].render(t.spec).GetName()}
		obj, err := e.liveCompanion(ctx, c, id, t.application(), kind)
		if err != nil {
			return nil, err
		}
		none = none && obj == nil
	}
	t.remains = !none
	cl, err := e.claim(ctx, c, t, owner)
	if cl != nil && len(t.avoided) > 0 {
		cl.notices = append(cl.notices, goesNameless(c, t.id, t.avoided))
	}
	if cl != nil {
		cl.fresh = none && unserved && cl.Before == nil
	}
	return cl, err
}

// reach brings the release to what is desired: healthy on every cluster, or
// without pods on every cluster.
func (e *Engine) reach(ctx context.Context, claims []*claim, may takeBack) error {
	if len(claims) == 0 || !claims[0].stops() {
		return e.bringUpAll(ctx, claims, may)
	}
	return e.haltAll(ctx, claims, func(ctx context.Context, cl *claim) (*appsv1.Deployment, error) {
		return e.applyAll(ctx, cl, may)
	})
}

// bringUpAll makes the release healthy on every cluster, or stops at the first
// that cannot.
func (e *Engine) bringUpAll(ctx context.Context, claims []*claim, may takeBack) error {
	return allOrNone(ctx, claims, func(ctx context.Context, cl *claim) error { return e.bringUp(ctx, cl, may) })
}

// allOrNone does something on every cluster at once, and ends it everywhere
// where it fails on one.
func allOrNone(ctx context.Context, claims []*claim, do func(context.Context, *claim) error) error {
	whole := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_, err := fleet.All(claims, func(cl *claim) (struct{}, error) {
		ctx, done := cl.Bound(ctx)
		defer done()
		err := cl.OrLost(do(ctx, cl))
		if err != nil && !errors.Is(err, errSibling) {
			if !ownership.CalledOff(whole) { // which is no failure of the cluster's
				cl.failure = err
			}
			cancel(errSibling)
			return struct{}{}, err
		}
		return struct{}{}, nil
	})
	return err
}

// bringUp applies the release's objects and waits until it is healthy.
func (e *Engine) bringUp(ctx context.Context, cl *claim, may takeBack) error {
	cl.measureFrom(ctx)
	if err := e.beginRoll(ctx, cl); err != nil {
		return err
	}
	applied, err := e.applyAll(ctx, cl, may)
	if err != nil {
		return err
	}
	if cl.roll != nil {
		if applied, err = e.passStops(ctx, cl, applied); err != nil || cl.roll.paused {
			return err
		}
		return e.awaitRolled(ctx, cl, applied)
	}
	if cl.restart != nil && cl.restart.applied {
		return e.awaitRestarted(ctx, cl, applied)
	}
	return e.awaitStarted(ctx, cl, applied)
}

// applyAll applies the release's objects and returns its workload.
func (e *Engine) applyAll(ctx context.Context, cl *claim, may takeBack) (*appsv1.Deployment, error) {
	c, t := cl.cluster, cl.target
	if cl.adopts {
		may = everything // its content is ours by name; no plan could show what was done to it meanwhile
	}
	if err := e.removeUnwanted(ctx, cl); err != nil {
		return nil, err
	}
	baseline := release.Baseline{}
	needed, err := e.applyCompanions(ctx, cl, true, may, baseline)
	if err != nil {
		return nil, err
	}
	applied, taken, err := e.applyPods(ctx, cl, may)
	if err != nil {
		return nil, err
	}
	service, more, err := e.applyService(ctx, cl, may)
	if err != nil {
		return nil, err
	}
	cl.Note(func(*release.Record) { cl.applied = applied })
	baseline["Deployment"] = workload.Baseline(applied)
	if t.spec.Autoscaled() || workload.ShareReplicas(applied) > 0 {
		delete(baseline["Deployment"], workload.ReplicasField) // others decide on it
	}
	if service != nil {
		baseline["Service"] = workload.Baseline(service)
	}
	rest, err := e.applyCompanions(ctx, cl, false, may, baseline)
	if err != nil {
		return nil, err
	}
	if taken = slices.Concat(needed, taken, more, rest); len(taken) > 0 && cl.adopts {
		cl.notices = append(cl.notices, tookFieldsOver(c, t.id, taken))
	}
	delete(baseline["Deployment"], "spec.paused") // it goes on without us, where somebody says so
	cl.Note(func(r *release.Record) { r.Baseline, r.Companions = baseline, cl.has(r) })
	cl.phase(ctx, release.PhaseApplied)
	cl.emit(ctx, release.EventApplied, fmt.Sprintf("the objects of %s are written, for %s", t.id.Name, podsOf(applied)), false)
	return applied, nil
}

// awaitStarted waits until the release is healthy, and measures that.
func (e *Engine) awaitStarted(ctx context.Context, cl *claim, applied *appsv1.Deployment) error {
	if err := e.awaitHealthy(cl.following(ctx), cl.cluster, cl.target, applied); err != nil {
		return err
	}
	pods := deref(applied.Spec.Replicas)
	e.cameUp(ctx, cl, applied, release.PhaseHealthy, release.EventStarted, fmt.Sprintf("%s is healthy: %d of %d pods are ready", cl.target.id.Name, pods, pods))
	return nil
}

// creation is when the release was first made on any cluster, and by whom.
func creation(claims []*claim) (at time.Time, by string) {
	for _, cl := range claims {
		made, maker := cl.Live().CreationTimestamp.UTC(), cl.Record().CreatedBy
		if at.IsZero() || made.Before(at) {
			at, by = made, maker
		}
	}
	return at, by
}

// settle writes the good outcome on every cluster.
func (e *Engine) settle(ctx context.Context, claims []*claim, done *Deployed, began time.Time) error {
	_, err := fleet.All(claims, func(cl *claim) (struct{}, error) { return struct{}{}, cl.OrLost(e.settleOn(ctx, cl, began)) })
	done.overall(claims)
	done.pausedAt(claims)
	if err == nil {
		e.checkBudget(ctx, done, claims)
	}
	return err
}

// settleOn writes the good outcome on one cluster.
func (e *Engine) settleOn(ctx context.Context, cl *claim, began time.Time) error {
	if cl.waitsFor != "" || cl.roll != nil && cl.roll.paused {
		return e.settlePaused(ctx, cl)
	}
	took, waited := cl.took(began), time.Since(began).Round(time.Millisecond)
	e.dropFormerFiles(ctx, cl)
	e.awaitPreview(ctx, cl)
	if cl.notable() {
		e.keeper.Remember(ctx, cl.cluster, cl.target.id.Namespace, cl.target.application(), cl.entry(ctx, nil))
	}
	cl.line(ctx, string(release.OutcomeSucceeded), map[string]any{fieldTotal: time.Since(began).Milliseconds()})
	return cl.finish(ctx, func(r *release.Record) {
		if r.Custody == release.CustodyClaimed {
			r.Custody = release.CustodyOwned
		}
		r.Status, r.Reason = cl.target.spec.DesiredState.Goal(), cl.target.reason()
		r.WithMain, r.Halt = cl.target.withMain, cl.target.halt
		r.Hash, r.Version = cl.target.hash, cl.target.spec.Content.Version // another one, where the content changes in place
		r.Durations, r.Waited, r.Roll = took, waited, nil
	})
}

// reasonOf is what a record keeps of an error: its summary, or what it says.
func reasonOf(err error) string {
	var start *StartError
	if errors.As(err, &start) {
		return start.Summary()
	}
	var bake *BakeError
	if errors.As(err, &bake) {
		return bake.Summary()
	}
	return mask.Within(mask.Redact(err.Error())) // it is kept in the record and in the state
}
