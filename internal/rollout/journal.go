package rollout

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What is told while something is under way: Events for whoever follows the
// cluster, lines for the log of whoever waits.

// Journal is told what happens, a line at a time. It must not keep anybody
// waiting. Its texts are redacted.
type Journal interface {
	Line(ctx context.Context, message string, fields map[string]any)
}

// Journal names who is told; nil is nobody.
func (e *Engine) Journal(j Journal) *Engine {
	e.journal = j
	return e
}

// Fields of a line.
const (
	fieldApplication = "application"
	fieldNamespace   = "namespace"
	fieldDeployment  = "deployment"
	fieldVersion     = "version"
	fieldCluster     = "cluster"
	fieldOperation   = "operation"
	fieldPhase       = "phase"
	fieldTook        = "took_ms" // since the line before
	fieldTotal       = "total_ms"
	fieldCause       = "cause"
	fieldReason      = "reason"
	fieldGroup       = "group"
	fieldFrom        = "from"
	fieldTo          = "to"
)

// line writes one where somebody reads it. What is empty is left out.
func (e *Engine) line(ctx context.Context, message string, fields map[string]any) {
	if e.journal == nil {
		return
	}
	for key, value := range fields {
		if text, ok := value.(string); ok {
			fields[key] = mask.Redact(text)
		}
	}
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == "" })
	e.journal.Line(ctx, mask.Redact(message), fields)
}

// tellingPatience is how long the end of an operation waits for Events that are
// still on their way. Each has a bound of its own.
const tellingPatience = time.Second

// eventQueue sends Events in their order, and keeps nobody waiting for them.
type eventQueue struct {
	mu   sync.Mutex
	last chan struct{} // closed when all so far has been told; nil: nothing is to be
}

// emit puts an Event on regarding, after those before it. It outlasts ctx.
func (q *eventQueue) emit(ctx context.Context, c Cluster, regarding Object, reason release.EventReason, note string, warning bool) {
	ctx, about := context.WithoutCancel(ctx), regarding.DeepCopyObject().(Object)
	q.mu.Lock()
	before, done := q.last, make(chan struct{})
	q.last = done
	q.mu.Unlock()
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		c.Emit(ctx, about, reason, note, warning)
	}()
}

// end waits, for a little while, until all has been told.
func (q *eventQueue) end(ctx context.Context) {
	q.mu.Lock()
	last := q.last
	q.mu.Unlock()
	if last == nil {
		return
	}
	timer := time.NewTimer(tellingPatience)
	defer timer.Stop()
	select {
	case <-last:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// emit puts an Event on the claim's workload, which need not be there yet.
func (cl *claim) emit(ctx context.Context, reason release.EventReason, note string, warning bool) {
	cl.events.emit(ctx, cl.cluster, cl.about(), reason, cl.engine.inRun(note), warning)
}

// about is the claim's workload, as far as it is known: Events name it even where
// it was never made.
func (cl *claim) about() Object {
	if cl.applied != nil {
		return cl.applied
	}
	return workloadNamed(cl.target.id)
}

// line writes what has just happened to the claim's release.
func (cl *claim) line(ctx context.Context, phase string, fields map[string]any) {
	if cl.engine.journal == nil {
		return
	}
	cl.mu.Lock()
	now := time.Now()
	last := cl.lined
	cl.lined = now
	cl.mu.Unlock()
	all := map[string]any{
		fieldApplication: cl.target.application(), fieldNamespace: cl.target.id.Namespace, fieldDeployment: cl.target.id.Name,
		fieldVersion: cl.target.spec.Content.Version, fieldCluster: cl.cluster.Name(), fieldOperation: string(cl.operation()), fieldPhase: phase,
	}
	if !last.IsZero() {
		all[fieldTook] = now.Sub(last).Milliseconds()
	}
	maps.Copy(all, fields)
	cl.engine.line(ctx, fmt.Sprintf("%s on cluster %q: %s", cl.target.id, cl.cluster.Name(), phase), all)
}

// began tells that the claim is ours, and what for.
func (cl *claim) began(ctx context.Context) {
	phase := string(release.PhaseClaimed)
	if phases := cl.Record().Phases; len(phases) > 0 {
		phase = string(phases[0].Name)
	}
	found := ""
	if b := cl.Before; b != nil && cl.adopts {
		found = fmt.Sprintf("; it was there already, %s and %s", b.Custody, b.Status)
	}
	cl.emit(ctx, release.EventClaimed, fmt.Sprintf("%s of %s%s begins, by %s%s", cl.operation(), cl.target.id.Name, inVersion(cl.target.spec.Content.Version), cl.engine.keeper.Holder(), found), false)
	cl.line(ctx, phase, nil)
}

// workloadNamed is enough of a workload for an Event about it.
func workloadNamed(id release.ID) *appsv1.Deployment {
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: id.Namespace, Name: id.Name},
	}
}

// cameThrough tells that what was watched has stayed healthy.
func (cl *claim) cameThrough(ctx context.Context, bake time.Duration) {
	cl.phase(ctx, release.PhaseBaked)
	cl.emit(ctx, release.EventBaked, fmt.Sprintf("%s has stayed healthy for %s", cl.target.id.Name, bake), false)
}

