package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// roll is one change of a release's content in place, and the way back from it.
type roll struct {
	good    *appsv1.Deployment // our apply of the last good content; nil: there is none to go back to
	hash    string             // of that content
	version string
	pods    []types.UID // that ran it

	stops  []release.RollStop // that are not over yet
	paused bool               // the run ends in one of them

	undone    bool // the way back has been taken
	untouched bool // and found that nothing of the new content had been applied

	failure *StartError // why new pods did not become healthy, where that is what happened
	kept    int         // how many of pods were never touched
	// uncounted: it cannot be told how many.
	uncounted bool
	err       error // why it could not go back, or is not whole again
}

func (t target) inPlace() bool { return t.spec.Strategy.InPlace() }

// goesBack says that a failure of what the claim does is taken back.
func (cl *claim) goesBack() bool { return cl.roll != nil && cl.roll.good != nil }

// beginRoll writes down, before anything is applied, that the pods are going to
// be replaced by ones of other content, and finds what to go back to. The
// record's hash stays that of the last good content until the new one is good:
// whoever comes after a kill can go back, too.
func (e *Engine) beginRoll(ctx context.Context, cl *claim) error {
	c, t := cl.cluster, cl.target
	if !t.inPlace() || cl.unplanned {
		return nil
	}
	live, err := e.liveWorkload(ctx, c, t.id, t.application())
	if err != nil || live == nil || live.DeletionTimestamp != nil {
		return err
	}
	was := lastGoodHash(cl.Before, live)
	if was == "" || was == t.hash && workload.ContentHash(live) == t.hash {
		return nil
	}
	cl.roll = &roll{hash: was}
	if was != t.hash {
		cl.roll.good = e.lastGood(ctx, cl, live, was)
	}
	if cl.goesBack() {
		cl.roll.version = cl.roll.good.Annotations[release.AnnotationVersion]
		if cl.roll.pods, err = e.podsOf(ctx, c, t.id, was); err != nil {
			return err
		}
	}
	stops := cl.findStops(live)
	return cl.Update(ctx, func(r *release.Record) { r.Status, r.Reason, r.Roll = release.StatusRestarting, "", stops })
}

// lastGoodHash is the content that was last healthy, as far as is known: the
// record's, or, where that is lost, that of what lives and is well. Empty: none.
func lastGoodHash(before *release.Record, live *appsv1.Deployment) string {
	switch want := deref(live.Spec.Replicas); {
	case before != nil && before.Status.Up():
		return before.Hash
	case before == nil && want > 0 && live.Status.ObservedGeneration >= live.Generation && live.Status.UpdatedReplicas == want && live.Status.AvailableReplicas >= want:
		return workload.ContentHash(live)
	}
	return ""
}

// lastGood is our apply of the content with this hash: what lives, or, when
// that is half replaced already, the revision that Kubernetes has kept of it.
func (e *Engine) lastGood(ctx context.Context, cl *claim, live *appsv1.Deployment, hash string) *appsv1.Deployment {
	if workload.ContentHash(live) == hash {
		var baseline map[string]string
		if cl.Before != nil {
			baseline = cl.Before.Baseline["Deployment"]
		}
		good, err := workload.Former(live, baseline)
		if err != nil {
			return nil
		}
		return good
	}
	view := cl.cluster.View(live.Namespace)
	sets, _ := view.List(ctx, &appsv1.ReplicaSet{}, map[string]string{release.LabelDeployment: live.Name})
	for _, set := range sets {
		if good, err := workload.Revision(live, set.(*appsv1.ReplicaSet), hash); err == nil && good != nil {
			return good
		}
	}
	return nil
}

// podsOf are the release's pods with this content that are not about to go.
// Where pods may not be listed, there are none.
func (e *Engine) podsOf(ctx context.Context, c Cluster, id release.ID, hash string) ([]types.UID, error) {
	var uids []types.UID
	pods, err := c.View(id.Namespace).List(ctx, &corev1.Pod{}, map[string]string{release.LabelDeployment: id.Name})
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	for _, pod := range pods {
		if pod.GetDeletionTimestamp() == nil && pod.GetAnnotations()[release.AnnotationContentHash] == hash {
			uids = append(uids, pod.GetUID())
		}
	}
	return uids, nil
}

// awaitRolled waits until every pod has the new content and is ready, and the
// old ones are gone.
func (e *Engine) awaitRolled(ctx context.Context, cl *claim, applied *appsv1.Deployment) error {
	c, t := cl.cluster, cl.target
	err := e.awaitHealthy(cl.following(ctx), c, t, applied)
	if err == nil {
		err = e.awaitNoneEnding(ctx, cl)
	}
	var failure *StartError
	if errors.As(err, &failure) {
		failure.Rolling = true
		cl.roll.failure = failure
	}
	if err != nil {
		return err
	}
	e.cameUp(ctx, cl, applied, release.PhaseRolled, release.EventUpdated, fmt.Sprintf("all %d pods of %s have version %s", deref(applied.Spec.Replicas), t.id.Name, t.spec.Content.Version))
	return nil
}

