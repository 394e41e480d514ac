package rollout

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

const (
	// listenAfter is how long a release may take to come up before its Warning
	// events are listened to: one that does at once costs no request. Where
	// something is wrong already, they are from then on.
	listenAfter = 2 * time.Second
	// warningsPatience is how long a look may wait for the first list of them.
	warningsPatience = time.Second
	// lookAgain is how soon a failure is looked into again that a closer look did
	// not find to be one.
	lookAgain = 5 * time.Second
)

// waiting is one wait for a release to become healthy.
type waiting struct {
	engine  *Engine
	cluster Cluster
	target  target
	applied *appsv1.Deployment
	view    View
	grace   time.Duration // of what is certain

	began    time.Time
	verdict  health.Verdict // the last one
	patience health.Patience
	warnings *warnings // nil: not listened to

	seen     bool
	restarts int32
	healthy  time.Time // since when it is; zero: it is not

	found     *diagnosis // what the look that ended the wait has found
	overruled time.Time  // when a closer look found a failure to be none
}

func (e *Engine) waitFor(c Cluster, t target, applied *appsv1.Deployment) *waiting {
	return &waiting{
		engine: e, cluster: c, target: t, applied: applied, view: c.View(t.id.Namespace),
		grace: t.spec.Health.Grace(e.timing.Grace), began: time.Now(),
		patience: health.Patience{Most: e.timing.Longest},
	}
}

// look is for wait.Until: whether the release is healthy, or cannot become so.
func (w *waiting) look(ctx context.Context) (done bool, again time.Duration, err error) {
	in, err := w.engine.evidence(ctx, w.view, w.target, w.applied)
	if err != nil || in.Workload == nil {
		if w.seen && err == nil {
			err = errVanished
		}
		return false, 0, err
	}
	now := health.Restarts(in)
	if !w.seen || now < w.restarts {
		w.restarts = now // from before this wait, or of pods that are gone since
	}
	w.seen = true
	w.verdict = health.Compute(in)
	if w.verdict.State == health.Healthy {
		if w.healthy.IsZero() {
			w.healthy = time.Now()
		}
		w.patience.Judge(w.verdict, w.grace, time.Now())
		left := w.engine.timing.Grace - time.Since(w.healthy)
		return now == w.restarts || left <= 0, left, nil
	}
	w.healthy = time.Time{}
	unheard := w.listen()
	if w.warnings != nil {
		in.Events = w.warnings.about(ctx, in)
		w.verdict = health.Compute(in)
	}
	sees(ctx, w.verdict)
	over, left := w.patience.Judge(w.verdict, w.grace, time.Now())
	if !over {
		return false, sooner(left, unheard), nil
	}
	return w.confirm(ctx)
}

// listen begins to listen to warnings when it is time for that, and says after
// how long it will be.
func (w *waiting) listen() time.Duration {
	if w.warnings != nil {
		return 0
	}
	left := cmp.Or(w.engine.timing.Listen, listenAfter) - time.Since(w.began)
	if w.verdict.State == health.Failed || w.verdict.NeedsEvents() || left <= 0 {
		w.warnings = &warnings{view: w.view, patience: w.engine.timing.patience(warningsPatience)}
		return 0
	}
	return left
}

// sooner is the earlier of two times to look again, where 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// confirm looks once more, live and at everything around, before a release is
// given up: what a cache shows may be less sure with that. Where less can be read
// than was, what was seen stands.
func (w *waiting) confirm(ctx context.Context) (done bool, again time.Duration, err error) {
	if left := lookAgain - time.Since(w.overruled); !w.overruled.IsZero() && left > 0 {
		return false, left, nil
	}
	asked, cancel := context.WithTimeout(ctx, w.engine.timing.patience(evidencePatience))
	defer cancel()
	var main flow
	var looked sync.WaitGroup
	looked.Go(func() { main = w.engine.trafficNow(asked, w.cluster, w.target) }) // what is said of it, too
	found := w.engine.diagnose(asked, w.cluster, w.target, w.applied)
	looked.Wait()
	found.traffic = &main
	if ctx.Err() != nil {
		return false, 0, context.Cause(ctx)
	}
	if !found.partial() {
		w.verdict = found.verdict
		if over, left := w.patience.Judge(found.verdict, w.grace, time.Now()); !over {
			w.overruled = time.Now()
			return false, sooner(left, lookAgain), nil
		}
	}
	w.found = found
	return false, 0, errFailed
}

// warnings are the Warning events of a namespace, as they are written. What they
// tell of is often told by nothing else: a Secret that a volume needs, an address
// that the network has not. Where they may not be read, less is said.
type warnings struct {
	view     View
	patience time.Duration // of a look at them
	last     []Object
}

// about are those about the release, its ReplicaSets and its pods.
func (w *warnings) about(ctx context.Context, in health.Input) []*corev1.Event {
	asked, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	if all, err := w.view.Select(asked, &corev1.Event{}, "", "type="+corev1.EventTypeWarning); err == nil {
		w.last = all
	}
	ours := map[types.UID]bool{in.Workload.UID: true}
	for _, set := range in.ReplicaSets {
		ours[set.UID] = true
	}
	for _, pod := range in.Pods {
		ours[pod.UID] = true
	}
	var events []*corev1.Event
	for _, e := range w.last {
		if event := e.(*corev1.Event); ours[event.InvolvedObject.UID] {
			events = append(events, event)
		}
	}
	return events
}

// drain gives requests that are on their way the time to end.
func drain(ctx context.Context, d time.Duration) error {
	return cutOff(wait.For(ctx, d), "waiting for open connections to end (drain)")
}

// cutOff says what was waited for when the context ended.
func cutOff(err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(a, err)...)
}
