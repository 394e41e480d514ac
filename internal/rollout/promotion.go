package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Promotion is one Promote, step by step, for who moves several applications as
// one: Look, AwaitReady, Switch, Bake, and then Finalize, or Back. All steps are
// run within Together.
type Promotion struct {
	engine *Engine
	req    PromoteRequest
	sides  []*side // one for each cluster, by name

	began time.Time

	mu   sync.Mutex
	lost map[string]error // by cluster: what it failed with before it was looked at
	done Promoted
}

// NewPromotion prepares a promotion. It reads nothing.
func (e *Engine) NewPromotion(req PromoteRequest) *Promotion {
	req.Hold = req.Hold || req.Member.Group != ""
	p := &Promotion{engine: e, req: req, began: time.Now(), lost: map[string]error{}, done: Promoted{Owner: req.Owner, Status: release.MainFailed}}
	maps.Copy(p.lost, req.Unready)
	return p
}

// Together runs f while this process holds the Leases of all that is promoted,
// on every cluster. They are taken in one order, whoever asks, so that two runs
// cannot wait for each other.
func (e *Engine) Together(ctx context.Context, promotions []*Promotion, f func(context.Context) error) error {
	var scopes []scope
	for _, p := range promotions {
		if err := p.verdict(); err != nil {
			return err
		}
		for _, s := range scopesOf(p.req.Clusters, p.req.Service.Namespace, p.req.Service.Application) {
			s.spare = func(err error) error { p.lose(s.cluster.Name(), err); return p.verdict() }
			scopes = append(scopes, s)
		}
	}
	return e.lockedAll(ctx, scopes, func(ctx context.Context, _ *held) error { return f(ctx) })
}

// Done is what has become of the promotion so far.
func (p *Promotion) Done() Promoted {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Clusters = p.outcomes()
	return p.done
}

func (p *Promotion) tell(notices ...Notice) {
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
	before  release.Main      // what going back makes of it
	main    release.Main
	from    string // where traffic was when we came, or before a promotion that we go on with; empty: nowhere
	there   bool   // traffic was where it is wanted already
	moves   bool   // and is moved, or has been by a promotion that is not over
	returns bool   // a promotion that was going back was cut off
	resumed bool   // a promotion that we go on with has moved it
	touched bool   // the switch may have been written
	made    bool   // this promotion has made the address, or is about to: it was not there
	renamed string // the address's former name, to be removed at the end
	unbaked string // main without having passed its bake; empty: what was main had
	version string // of the release, where known
	health  release.Health
	begun   bool  // something of it may have been written
	out     bool  // the rollout goes on without this cluster
	back    bool  // it has been taken back
	err     error // what went wrong here
	status  release.MainStatus
	split   release.Split // who gets the traffic, as last seen

	found  *corev1.Service // the address as it was when we came; nil: there was none
	spared []string        // stay although somebody has moved the traffic away from them

	entry *release.Entry // of the history; nil where no traffic moves
	story story          // what Events tell of it
}

// Look reads every cluster and refuses what is somebody else's. It writes
// nothing.
func (p *Promotion) Look(ctx context.Context) error {
	if p.req.Owner == "" && p.req.Found == nil { // going back changes nobody's ownership
		p.done.Owner = cmp.Or(p.req.Member.Token, NewOwner(p.req.Clusters))
	}
	sides, err := fleet.All(p.reached(), func(c Cluster) (*side, error) {
		s, err := p.lookAt(ctx, c)
		if err != nil {
			p.lose(c.Name(), err)
			return nil, err
		}
		return s, nil
	})
	if err != nil && p.continues() && ctx.Err() == nil {
		err = p.verdict()
	}
	if err != nil {
		return err
	}
	p.sides, p.done.Status = slices.DeleteFunc(sides, func(s *side) bool { return s == nil }), release.MainWaiting
	return nil
}

// reached are the clusters that nothing has gone wrong with so far.
func (p *Promotion) reached() []Cluster {
	return slices.DeleteFunc(fleet.ByName(p.req.Clusters), func(c Cluster) bool { return p.lost[c.Name()] != nil })
}

