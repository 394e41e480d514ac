package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Promotion is one Promote, step by step, for who moves several applications as
// one: Look, then Advance to the end, or Return. All is done within Together.
type Promotion struct {
	engine     *Engine
	req        PromoteRequest
	placements []*placement // by cluster

	was     map[string]string    // see GoBackRequest; nil for what a configuration asks for
	undoes  bool                 // see GoBackRequest
	forgets bool                 // see GoBackRequest
	desired release.DesiredState // see GoBackRequest
	skips   bool                 // see GoBackRequest
	began   time.Time

	mu   sync.Mutex
	lost map[string]error // by cluster: what it failed with before it was looked at
	done Promoted
}

// NewPromotion prepares a promotion. It reads nothing.
func (e *Engine) NewPromotion(req PromoteRequest) *Promotion {
	p := &Promotion{engine: e, req: req, began: time.Now(), lost: map[string]error{}, done: Promoted{Owner: req.Owner, Status: release.MainFailed}}
	maps.Copy(p.lost, req.Unready)
	return p
}

// Together runs f while this process holds the Leases of all that is promoted,
// on every cluster.
func (e *Engine) Together(ctx context.Context, promotions []*Promotion, f func(context.Context) error) error {
	var scopes []ownership.Scope
	for _, p := range promotions {
		if err := p.verdict(); err != nil {
			return err
		}
		for _, s := range ownership.ScopesOf(p.req.Clusters, p.req.Service.Namespace, p.req.Service.Application) {
			s.Spare = func(err error) error { p.lose(s.Cluster.Name(), err); return p.verdict() }
			scopes = append(scopes, s)
		}
	}
	return e.keeper.LockedAll(ctx, scopes, func(ctx context.Context, _ *ownership.Held) error { return f(ctx) })
}

// Done is what has become of the promotion so far.
func (p *Promotion) Done() Promoted {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Clusters = p.outcomes()
	return p.done
}

func (p *Promotion) notice(notices ...Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Notices = append(p.done.Notices, notices...)
}

// Look reads every cluster and refuses what is somebody else's. It writes
// nothing.
func (p *Promotion) Look(ctx context.Context) error {
	if p.req.Owner == "" && p.was == nil { // going back changes nobody's ownership
		p.done.Owner = cmp.Or(p.req.Member.Token, ownership.NewOwner(p.req.Clusters))
	}
	placements, err := fleet.All(p.reached(), func(c Cluster) (*placement, error) {
		pl, err := p.lookAt(ctx, c)
		if err != nil {
			p.lose(c.Name(), err)
			return nil, err
		}
		return pl, nil
	})
	if err != nil && p.continues() && ctx.Err() == nil {
		err = p.verdict()
	}
	if err != nil {
		return err
	}
	p.placements, p.done.Status = slices.DeleteFunc(placements, func(pl *placement) bool { return pl == nil }), release.MainWaiting
	return nil
}

// reached are the clusters that nothing has gone wrong with so far.
func (p *Promotion) reached() []Cluster {
	return slices.DeleteFunc(fleet.ByName(p.req.Clusters), func(c Cluster) bool { return p.lost[c.Name()] != nil })
}

// want is what the promotion is for.
func (p *Promotion) want() promotion.Want {
	return promotion.Want{
		To: p.req.To, Service: p.req.Service.Name, Bake: p.req.Bake, Reversible: p.req.reversible(), RetryToken: p.req.RetryToken,
		Stopped: p.req.Stopped, Retraces: p.was != nil && !p.skips, Skips: p.skips, Undoes: p.undoes, Canary: p.req.Canary, Route: p.req.route(),
	}
}

// wanted is want on one cluster.
func (p *Promotion) wanted(pl *placement) promotion.Want {
	want := p.want()
	if p.was != nil {
		want.Stopped = pl.saw.Main.Stopped() // nobody asks for anything else
	}
	if p.was == nil && !p.req.Starts && pl.saw.Main.StaysStopped() != nil {
		want.Stopped = true
	}
	if p.desired != "" {
		want.Stopped = p.desired == release.DesiredStopped
	}
	return want
}