// inVersion is the version for a sentence; empty for none.
func inVersion(version string) string {
	if version == "" {
		return ""
	}
	return " (version " + version + ")"
}

// waits tells what keeps the pods from being ready, once for each cause.
type waits struct {
	claim *claim
	mu    sync.Mutex
	told  map[health.Cause]bool
}

type waitsKey struct{}

// following lets a wait tell what it sees.
func (cl *claim) following(ctx context.Context) context.Context {
	return context.WithValue(ctx, waitsKey{}, &waits{claim: cl, told: map[health.Cause]bool{}})
}

// sees tells of the verdict's first finding, where somebody follows the wait.
func sees(ctx context.Context, verdict health.Verdict) {
	w, _ := ctx.Value(waitsKey{}).(*waits)
	if w == nil || len(verdict.Findings) == 0 {
		return
	}
	first := verdict.Findings[0]
	w.mu.Lock()
	told := w.told[first.Cause]
	w.told[first.Cause] = true
	w.mu.Unlock()
	if told {
		return
	}
	where := first.Object
	if first.Of > 1 {
		where = fmt.Sprintf("%s, %d of %d pods", where, first.Affected, first.Of)
	}
	note := fmt.Sprintf("%s: %s (%s)", first.Cause, first.Sentence, where)
	evidence := strings.Split(first.Evidence, "\n")
	said := evidence[0]
	if first.LogsOf != nil {
		said = evidence[len(evidence)-1] // a container's last words
	}
	if said != "" {
		note += ": " + said
	}
	w.claim.emit(ctx, release.EventWaiting, note, first.Class == health.Certain || first.Class == health.Repeated)
	w.claim.line(ctx, "waiting", map[string]any{fieldCause: string(first.Cause), fieldReason: note})
}

// lineOf writes how an operation ended.
func (e *Engine) lineOf(ctx context.Context, c Cluster, namespace string, entry release.Entry) {
	application, _ := release.ApplicationOf(entry.Deployment)
	fields := map[string]any{
		fieldApplication: application, fieldNamespace: namespace, fieldDeployment: entry.Deployment, fieldVersion: entry.Version, fieldCluster: c.Name(),
		fieldOperation: string(entry.Operation), fieldPhase: string(entry.Outcome), fieldReason: entry.Reason,
		fieldFrom: entry.From, fieldTo: entry.To, fieldGroup: entry.Group,
	}
	if entry.Duration > 0 {
		fields[fieldTotal] = entry.Duration.Milliseconds()
	}
	e.line(ctx, fmt.Sprintf("%s/%s on cluster %q: %s", namespace, entry.Deployment, c.Name(), entry.Sentence()), fields)
}

// step tells, on the application's address, how far a promotion is on one
// cluster. Where no traffic moves there is nothing to tell.
func (p *Promotion) step(ctx context.Context, pl *placement, reason release.EventReason, note string) {
	if pl.entry == nil {
		return
	}
	pl.events.emit(ctx, pl.cluster, p.addressOf(pl), reason, p.engine.inRun(note), false)
	p.engine.line(ctx, fmt.Sprintf("%s/%s on cluster %q: %s", p.req.Service.Namespace, p.req.Service.Application, pl.cluster.Name(), note), map[string]any{
		fieldApplication: p.req.Service.Application, fieldNamespace: p.req.Service.Namespace, fieldDeployment: p.req.To, fieldVersion: pl.entry.Version,
		fieldCluster: pl.cluster.Name(), fieldOperation: string(pl.entry.Operation), fieldPhase: snake(reason),
		fieldFrom: pl.from(), fieldTo: p.req.To, fieldGroup: p.req.Member.Group, fieldTotal: time.Since(p.began).Milliseconds(),
	})
}

// snake is WaveStarted as wave_started.
func snake(reason release.EventReason) string {
	var b strings.Builder
	for i, r := range string(reason) {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// TellWave tells, on the application's address, that a wave of the promotion's
// group begins, or has moved.
func (p *Promotion) TellWave(ctx context.Context, reason release.EventReason, wave, of int) {
	note := fmt.Sprintf("wave %d of %d of the group %q", wave, of, p.req.Member.Group)
	for _, pl := range p.active() {
		p.step(ctx, pl, reason, note+map[release.EventReason]string{release.EventWaveStarted: " begins", release.EventWaveMoved: " has moved"}[reason])
	}
}

// drained tells that a release which has lost the traffic may go.
func (e *Engine) drained(ctx context.Context, c Cluster, id release.ID, drain time.Duration) {
	note := fmt.Sprintf("traffic left %s at least %s ago", id.Name, drain)
	c.Emit(ctx, workloadNamed(id), release.EventDrained, e.inRun(note), false)
	application, _ := release.ApplicationOf(id.Name)
	e.line(ctx, fmt.Sprintf("%s on cluster %q: %s", id, c.Name(), note), map[string]any{
		fieldApplication: application, fieldNamespace: id.Namespace, fieldDeployment: id.Name, fieldCluster: c.Name(), fieldPhase: "drained",
	})
}
