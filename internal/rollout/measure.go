package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

const (
	// measurePatience is how long a release that is healthy may be kept waiting
	// for how long its parts took.
	measurePatience = time.Second
	// podsPart is what part of that the watch of the pods may be behind that of
	// their Deployment.
	podsPart = 4
)

// measurement is how long one attempt takes on one cluster.
type measurement struct {
	began   time.Time          // by our own, monotonic clock; zero: nothing is brought up
	there   map[types.UID]bool // pods from before it
	took    release.Durations  // once it is healthy
	started bool               // it has started pods
}

// measureFrom begins to measure: what is done from here on, it takes.
func (cl *claim) measureFrom(ctx context.Context) {
	cl.clock = measurement{began: time.Now()}
	if cl.Before == nil {
		return
	}
	cl.clock.there = map[types.UID]bool{}
	pods, _ := cl.cluster.View(cl.target.id.Namespace).List(ctx, &corev1.Pod{}, map[string]string{release.LabelDeployment: cl.target.id.Name})
	for _, pod := range pods {
		cl.clock.there[pod.GetUID()] = true
	}
}

// cameUp ends a wait that went well: it measures, and tells.
func (e *Engine) cameUp(ctx context.Context, cl *claim, applied *appsv1.Deployment, phase release.PhaseName, reason release.EventReason, note string) {
	total := time.Since(cl.clock.began)
	e.countRestarts(ctx, cl, applied)
	took, started := e.measure(ctx, cl, applied)
	took.Total = total.Round(time.Millisecond)
	cl.clock.took, cl.clock.started = took, started
	cl.phase(ctx, phase)
	cl.emit(ctx, reason, note+", after "+inWords(took), false)
}

// measure is how long the parts of the start took, as far as the cluster tells,
// and whether it was one: pods that were there before are not measured. The
// events of one pod are all that is asked for.
func (e *Engine) measure(ctx context.Context, cl *claim, applied *appsv1.Deployment) (took release.Durations, started bool) {
	patience := e.timing.patience(measurePatience)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	view := cl.cluster.View(cl.target.id.Namespace)
	if _, err := view.List(ctx, &corev1.Pod{}, map[string]string{release.LabelDeployment: cl.target.id.Name}); err != nil {
		return took, cl.Before == nil || !cl.Before.Status.Up() // pods may not be read
	}
	var in health.Input
	soon, stop := context.WithTimeout(ctx, patience/podsPart)
	defer stop()
	_ = wait.Until(soon, view.Changes(cl.target.application()), func() (bool, time.Duration, error) {
		now, err := e.evidence(soon, view, cl.target, applied)
		if err == nil && now.Workload != nil {
			in = now
		}
		return err != nil || now.Workload == nil || health.AllReady(now), 0, err
	})
	in.Pods = slices.DeleteFunc(in.Pods, func(pod *corev1.Pod) bool { return cl.clock.there[pod.UID] })
	if in.Workload == nil {
		return took, false
	}
	slowest := health.Slowest(in)
	if slowest == nil {
		return took, false
	}
	in.Pods = []*corev1.Pod{slowest}
	in.Events, _ = cl.cluster.EventsOf(ctx, slowest.Namespace, slowest.UID)
	return health.Measure(in), true
}

// inWords is "61s (image_pull 48s, startup 6s)".
func inWords(took release.Durations) string {
	var parts []string
	for _, part := range release.Parts() {
		if of := took.Of(part); of != nil {
			parts = append(parts, fmt.Sprintf("%s %s", part, of.Round(100*time.Millisecond)))
		}
	}
	text := took.Total.Round(100 * time.Millisecond).String()
	if len(parts) == 0 {
		return text
	}
	return text + " (" + strings.Join(parts, ", ") + ")"
}

// fields are the measured lengths for the log; none before it is healthy.
func (m measurement) fields() map[string]any {
	if m.took == (release.Durations{}) {
		return nil
	}
	fields := map[string]any{fieldTotal: m.took.Total.Milliseconds()}
	for _, part := range release.Parts() {
		if of := m.took.Of(part); of != nil {
			fields[string(part)+"_ms"] = of.Milliseconds()
		}
	}
	return fields
}

// took is how long an attempt that ends well took on the claim's cluster: what
// has brought nothing up has taken the whole time that its user waited.
func (cl *claim) took(began time.Time) release.Durations {
	if cl.clock.began.IsZero() {
		return release.Durations{Total: time.Since(began).Round(time.Millisecond)}
	}
	return cl.clock.took
}

// overall puts together how long an operation took: as long as its user waited,
// and otherwise as on the cluster that took longest.
func (done *Deployed) overall(claims []*claim) {
	var records []*release.Record
	for _, cl := range claims {
		records = append(records, cl.Record())
	}
	done.Durations = Overall(records)
}

// Overall is how long the last attempt took that these records of one release
// tell of.
func Overall(records []*release.Record) release.Durations {
	var slowest release.Durations
	var waited time.Duration
	for _, r := range records {
		if r.Durations.Total > slowest.Total {
			slowest = r.Durations
		}
		waited = max(waited, r.Waited)
	}
	if waited > 0 { // a former version did not tell them apart
		slowest.Total = waited
	}
	return slowest
}

// checkBudget is a notice where it all took longer than the release's budget.
func (e *Engine) checkBudget(ctx context.Context, done *Deployed, claims []*claim) {
	spent := map[string]release.Spent{}
	for _, cl := range claims {
		one := release.Spent{Durations: cl.Record().Durations}
		if cl.clock.started {
			one.Past = e.formerTotals(ctx, cl)
		}
		spent[cl.cluster.Name()] = one
	}
	if len(claims) == 0 {
		return
	}
	t := claims[0].target
	if excess := t.spec.DurationBudget.Exceeded(done.Durations.Total, spent); excess != nil {
		done.Notices = append(done.Notices, Notice{
			Summary: "Deployment took longer than its budget",
			Detail:  fmt.Sprintf("%s%s is as asked for. %s", t.id, inVersion(t.spec.Content.Version), excess.Sentences()),
		})
	}
}

// formerTotals are how long the application's last releases took on the claim's
// cluster, as the run's watch knows.
func (e *Engine) formerTotals(ctx context.Context, cl *claim) []time.Duration {
	cm, err := ownership.Cached(ctx, cl.cluster.View(cl.target.id.Namespace), &corev1.ConfigMap{}, release.MainName(cl.target.application()))
	if err != nil || cm == nil {
		return nil
	}
	h, err := ownership.HistoryIn(cm.Data)
	if err != nil {
		return nil
	}
	return h.Totals(cl.told)
}
