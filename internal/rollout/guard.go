package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// An apply that ends in a pause, or is killed, leaves two versions that share the traffic, and
// nobody who looks at the new one. A guard does, until the promotion is over. For example:
// api-2 has 25 % until somebody lets it go on. At night its pods begin to crash. The guard
// sees it as a bake would, and all of the traffic goes back to api-1.

// guardLook is how soon a guard looks again where nothing changes: who renews a Lease that is
// not watched tells of no change.
const guardLook = 5 * time.Second

// GuardRequest asks to guard an application's promotion.
type GuardRequest struct {
	Namespace, Application string
	Clusters               []Cluster
	Unattended             time.Duration // no run has done anything for it for so long: it is taken back; 0: it may wait for ever
	Once                   bool          // look once, and do not wait
	Progress               func(string)  // see PromoteRequest
}

// Guarded is how a guard has ended.
type Guarded struct {
	To     string    // the release that was guarded; empty: no promotion was open
	Open   bool      // the promotion is still open: it was looked at once
	Leaves bool      // that was on its way back, and nothing of it is judged
	Breach string    // why the traffic was taken back; empty: it was not
	Back   WayBack   // of that
	Done   Promoted  // of that
	Since  time.Time // by the cluster's clock, when anybody did anything for it last
}

// Guard watches, on every cluster, the release that an open promotion has given a share of the
// traffic, as a bake does, and takes the promotion back at the first breach. It ends when no
// promotion is open any more. It holds no Lease while it watches: whoever promotes meanwhile
// is not kept from it, and is asked to go back. An error says that it could not watch, or
// could not take back what it should: then Breach says why it should.
func (e *Engine) Guard(ctx context.Context, req GuardRequest) (Guarded, error) {
	watching, end := context.WithCancelCause(ctx)
	defer end(nil)
	g := &guard{engine: e, req: req, end: end, from: map[string]bool{}}
	_, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (struct{}, error) {
		return struct{}{}, g.on(watching, &guarding{cluster: c})
	})
	if g.done.Breach == "" {
		return g.done, err
	}
	g.say("%s: taking it back", g.done.Breach)
	back := WayBackRequest{Namespace: req.Namespace, Application: req.Application, Clusters: req.Clusters}
	if len(g.from) == 1 { // the promotion is what goes back, also where it has moved nothing yet
		back.To = slices.Collect(maps.Keys(g.from))[0]
	}
	g.done.Back, err = WayBackOf(ctx, back)
	if g.done.Back.Progress = req.Progress; err == nil {
		g.done.Done, err = e.TakeBack(Because(ctx, why(g.done.Breach, because(ctx))), g.done.Back)
	}
	return g.done, err
}

// why is the reason for which a guard takes a promotion back: what it saw, and what whoever
// has started it said.
func why(breach, said string) string {
	if said == "" {
		return breach
	}
	return breach + " (" + said + ")"
}

// guard is one call.
type guard struct {
	engine *Engine
	req    GuardRequest
	end    context.CancelCauseFunc

	mu   sync.Mutex
	done Guarded
	from map[string]bool // who had the traffic before, on any of the clusters
}

// errBreach ends the watch of the other clusters.
var errBreach = errors.New("the promotion is to be taken back")

func (g *guard) say(format string, a ...any) {
	PromoteRequest{Progress: g.req.Progress}.say(format, a...)
}

// breach notes why the traffic is to go back. The first one counts.
func (g *guard) breach(why string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done.Breach == "" {
		g.done.Breach = mask.Redact(why)
	}
	g.end(errBreach)
	return nil
}