// goBack applies the last good content again, and waits until it is whole. Pods
// of it that are still there are not touched.
func (e *Engine) goBack(ctx context.Context, cl *claim) error {
	c, t, r := cl.cluster, cl.target, cl.roll
	live, err := e.liveWorkload(ctx, c, t.id, t.application())
	if err != nil {
		return err
	}
	if live != nil && workload.ContentHash(live) == r.hash {
		r.untouched = true // it was refused, or ended before it began
		return nil
	}
	applied, err := e.amend(ctx, c, t, func(d, _ *appsv1.Deployment) error {
		workload.SetFormer(d, r.good)
		return nil
	})
	if err != nil {
		return fmt.Errorf("version %s could not be applied again: %w", r.version, err)
	}
	baseline := release.Baseline{"Deployment": workload.Baseline(applied)}
	spec, _, err := workload.FromDeployment(applied)
	if err != nil {
		return err
	}
	former := target{spec: spec, hash: r.hash, id: t.id}
	if want := workload.Service(spec); want != nil {
		service, _, err := apply(ctx, c, former, "Service", func(*corev1.Service) (*corev1.Service, error) { return want.DeepCopy(), nil }, everything)
		if err != nil {
			return err
		}
		baseline["Service"] = workload.Baseline(service)
	}
	if err := e.previewBack(ctx, cl, former, baseline); err != nil {
		return err
	}
	cl.Note(func(r *release.Record) {
		all := release.Baseline{}
		maps.Copy(all, r.Baseline)
		maps.Copy(all, baseline)
		r.Baseline = all
	})
	cl.events.emit(ctx, c, applied, release.EventRolledBack, e.inRun(fmt.Sprintf("%s goes back to version %s", t.id.Name, r.version)), true)
	cl.line(ctx, "going back", map[string]any{fieldTo: r.version})
	if err := e.awaitWhole(ctx, cl, former, applied); err != nil {
		return err
	}
	_ = e.dropFiles(ctx, cl, workload.FilesOf(applied)) // what stays is drift, which the next apply repairs
	return nil
}

// wholeWithin is how long the last good content may take to be whole again, in
// settle times: pods of the other content may have to end first.
const wholeWithin = 4

// awaitWhole waits until the last good content has all its pods again, as long
// as nobody waits for the process to end.
func (e *Engine) awaitWhole(ctx context.Context, cl *claim, former target, applied *appsv1.Deployment) error {
	limit, hurry := wholeWithin*e.timing.Settle, false
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= e.timing.Cleanup {
		// Interrupted: half of the time is for writing it down, and what has
		// failed to come up may go by itself.
		limit, hurry = time.Until(deadline)/2, true
	}
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	view := cl.cluster.View(former.id.Namespace)
	var verdict health.Verdict
	err := wait.Until(waiting, view.Changes(former.application()), func() (bool, time.Duration, error) {
		in, err := e.evidence(waiting, view, former, applied)
		if err != nil || in.Workload == nil {
			return false, 0, err
		}
		verdict = health.Compute(in)
		return verdict.State == health.Healthy || hurry && verdict.Ready > 0 && verdict.Ready >= verdict.Want, 0, nil
	})
	still, unread := e.podsOf(ctx, cl.cluster, former.id, cl.roll.hash)
	cl.roll.uncounted = unread != nil
	for _, uid := range cl.roll.pods {
		if slices.Contains(still, uid) {
			cl.roll.kept++
		}
	}
	if err != nil {
		return fmt.Errorf("version %s was applied again, but %d of its %d pods %s ready so far", cl.roll.version, verdict.Ready, verdict.Want, release.Are(verdict.Ready))
	}
	return nil
}

// takeBackRoll is what follows a change of content that has failed, or was
// given up: the last good content again, and a record that says so. What cannot
// go back, or is not whole in time, stays under way for the next apply.
func (e *Engine) takeBackRoll(ctx context.Context, cl *claim, reason string, change func(*release.Record)) error {
	r := cl.roll
	began := time.Now()
	defer func() { e.tellReturned(ctx, cl.cluster, cl.target, r.failure) }()
	r.undone, r.err = true, e.goBack(ctx, cl)
	if deadline, ok := ctx.Deadline(); ok && time.Since(began) > time.Until(deadline) {
		var cancel context.CancelFunc // that took most of its time
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), max(e.timing.Cleanup/2, time.Since(began)/2))
		defer cancel()
	}
	return errors.Join(r.err, cl.finish(ctx, func(record *release.Record) {
		change(record)
		record.Hash, record.Version, record.Roll = r.hash, r.version, nil
		record.Status, record.Reason = cl.rolledBackAs(), reason
	}))
}

