package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// PromoteRequest makes a release the main deployment of its application.
type PromoteRequest struct {
	Service  traffic.ServiceSpec
	To       string // the release's name
	Owner    string // the state's token; empty for a new main_deployment
	Keep     release.Keep
	Drain    time.Duration
	Clusters []Cluster

	// TakeBack says that the plan has shown the Service's fields to be changed
	// by somebody else.
	TakeBack bool

	// Found, where set, is for going back without a configuration: by cluster, the
	// release that was main when that was decided. Service is then what lives, not
	// what a user wants.
	Found map[string]string

	// Progress, where set, is told what happens, in short lines. It may be called
	// from several goroutines at once.
	Progress func(string)
}

// Promoted is what became of an application's address.
type Promoted struct {
	Owner      string
	Moved      bool // traffic is where the request wanted it, on every cluster
	Status     release.MainStatus
	Reason     string
	Previous   string // main before the current one; empty where there is none
	PromotedAt time.Time
	Notices    []Notice

	// Service is the application's address as the last write left it, on the
	// first cluster; nil where there was none.
	Service *corev1.Service
}

// Promote moves an application's address to a release on every cluster, or
// leaves it where it was on every cluster. It makes sure first that the release
// is ready everywhere, verifies the switch, lets the old side drain, and
// removes what only waited for main to move away.
//
// An error with Moved set means that traffic has moved but that what follows is
// unfinished; the next Promote goes on from there.
func (e *Engine) Promote(ctx context.Context, req PromoteRequest) (Promoted, error) {
	var p *promotion
	err := e.locked(ctx, req.Clusters, req.Service.Namespace, req.Service.Application, func(ctx context.Context, _ *held) error {
		var err error
		p, err = e.startPromotion(ctx, req)
		if err != nil {
			return err
		}
		return p.run(ctx)
	})
	if p == nil {
		return Promoted{Status: release.MainFailed, Reason: reasonOf(err)}, err
	}
	if err != nil {
		p.done.Reason = reasonOf(err)
	}
	return p.done, err
}

// promotion is one run of Promote, under the Leases.
type promotion struct {
	engine *Engine
	req    PromoteRequest
	sides  []*side // one for each cluster, by name

	began time.Time

	mu   sync.Mutex
	done Promoted
}

func (p *promotion) tell(notices ...Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Notices = append(p.done.Notices, notices...)
}

// side is a promotion on one cluster.
type side struct {
	cluster Cluster
	router  *traffic.Service
	live    *corev1.ConfigMap // nil before the first promotion
	seen    release.Main      // as we found it
	main    release.Main
	from    string // where traffic was when we came; empty: nowhere
	there   bool   // traffic was where it is wanted already
	touched bool   // the switch may have been written
	renamed string // the address's former name, to be removed at the end

	entry *release.Entry // of the history; nil where no traffic moves
}

// startPromotion reads every cluster and refuses what is somebody else's. It
// writes nothing.
func (e *Engine) startPromotion(ctx context.Context, req PromoteRequest) (*promotion, error) {
	p := &promotion{engine: e, req: req, began: time.Now(), done: Promoted{Owner: req.Owner, Status: release.MainWaiting}}
	if req.Owner == "" && req.Found == nil { // going back changes nobody's ownership
		p.done.Owner = NewToken()
	}
	sides, err := onAll(byName(req.Clusters), func(c Cluster) (*side, error) { return p.lookAt(ctx, c) })
	if err != nil {
		p.done.Status = release.MainFailed
		return p, err
	}
	p.sides = sides
	return p, nil
}

func (p *promotion) lookAt(ctx context.Context, c Cluster) (*side, error) {
	e, req := p.engine, p.req
	s := &side{cluster: c, router: traffic.NewService(c, c.View(req.Service.Namespace), req.Service, req.TakeBack)}
	main, live, err := e.liveMain(ctx, c, req.Service.Namespace, req.Service.Application)
	if err != nil {
		return nil, err
	}
	split, err := s.router.Observe(ctx)
	if err != nil {
		return nil, err
	}
	if main == nil {
		main = &release.Main{Schema: release.MainSchema}
	}
	s.live, s.seen, s.main = live, *main, *main
	if err := p.adopt(ctx, s); err != nil {
		return nil, err
	}
	if cp := main.Checkpoint; cp != nil {
		s.renamed = cp.OldService
	}
	if main.Service != "" && main.Service != req.Service.Name {
		s.renamed = main.Service
	}
	var there bool
	s.from, there = split.Stable()
	s.there = there && s.from == req.To
	if !there {
		s.from = main.Deployment
	}
	if err := p.asFound(s); err != nil {
		return nil, err
	}
	p.begin(ctx, s)
	return s, p.mayTouch(s)
}

// mayTouch refuses an address that another main_deployment holds. One that is
// unfinished, or that points where we want it, or that one half of a
// replacement has left, is taken over.
func (p *promotion) mayTouch(s *side) error {
	id := p.req.Service.Namespace + "/" + p.req.Service.Application
	switch {
	case s.live == nil || s.main.Owner == "":
		return nil
	case p.req.Owner != "" && s.main.Owner != p.req.Owner:
		return &release.StaleOwnerError{
			Cluster: s.cluster.Name(), Kind: "main deployment", ResourceType: "switchback_main_deployment", ID: id,
		}
	case p.req.Owner != "", s.main.Deployment == "" && s.main.Checkpoint == nil: // points nowhere
		return nil
	case s.main.Checkpoint != nil || s.main.Deployment == p.req.To:
		p.tell(tookMainOver(s.cluster, id, s.main.Deployment))
		return nil
	default:
		return &release.MainOwnedError{Cluster: s.cluster.Name(), ID: id, Deployment: s.main.Deployment}
	}
}

