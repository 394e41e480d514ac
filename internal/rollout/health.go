package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// StartError says why a release did not become healthy, in the words of what
// the cluster showed.
type StartError struct {
	Cluster    string
	ID         release.ID
	Version    string
	Verdict    health.Verdict
	RolledBack string // what became of a change of content in place
	Left       string // what a failed create has left, and when that goes

	Others []*StartError // of other clusters, that tell the same: see Alike

	Traffic string            // what became of the application's traffic: nothing, unless it leads to this release
	Restart bool              // it was up: new pods could not take the place of the old ones, which stay
	Rolling bool              // the same, of pods with other content in place
	Ended   bool              // the old pods had ended first, as strategy recreate has it
	Baking  bool              // it was healthy, and did not stay so while nothing else was changed
	Share   int               // percent of its pods that had the new content then, of a change in place that has stopped there; 0: all
	Unread  []diagnose.Unread // what would have explained more
	Err     error             // why the wait ended where that is not the verdict alone; may be nil

	served bool // what the traffic led to had a ready pod, or it led elsewhere
}

// Summary names the most likely cause.
func (e *StartError) Summary() string {
	late, failed := "Deployment did not start in time", "Deployment failed to start: "
	if e.Restart {
		late, failed = "Deployment was not restarted in time", "Deployment failed to restart: "
	}
	if e.Rolling {
		late, failed = "Deployment was not updated in time", "Deployment failed to update: "
	}
	if e.Baking {
		late, failed = "Deployment did not stay healthy", "Deployment did not stay healthy: "
	}
	if len(e.Verdict.Findings) == 0 || e.Verdict.Class == health.Warning { // a warning keeps nothing from starting
		return late
	}
	return failed + string(e.Verdict.Findings[0].Cause)
}

func (e *StartError) Error() string {
	var b strings.Builder
	what := "pods are available"
	if e.Restart {
		what = "new pods are available; the old ones stay"
	}
	if e.Restart && e.Ended {
		what = "new pods are available; the old ones had ended first"
	}
	if e.Rolling {
		what = "new pods are available"
	}
	fmt.Fprintf(&b, "Deployment %s (version %s) on %s: %s %s.", e.ID, e.Version, e.Where(), e.available(), what)
	if e.Share > 0 {
		fmt.Fprintf(&b, " %d %% of its pods had the new content and were ready, and were being watched before the others follow.", e.Share)
	} else if e.Baking {
		b.WriteString(" It was healthy before, and was being watched before the next clusters follow.")
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " The wait ended because %v.", e.Err)
	}
	b.WriteString(health.Text(e.Verdict.Findings))
	diagnose.WriteUnread(&b, e.ID.Namespace, e.unread())
	if e.RolledBack != "" {
		fmt.Fprintf(&b, "\n\nRolled back: %s.", e.RolledBack)
	}
	if e.Left != "" {
		fmt.Fprintf(&b, "\n\nLeft behind: %s", e.Left)
	}
	if e.Traffic != "" {
		fmt.Fprintf(&b, "\n\nTraffic: %s.", e.Traffic)
	}
	return b.String()
}

// unread is what would have explained more, on any of the clusters that it is told
// of.
func (e *StartError) unread() []diagnose.Unread {
	all := slices.Clone(e.Unread)
	for _, other := range e.Others {
		all = append(all, other.Unread...)
	}
	return all
}

func (e *StartError) Unwrap() error { return e.Err }

// errVanished says that the workload was deleted while it was waited for.
var errVanished = errors.New("its Deployment was deleted while it was starting")