// undoAdoption puts back whose it was: nothing of a failed create is owned.
func (cl *claim) undoAdoption(r *release.Record) {
	if cl.Before == nil {
		r.Custody = release.CustodyAbandoned
		return
	}
	baseline := r.Baseline
	*r = *cl.Before
	r.Baseline = baseline
}

// rolledBackAs is the status of what went back.
func (cl *claim) rolledBackAs() release.Status {
	if cl.roll.err != nil {
		return release.StatusRestarting
	}
	return release.StatusStarted
}

// outcome is what became of one cluster's way back.
func (cl *claim) outcome() string {
	r, where := cl.roll, fmt.Sprintf("%s on cluster %q", cl.target.id.Name, cl.cluster.Name())
	gone := len(r.pods) - r.kept
	switch {
	case r.err != nil:
		return where + ": " + mask.Redact(r.err.Error()) + "; the next apply goes on"
	case r.uncounted:
		return fmt.Sprintf("%s is back at version %s", where, r.version)
	case gone == 0:
		return fmt.Sprintf("%s is back at version %s, whose pods were never touched", where, r.version)
	default:
		return fmt.Sprintf("%s is back at version %s; %d of its %d pods had gone already and were started again", where, r.version, gone, len(r.pods))
	}
}

// tellChange says in the error of a cancelled update that it was one of what
// was up already.
func tellChange(err error, kept []*claim) {
	var by *release.CancelledError
	if errors.As(err, &by) {
		by.Change = slices.ContainsFunc(kept, func(cl *claim) bool { return cl.Before != nil && cl.Before.Status.Up() })
	}
}

// tellRolledBack adds to the errors of a failed change of content what became of
// it. Where there is no such error, it is a notice.
func tellRolledBack(claims []*claim) []Notice {
	var outcomes []string
	var failures []*StartError
	for _, cl := range claims {
		if !cl.goesBack() || !cl.roll.undone || cl.roll.untouched {
			continue
		}
		outcomes = append(outcomes, cl.outcome())
		if cl.roll.failure != nil {
			failures = append(failures, cl.roll.failure)
		}
	}
	if len(outcomes) == 0 {
		return nil
	}
	for _, failure := range failures {
		failure.RolledBack = strings.Join(outcomes, "; ")
	}
	if len(failures) > 0 {
		return nil
	}
	return []Notice{{Summary: "Deployment went back to its last good version", Detail: strings.Join(outcomes, "; ") + ". The next plan shows the change again."}}
}

// cancelDeadRoll takes a change of content back that whoever was at it has left
// half done. It says false where nothing tells what to go back to.
func (e *Engine) cancelDeadRoll(ctx context.Context, c Cluster, req ActionRequest, application string, live *corev1.ConfigMap, record *release.Record) (bool, error) {
	d, err := e.liveWorkload(ctx, c, req.ID, application)
	if err != nil || d == nil || !release.NamedInPlace(d.Name) || workload.ContentHash(d) == record.Hash {
		return false, err
	}
	cl := e.claimOf(c, application, live, record)
	t, err := e.targetOf(ctx, c, d, record, application, release.DesiredStarted)
	if err != nil {
		return false, err
	}
	cl.aim(t)
	cl.unplanned, cl.does = true, release.OperationCancel
	cl.roll = &roll{hash: record.Hash, good: e.lastGood(ctx, cl, d, record.Hash)}
	if !cl.goesBack() {
		return false, nil
	}
	cl.roll.version = cl.roll.good.Annotations[release.AnnotationVersion]
	if cl.roll.pods, err = e.podsOf(ctx, c, req.ID, record.Hash); err != nil {
		return false, err
	}
	cl.Note(func(r *release.Record) {
		r.CancelRequested, r.Entry = "", entryOf(record)
		r.Phases = []release.Phase{{Name: release.PhaseCancel, At: time.Now().UTC()}}
	})
	if err := cl.Begin(ctx); err != nil {
		return false, err
	}
	cl.Strictly()
	req.say("%s: taking %s back to version %s", c.Name(), req.ID, cl.roll.version)
	clean, cancel := e.keeper.Cleanup(ctx)
	defer cancel()
	err = e.takeBackRoll(clean, cl, "", func(*release.Record) {})
	entry := cl.entry(ctx, err)
	entry.Reason = cmp.Or(entry.Reason, "whoever was changing it is gone")
	e.keeper.Remember(clean, cl.cluster, req.ID.Namespace, application, entry)
	return true, err
}