func (p *Promotion) lookAt(ctx context.Context, c Cluster) (*side, error) {
	e, req := p.engine, p.req
	s := &side{cluster: e.under(c, req.Service.Namespace, req.Service.Application), router: e.router(c, req.Service, req.TakeBack)}
	main, live, err := e.liveMain(ctx, c, req.Service.Namespace, req.Service.Application)
	if err != nil {
		return nil, err
	}
	split, err := s.router.Observe(ctx)
	if err != nil {
		return nil, err
	}
	if main == nil {
		if main, err = p.recall(ctx, s); err != nil {
			return nil, err
		}
	}
	s.live, s.seen, s.before, s.main, s.split = live, *main, *main, *main, split
	s.found = s.router.Found()
	s.made = s.found == nil
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
	if there && !s.there && s.from != main.Deployment {
		if there, err = e.isRelease(ctx, c, release.ID{Namespace: req.Service.Namespace, Name: s.from}, req.Service.Application); err != nil {
			return nil, err
		}
	}
	if !there {
		s.from = main.Deployment
	}
	if err := p.asFound(s); err != nil {
		return nil, err
	}
	s.moves = !s.there || main.Deployment != req.To
	p.movedMeanwhile(s)
	p.goOn(s)
	p.begin(ctx, s)
	return s, p.mayTouch(s)
}

// recall is what is known of an address of which nothing is remembered. Where it is
// there all the same, its ConfigMap was lost: whatever is retained was main once, and
// is kept until the next promotion, the newest first.
func (p *Promotion) recall(ctx context.Context, s *side) (*release.Main, error) {
	main := &release.Main{Schema: release.MainSchema}
	if s.router.Found() == nil {
		return main, nil
	}
	found, err := p.engine.records(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application)
	if err != nil {
		return nil, err
	}
	for name, record := range found.read {
		if name != p.req.To && (record.Custody == release.CustodyRetained || record.Custody == release.CustodyCondemned) {
			s.spared = append(s.spared, name)
		}
	}
	slices.SortFunc(s.spared, func(a, b string) int {
		return cmp.Or(found.live[b].CreationTimestamp.Compare(found.live[a].CreationTimestamp.Time), cmp.Compare(a, b))
	})
	if len(s.spared) > 0 {
		main.Previous = slices.Clone(s.spared)
		p.tell(recalled(s.cluster, p.req.Service.Namespace, p.req.Service.Application, s.spared))
	}
	return main, nil
}

// isRelease says that a name which a selector has is one of the application's
// releases: it has a record, or at least a workload. What has neither is a typo
// in the selector, and was never main.
func (e *Engine) isRelease(ctx context.Context, c Cluster, id release.ID, application string) (bool, error) {
	_, _, err := e.liveRecord(ctx, c, id, application)
	switch {
	case err == nil:
		return true, nil
	case release.IsForeign(err):
		return false, nil
	case !apierrors.IsNotFound(err):
		return false, err
	}
	d, err := e.liveWorkload(ctx, c, id, application)
	if release.IsForeign(err) {
		return false, nil
	}
	return d != nil, err
}

// movedMeanwhile finds out that somebody has moved the traffic of what is being
// moved, since it was planned or since it was written down: what was main then
// stays, and who planned it is told.
func (p *Promotion) movedMeanwhile(s *side) {
	if p.req.Found != nil || s.seen.Checkpoint != nil || s.from == "" || s.from == p.req.To || s.seen.Deployment == p.req.To {
		return
	}
	was, planned := p.req.Planned[s.cluster.Name()]
	if !planned {
		was = s.seen.Deployment
	}
	for _, name := range []string{s.seen.Deployment, was} {
		if name != "" && name != s.from && name != p.req.To && !slices.Contains(s.spared, name) {
			s.spared = append(s.spared, name)
		}
	}
	if was != "" && was != s.from {
		p.tell(movedMeanwhile(s.cluster, p.req.Service.Namespace+"/"+p.req.Service.Application, was, s.from, p.req.To))
	}
}

// goOn takes up a promotion that was cut off while it could still go back: what
// it has done is part of ours.
func (p *Promotion) goOn(s *side) {
	cp := s.main.Checkpoint
	open := cp != nil && cp.To == p.req.To && cp.Before != nil && p.req.Found == nil
	if cp != nil && cp.To == p.req.To {
		s.made = s.made || cp.Made
	}
	switch breach := s.main.Breach; {
	case open && cp.Step == release.MainRollingBack && (breach == nil || breach.To != p.req.To || breach.Refuses(p.req.To, p.req.RetryToken)):
		s.from, s.before, s.moves, s.returns, s.touched = cp.From, *cp.Before, true, true, true
	case p.replaces(s):
	case !p.req.reversible():
	case open:
		s.moves, s.before = true, *cp.Before
		s.resumed, s.touched, s.begun = s.there, s.there, s.there
		if s.there && cp.From != "" {
			s.from = cp.From
		}
	case s.moves && s.there && s.main.Deployment != "":
		s.from = s.main.Deployment // what is written down, where somebody has moved the address
	}
}