// awaitHealthy waits until every pod of the release is ready. It gives up as
// soon as waiting cannot help: at once where a failure has repeated itself,
// after the grace where it is certain. What may heal is waited for until the
// context ends, and told then.
//
// A container that has been restarted meanwhile may be ready for a moment
// between two crashes, and a Deployment counts that as available: such a release
// must stay healthy for the grace, too.
func (e *Engine) awaitHealthy(ctx context.Context, c Cluster, t target, applied *appsv1.Deployment) error {
	ctx, cancel := withinProgressDeadline(ctx, t.spec.Health)
	defer cancel()
	w := e.waitFor(c, t, applied)
	err := wait.Until(ctx, w.view.Changes(t.application()), func() (bool, time.Duration, error) { return w.look(ctx) })
	if err == nil {
		return nil
	}
	if ownership.CalledOff(ctx) {
		return cutOff(err, "waiting for the pods of %s on cluster %q", t.id, c.Name())
	}
	return e.startError(ctx, c, t, applied, w.verdict, w.found, err)
}

// errFailed ends the wait because of the verdict.
var errFailed = errors.New("it cannot become healthy")

// evidence is what the watch caches have of a release. Pods and ReplicaSets may
// be forbidden: then less is said.
func (e *Engine) evidence(ctx context.Context, view View, t target, applied *appsv1.Deployment) (health.Input, error) {
	in := health.Input{WantReplicas: deref(applied.Spec.Replicas), Generation: applied.Generation, Limits: health.LimitsOf(t.spec.Health)}
	d, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, t.id.Name)
	if err != nil || d == nil || d.UID != applied.UID {
		return in, err
	}
	in.Workload, in.WantReplicas = d, t.awaited(applied, d)
	labels := map[string]string{release.LabelDeployment: t.id.Name}
	pods, _ := view.List(ctx, &corev1.Pod{}, labels)
	for _, pod := range pods {
		in.Pods = append(in.Pods, pod.(*corev1.Pod))
	}
	sets, _ := view.List(ctx, &appsv1.ReplicaSet{}, labels)
	for _, set := range sets {
		in.ReplicaSets = append(in.ReplicaSets, set.(*appsv1.ReplicaSet))
	}
	return in, nil
}

// awaited is how many pods a release is waited for: as many as were asked for, or, where
// others decide on the number, as many as these want by now. That is never none, unless
// there was none before.
func (t target) awaited(applied, live *appsv1.Deployment) int32 {
	asked, now := deref(applied.Spec.Replicas), deref(live.Spec.Replicas)
	switch {
	case live.Generation < applied.Generation: // the watch is behind
		return asked
	case t.spec.Autoscaling != nil:
		return max(1, now)
	case !workload.Ignored(workload.ReplicasField, t.spec.IgnoreDrift):
		return asked
	case asked == 0:
		return now
	}
	return max(1, now)
}

// startError joins the last verdict with everything around the release's pods and
// the ends of their logs, and says what became of the traffic. found is what a
// closer look has found already; nil where there was none. It has a little time of
// its own: the wait's is over.
func (e *Engine) startError(ctx context.Context, c Cluster, t target, applied *appsv1.Deployment, verdict health.Verdict, found *diagnosis, why error) error {
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.timing.patience(evidencePatience))
	defer cancel()
	failure := &StartError{Cluster: c.Name(), ID: t.id, Version: t.spec.Content.Version, Verdict: verdict, Ended: t.spec.Strategy == release.StrategyRecreate, served: true}
	if !errors.Is(why, errFailed) {
		failure.Err = why
	}
	if found == nil {
		found = e.diagnose(asked, c, t, applied)
	}
	var looked sync.WaitGroup
	if found.traffic == nil {
		looked.Go(func() { found.traffic = new(e.trafficNow(asked, c, t)) })
	}
	found.explained(asked, c, t.id.Namespace, t.spec.Health.Lines(), e.timing.patience(diagnose.TailPatience))
	looked.Wait()
	if found.err == nil && len(found.verdict.Findings) > 0 && found.verdict.State != health.Healthy { // one that has got over it shows no cause any more
		failure.Verdict = found.verdict
	}
	failure.Unread = found.unread
	failure.Traffic, failure.served = found.traffic.String(), found.traffic.serves()
	return failure
}