// run is the promotion: nothing has been written when it begins.
func (p *promotion) run(ctx context.Context) error {
	_, err := onAll(p.sides, func(s *side) (struct{}, error) { return struct{}{}, p.awaitReady(ctx, s) })
	if err != nil {
		p.done.Status = release.MainFailed
		p.neverBegan(ctx, err)
		return err
	}
	p.done.Status = release.MainRunning
	err = p.each(func(s *side) error { return p.checkpoint(ctx, s, release.MainRunning) })
	if err == nil {
		err = p.each(func(s *side) error { return p.switchTo(ctx, s) })
	}
	if err == nil {
		err = p.each(func(s *side) error { return p.commit(ctx, s) })
	}
	if err != nil {
		return p.rollBack(ctx, err)
	}
	p.moved(ctx)
	p.req.say("traffic is on %s; finishing", p.req.To)
	_, err = onAll(p.sides, func(s *side) (struct{}, error) { return struct{}{}, p.finalize(ctx, s) })
	if err != nil {
		return err
	}
	p.done.Status = release.MainFinalized
	return nil
}

// each runs a step on one cluster after the other and stops at the first error,
// so that a failure is found with as little moved as possible.
func (p *promotion) each(step func(*side) error) error {
	for _, s := range p.sides {
		if err := step(s); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint writes down what is about to happen, before it does.
func (p *promotion) checkpoint(ctx context.Context, s *side, step release.MainStatus, entries ...release.Entry) error {
	s.main.Checkpoint = &release.Checkpoint{From: s.from, To: p.req.To, Step: step, Holder: p.engine.holder, OldService: s.renamed}
	s.main.Owner = p.done.Owner
	s.main = s.main.Keeping(p.req.Keep)
	s.main.Service, s.main.Drain = p.req.Service.Name, p.req.Drain
	return p.save(ctx, s, entries...)
}

// save writes the application's ConfigMap.
func (p *promotion) save(ctx context.Context, s *side, entries ...release.Entry) error {
	return p.engine.saveMain(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application, &s.live, &s.main, entries...)
}

// switchTo moves the address and returns when the data plane has it.
func (p *promotion) switchTo(ctx context.Context, s *side) error {
	s.touched = true
	p.req.say("%s: moving traffic from %s to %s", s.cluster.Name(), orNone(s.from), p.req.To)
	return p.engine.ensure(ctx, s, p.req.To, p.req.Service.Namespace)
}

func (e *Engine) ensure(ctx context.Context, s *side, to, namespace string) error {
	waiting, cancel := context.WithTimeoutCause(ctx, e.timing.Settle, fmt.Errorf("the endpoints of the main Service did not follow within %s", e.timing.Settle))
	defer cancel()
	err := await(waiting, s.cluster.View(namespace), func() (bool, time.Duration, error) {
		settled, err := s.router.Ensure(waiting, release.Split{to: 100})
		return settled, 0, err
	})
	if err != nil {
		return fmt.Errorf("traffic could not be moved to %s on cluster %q: %w", to, s.cluster.Name(), err)
	}
	return nil
}

// commit writes down that the address has moved.
func (p *promotion) commit(ctx context.Context, s *side) error {
	if s.from != "" && s.from != p.req.To {
		p.engine.trafficLeft(key(s.cluster, p.req.Service.Namespace, s.from))
	}
	if s.from != "" && s.from != p.req.To && (s.main.Deployment == "" || s.seen.Checkpoint == nil) {
		s.main = s.main.Promoted(s.from) // somebody else has moved the address, or the ConfigMap was lost
	}
	if s.main.Deployment != p.req.To || s.main.PromotedAt.IsZero() {
		s.main = s.main.Promoted(p.req.To)
		s.main.PromotedAt = time.Now().UTC().Truncate(time.Second)
	}
	s.main = s.main.Noted(s.cluster.Now())
	if applied := s.router.Applied(); applied != nil {
		s.main.Baseline = p.baseline(s, applied)
	}
	return p.checkpoint(ctx, s, release.MainFinalizing, p.outcome(ctx, s, nil)...)
}

// moved notes that traffic is where it was asked to be.
func (p *promotion) moved(ctx context.Context) {
	p.done.Moved, p.done.Status = true, release.MainFinalizing
	first := p.sides[0].main
	p.done.Service = p.sides[0].router.Applied()
	p.done.PromotedAt = first.PromotedAt
	if len(first.Previous) > 0 {
		p.done.Previous = first.Previous[0]
	}
	for _, s := range p.sides {
		p.tellMoved(ctx, s)
	}
}

// finalize collects what only waited for main to move away, and what is kept no
// longer.
func (p *promotion) finalize(ctx context.Context, s *side) error {
	if err := p.removeRenamed(ctx, s); err != nil {
		return err
	}
	collected, err := p.engine.collect(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application, s.main)
	p.tell(collected.notices...)
	if err != nil {
		p.engine.rememberIfAny(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application, collected.entries...)
		return err
	}
	s.main.Checkpoint = nil
	return p.save(ctx, s, collected.entries...)
}

// removeRenamed removes the address's former name after the drain.
func (p *promotion) removeRenamed(ctx context.Context, s *side) error {
	if s.renamed == "" || s.renamed == p.req.Service.Name {
		return nil
	}
	if err := pause(ctx, p.req.Drain); err != nil {
		return err
	}
	old := p.req.Service
	old.Name = s.renamed
	return traffic.NewService(s.cluster, s.cluster.View(old.Namespace), old, false).Remove(ctx)
}

func orNone(name string) string {
	if name == "" {
		return "nothing"
	}
	return name
}