// replaces says that this promotion takes the place of one to something else that
// was cut off while it could still go back.
func (p *Promotion) replaces(s *side) bool {
	if p.req.Found != nil {
		return false // going back by hand takes main as it is
	}
	was, tried := s.main.Replacing(p.req.To)
	if tried != "" {
		s.main, s.before, s.unbaked = was, *s.main.Checkpoint.Before, tried
	}
	return tried != ""
}

// mayTouch refuses an address that is somebody else's: see DecidePointer.
func (p *Promotion) mayTouch(s *side) error {
	id := p.req.Service.Namespace + "/" + p.req.Service.Application
	claim := release.PointerClaim{Owner: p.req.Owner, Group: p.req.Member.Group, To: p.req.To}
	if p.req.Found != nil {
		claim.Group = s.main.Group // going back changes nobody's ownership
	}
	if dns := s.main.DNS; dns != nil && dns.Object && claim.Group != "" {
		return &release.NamedError{Cluster: s.cluster.Name(), ID: id, Name: dns.Spec.Name, Group: claim.Group}
	}
	switch release.DecidePointer(&s.main, claim) {
	case release.PointerFree, release.PointerOurs:
	case release.PointerTakeOver:
		p.tell(tookMainOver(s.cluster, id, s.main, p.req.Member.Group))
	case release.PointerTakeBack:
		p.tell(mainOutOfDate(s.cluster, id, s.main))
	case release.PointerRefuseStale:
		return &release.StaleOwnerError{
			Cluster: s.cluster.Name(), Kind: "main deployment", ResourceType: "switchback_main_deployment", ID: id,
		}
	case release.PointerRefuseMember:
		return &release.GroupOwnedError{
			Cluster: s.cluster.Name(), ID: id, Group: s.main.Group, Deployment: s.main.Deployment, Unfinished: s.main.Checkpoint != nil,
		}
	case release.PointerRefuseOwned:
		return &release.MainOwnedError{Cluster: s.cluster.Name(), ID: id, Deployment: s.main.Deployment}
	}
	return nil
}

// AwaitReady waits, for a bounded time, until the release can take the traffic
// on every cluster. It moves nothing, but ends a way back that was cut off. A
// release that did not pass its bake is refused.
func (p *Promotion) AwaitReady(ctx context.Context) error {
	if err := p.refuse(ctx); err != nil {
		return err
	}
	err := p.on(ctx, p.active(), func(s *side) error { return p.awaitReady(ctx, s) })
	if err != nil {
		p.done.Status = release.MainFailed
		p.neverBegan(ctx, err)
	}
	return err
}

// Switch moves the traffic, batch after batch, and writes down that it has moved.
// After an error, some of it may have: Back returns it.
func (p *Promotion) Switch(ctx context.Context) error {
	p.done.Status = release.MainRunning
	batches := p.batches()
	for i, batch := range batches {
		if err := p.switchBatch(ctx, batch); err != nil {
			return err
		}
		if i == len(batches)-1 {
			break
		}
		if err := p.bake(ctx, slices.Concat(batches[:i+1]...), p.req.Rollout.Bake); err != nil {
			return err
		}
	}
	p.moved(ctx)
	return nil
}

// Finalize ends a promotion whose traffic has moved: the old side drains, and
// what nobody needs any more goes.
func (p *Promotion) Finalize(ctx context.Context) error {
	p.req.say("traffic is on %s; finishing", p.req.To)
	_, err := fleet.All(p.active(), func(s *side) (struct{}, error) {
		if s.err = p.finalize(ctx, s); s.err == nil {
			s.status = release.MainFinalized
		}
		return struct{}{}, s.err
	})
	if err != nil {
		return err
	}
	p.done.Status = release.MainFinalized
	if p.done.Reason = p.leftBehind(); p.done.Reason != "" {
		p.done.Status = release.MainRunning // not on all clusters
	}
	return nil
}

// checkpoint writes down what is about to happen, before it does.
func (p *Promotion) checkpoint(ctx context.Context, s *side, step release.MainStatus, entries ...release.Entry) error {
	s.begun, s.status = true, step
	s.main.Checkpoint = &release.Checkpoint{From: s.from, To: p.req.To, Step: step, Holder: p.engine.holder, OldService: s.renamed, Made: s.made}
	if s.moves && (p.req.reversible() || s.returns) {
		s.main.Checkpoint.Before = s.before.AsBefore()
	}
	if s.main.Owner != p.done.Owner {
		s.main.Owner, s.main.ClaimedAt = p.done.Owner, s.cluster.Now().UTC()
	}
	if p.req.Found == nil {
		s.main.Group, s.main.Member = p.req.Member.Group, p.req.Member.Name
	}
	s.main = s.main.Keeping(p.req.Keep)
	s.main.Service, s.main.Drain = p.req.Service.Name, p.req.Drain
	return p.save(ctx, s, entries...)
}