// saw notes what is guarded.
func (g *guard) saw(p *release.Progress, since time.Time) {
	to := guarded(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.from[p.From] = true
	if g.done.To != to {
		g.say("watching %s", to)
		g.done.To, g.from = to, map[string]bool{p.From: true}
	}
	g.done.Open, g.done.Leaves = g.req.Once, p.GoesBack()
	if since.After(g.done.Since) {
		g.done.Since = since
	}
}

// guarded is the release that a promotion is to, or that the traffic is taken from: whoever
// asked for that has begun another promotion, to who had it before.
func guarded(p *release.Progress) string {
	if p.From == p.To {
		return p.GivesUp
	}
	return p.To
}

// guarding is one cluster.
type guarding struct {
	cluster Cluster
	to      string
	bake    health.Bake
	health  release.Health
}

// on watches one cluster until nothing is open there.
func (g *guard) on(ctx context.Context, w *guarding) error {
	err := wait.Until(ctx, w.cluster.View(g.req.Namespace).Changes(g.req.Application), func() (bool, time.Duration, error) {
		over, err := g.look(ctx, w)
		return over || g.req.Once, guardLook, err
	})
	if errors.Is(context.Cause(ctx), errBreach) {
		return nil // another cluster's
	}
	return err
}

// look judges the release once.
func (g *guard) look(ctx context.Context, w *guarding) (over bool, err error) {
	c, namespace, application := w.cluster, g.req.Namespace, g.req.Application
	cm, err := ownership.Cached(ctx, c.View(namespace), &corev1.ConfigMap{}, release.MainName(application))
	if err != nil || cm == nil {
		return err == nil, err
	}
	main, err := ownership.MainIn(cm.Data)
	if err != nil {
		return false, ownership.Unreadable(c, cm, err)
	}
	if main == nil || main.Progress == nil || main.Progress.Direction == release.DirectionNone {
		return true, nil
	}
	p, since := main.Progress, time.Time{}
	if !p.GoesBack() && (!p.Open() || p.From == p.To) { // past its end, or a stop or a start
		return true, nil
	}
	limit, what := g.req.Unattended, "the promotion to "+p.To
	if p.GoesBack() { // where the run that takes it back has died, there is nothing to wait for
		limit, what = min(cmp.Or(limit, g.engine.timing.Expiry), g.engine.timing.Expiry), "the way back from "+guarded(p)
	}
	if limit > 0 {
		if since, err = ownership.Renewed(ctx, c, namespace, application); err != nil {
			return false, err
		}
	}
	g.saw(p, since)
	if idle := c.Now().Sub(since); !since.IsZero() && idle >= limit {
		return true, g.breach(fmt.Sprintf("no run has done anything for %s on cluster %q for %s", what, c.Name(), idle.Round(time.Second)))
	}
	copies := p.Mirror(p.At)
	if p.GoesBack() || p.Weight(p.At) == 0 && copies == 0 && p.Step().Kind != release.StepShift {
		return false, nil // it loses what it has, or has nothing yet
	}
	if w.to != p.To {
		if err := g.begins(ctx, w, p.To); err != nil {
			return false, err
		}
	}
	in, ready, err := g.engine.atWork(ctx, c, release.ID{Namespace: namespace, Name: p.To}, w.health)
	if err != nil {
		return false, err
	}
	if seen := w.bake.Judge(in, ready); seen != "" {
		return true, g.breach(fmt.Sprintf("%s, on cluster %q with %s: %s", p.To, c.Name(), shareText(p.Weight(p.At), copies), seen))
	}
	return false, nil
}

// begins begins to watch a release.
func (g *guard) begins(ctx context.Context, w *guarding, to string) error {
	record, err := ownership.Cached(ctx, w.cluster.View(g.req.Namespace), &corev1.ConfigMap{}, to)
	if err != nil || record == nil {
		return err
	}
	is, err := ownership.RecordIn(record.Data)
	if err != nil {
		return ownership.Unreadable(w.cluster, record, err)
	}
	w.to, w.bake, w.health = to, health.Bake{}, is.Health
	return nil
}

// atWork is what the watch caches have of a release on one cluster, and how many of its pods
// its Service leads to.
func (e *Engine) atWork(ctx context.Context, c Cluster, id release.ID, limits release.Health) (in health.Input, ready int32, err error) {
	view := c.View(id.Namespace)
	d, err := ownership.Cached(ctx, view, &appsv1.Deployment{}, id.Name)
	if err != nil || d == nil {
		return in, 0, err
	}
	if in, err = e.evidence(ctx, view, target{id: id, spec: release.Spec{Health: limits}}, d); err != nil {
		return in, 0, err
	}
	ready, err = readyBehind(ctx, view, d)
	return in, ready, err
}