func (p *Promotion) lookAt(ctx context.Context, c Cluster) (*placement, error) {
	e, req := p.engine, p.req
	pl := &placement{cluster: e.keeper.Under(c, req.Service.Namespace, req.Service.Application), router: e.router(c, req.Service, req.TakeBack)}
	if req.Route != nil {
		route := *req.Route
		route.Candidate = req.To
		pl.route = e.gateway(c, route, req.TakeBack)
	}
	main, live, err := ownership.LiveMain(ctx, c, req.Service.Namespace, req.Service.Application)
	if err != nil {
		return nil, err
	}
	if pl.found, err = pl.look(ctx); err != nil {
		return nil, err
	}
	split := pl.found.Split
	if open := openOf(main); open.Theirs != "" && open.Before != nil && pl.found.Route == nil {
		split = release.Split{} // the rule is theirs again; the Service that was made ahead has no traffic of it
	}
	var kept []string
	if main == nil {
		main = new(release.Main)
		if live != nil {
			main.Breach = ownership.BreachIn(live.Data)
		}
		if kept, err = p.recall(ctx, pl, main); err != nil {
			return nil, err
		}
	}
	pl.live, pl.seen, pl.main, pl.split = live, *main, *main, split
	if err := p.adopt(ctx, pl); err != nil {
		return nil, err
	}
	if err := p.adoptRule(ctx, pl); err != nil {
		return nil, err
	}
	if err := p.knowsRoute(ctx, pl); err != nil {
		return nil, err
	}
	seen := promotion.Seen{Main: pl.main, Split: split, Mirrors: pl.found.Mirrors, Address: pl.found.Exists(), Kept: kept, Planned: main.Deployment}
	if planned, ok := req.Planned[c.Name()]; ok {
		seen.Planned = planned
	}
	if seen.Stray, err = p.strayed(ctx, c, split, main.Deployment); err != nil {
		return nil, err
	}
	if err := p.asDecided(pl); err != nil {
		return nil, err
	}
	if err := p.seeShares(ctx, pl, &seen); err != nil {
		return nil, err
	}
	pl.saw = seen
	if pl.begins(promotion.Begin(p.wanted(pl), seen)); pl.start.Idle {
		pl.router.Empty()
		if pl.route != nil {
			pl.route.Empty()
		}
	}
	if was := pl.start.Overrode; was != "" {
		p.notice(movedMeanwhile(pl.cluster, p.address(), was, pl.from(), req.To))
	}
	if p.was != nil && !p.forgets && !p.skips {
		pl.main.Breach = main.LeftBy(p.backTo(), mask.Redact(c.User(ctx)), because(ctx), c.Now())
	}
	p.begin(ctx, pl)
	return pl, p.mayTouch(pl)
}

// recall is what is known of an address of which nothing is remembered. Where it is
// there all the same, its ConfigMap was lost: whatever is retained was main once, and
// is kept until the next promotion, the newest first.
func (p *Promotion) recall(ctx context.Context, pl *placement, main *release.Main) (kept []string, err error) {
	if pl.found.Service == nil {
		return nil, nil
	}
	found, err := ownership.RecordsOf(ctx, pl.cluster, p.req.Service.Namespace, p.req.Service.Application)
	if err != nil {
		return nil, err
	}
	for name, record := range found.Read {
		if name != p.req.To && (record.Custody == release.CustodyRetained || record.Custody == release.CustodyCondemned) {
			kept = append(kept, name)
		}
	}
	slices.SortFunc(kept, func(a, b string) int {
		return cmp.Or(found.Live[b].CreationTimestamp.Compare(found.Live[a].CreationTimestamp.Time), cmp.Compare(a, b))
	})
	if len(kept) > 0 {
		main.Previous = slices.Clone(kept)
		p.notice(recalled(pl.cluster, p.req.Service.Namespace, p.req.Service.Application, kept))
	}
	return kept, nil
}

// strayed says that who has all of the traffic is no release of the application.
func (p *Promotion) strayed(ctx context.Context, c Cluster, split release.Split, known string) (bool, error) {
	name, all := split.Stable()
	if !all || name == p.req.To || name == known {
		return false, nil
	}
	is, err := p.engine.isRelease(ctx, c, release.ID{Namespace: p.req.Service.Namespace, Name: name}, p.req.Service.Application)
	return !is, err
}

// address names the application whose address is moved.
func (p *Promotion) address() string {
	return p.req.Service.Namespace + "/" + p.req.Service.Application
}

// isRelease says that a name which a selector has is one of the application's
// releases: it has a record, or at least a workload. What has neither is a typo
// in the selector, and was never main.
func (e *Engine) isRelease(ctx context.Context, c Cluster, id release.ID, application string) (bool, error) {
	_, _, err := ownership.LiveRecord(ctx, c, id, application)
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

// mayTouch refuses an address that is somebody else's: see DecidePointer.
func (p *Promotion) mayTouch(pl *placement) error {
	id := p.address()
	group, _ := p.belongs(pl)
	claim := release.PointerClaim{Owner: p.req.Owner, Group: group, To: p.req.To}
	if dns := pl.main.DNS; dns != nil && dns.Object && claim.Group != "" {
		return &release.NamedError{Cluster: pl.cluster.Name(), ID: id, Name: dns.Spec.Name, Group: claim.Group}
	}
	switch release.DecidePointer(&pl.main, claim) {
	case release.PointerFree, release.PointerOurs:
	case release.PointerTakeOver:
		p.notice(tookMainOver(pl.cluster, id, pl.main, p.req.Member.Group))
	case release.PointerTakeBack:
		p.notice(mainOutOfDate(pl.cluster, id, pl.main))
	case release.PointerRefuseStale:
		return &release.StaleOwnerError{
			Cluster: pl.cluster.Name(), Kind: "main deployment", ResourceType: "switchback_main_deployment", ID: id,
		}
	case release.PointerRefuseMember:
		return &release.GroupOwnedError{
			Cluster: pl.cluster.Name(), ID: id, Group: pl.main.Group, Deployment: pl.main.Deployment, Unfinished: pl.main.Progress != nil,
		}
	case release.PointerRefuseOwned:
		return &release.MainOwnedError{Cluster: pl.cluster.Name(), ID: id, Deployment: pl.main.Deployment}
	}
	return nil
}