// save writes the application's ConfigMap.
func (p *Promotion) save(ctx context.Context, s *side, entries ...release.Entry) error {
	return p.engine.saveMain(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application, &s.live, &s.main, entries...)
}

// switchTo moves the address and returns when the data plane has it.
func (p *Promotion) switchTo(ctx context.Context, s *side) error {
	p.req.say("%s: moving traffic from %s to %s", s.cluster.Name(), release.OrNothing(s.from), p.req.To)
	p.step(ctx, s, release.EventSwitching, fmt.Sprintf("traffic moves from %s to %s", release.OrNothing(s.from), p.req.To))
	err := p.engine.ensure(ctx, s, p.req.To, p.req.Service.Namespace)
	s.touched = s.touched || s.router.Applied() != nil || !p.refused(ctx, s, err)
	if err != nil {
		return err
	}
	s.split = release.Split{p.req.To: 100}
	return nil
}

// refused says that a switch has touched nothing: it was answered with no, and
// the address leads where it led before.
func (p *Promotion) refused(ctx context.Context, s *side, err error) bool {
	if leaseLost(ctx, err) != nil {
		return true
	}
	var status apierrors.APIStatus
	if ctx.Err() != nil || !errors.As(err, &status) {
		return false
	}
	if code := status.Status().Code; code < http.StatusBadRequest || code >= http.StatusInternalServerError {
		return false
	}
	if _, err := s.router.Observe(ctx); err != nil { // an earlier attempt may have come through
		return false
	}
	now := s.router.Found()
	return now == nil && s.found == nil || now != nil && s.found != nil && now.UID == s.found.UID && maps.Equal(now.Spec.Selector, s.found.Spec.Selector)
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
func (p *Promotion) commit(ctx context.Context, s *side) error {
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
	if s.moves {
		s.main.Spared = nil
		for _, name := range s.spared {
			if slices.Contains(s.main.Previous, name) {
				s.main.Spared = append(s.main.Spared, name)
			}
		}
	}
	s.main = s.main.Noted(s.cluster.Now())
	if breach := s.main.Breach; s.moves || breach != nil && breach.To == p.req.To {
		s.main.Breach = breach.Passed(p.req.To)
	}
	if applied := s.router.Applied(); applied != nil {
		s.main.Baseline = p.baseline(s, applied)
	}
	return p.checkpoint(ctx, s, release.MainFinalizing, p.outcome(ctx, s, nil)...)
}

// moved notes that traffic is where it was asked to be.
func (p *Promotion) moved(ctx context.Context) {
	p.done.Moved, p.done.Status = true, release.MainFinalizing
	first := p.active()[0].main
	p.done.Service = p.active()[0].router.Applied()
	p.done.PromotedAt = first.PromotedAt
	if len(first.Previous) > 0 {
		p.done.Previous = first.Previous[0]
	}
	for _, s := range p.active() {
		p.done.Named = p.done.Named || s.main.DNS != nil
		p.tellMoved(ctx, s)
	}
}

// finalize collects what only waited for main to move away, and what is kept no
// longer.
func (p *Promotion) finalize(ctx context.Context, s *side) error {
	if s.main.Checkpoint.Open() { // nothing goes back from here: the old side is free
		s.main.Checkpoint.Before = nil
		if err := p.save(ctx, s); err != nil {
			return err
		}
	}
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
	if err := p.save(ctx, s, collected.entries...); err != nil {
		return err
	}
	if s.unbaked != "" {
		p.tell(notBaked(s.cluster, release.ID{Namespace: p.req.Service.Namespace, Name: s.unbaked}, s.before.Deployment, s.main))
	}
	p.step(ctx, s, release.EventFinalized, "the move to "+p.req.To+" has come to its end")
	s.story.end(ctx)
	return nil
}

// removeRenamed removes the address's former name after the drain.
func (p *Promotion) removeRenamed(ctx context.Context, s *side) error {
	if s.renamed == "" || s.renamed == p.req.Service.Name {
		return nil
	}
	if err := pause(ctx, p.req.Drain); err != nil {
		return err
	}
	old := p.req.Service
	old.Name = s.renamed
	return p.engine.router(s.cluster, old, false).Remove(ctx)
}
