package rollout

import (
	"context"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// commit writes down that the promotion does not go back any more: the old side is
// free. The Service follows the route then.
func (p *Promotion) commit(ctx context.Context, pl *placement) error {
	if err := p.follow(ctx, pl); err != nil {
		return err
	}
	next := pl.progress
	next.At++
	next.Before = nil
	pl.main.Progress = &next
	if err := p.write(ctx, pl); err != nil {
		return err
	}
	pl.progress = next
	return nil
}

// removeRenamed removes the address's former name, and its former route, after the
// drain.
func (p *Promotion) removeRenamed(ctx context.Context, pl *placement) error {
	if err := drain(ctx, p.req.Drain); err != nil {
		return err
	}
	if err := p.leaveRoutes(ctx, pl, pl.progress.Leaves, p.req.To); err != nil {
		return err
	}
	if pl.progress.Renames == "" {
		return nil
	}
	old := p.req.Service
	old.Name = pl.progress.Renames
	return p.engine.router(pl.cluster, old, false).Remove(ctx)
}

// leaveRoutes removes former routes of the address, of which to is main; empty: nothing is.
func (p *Promotion) leaveRoutes(ctx context.Context, pl *placement, leaves release.Routes, to string) error {
	for _, left := range leaves {
		told, err := p.engine.removeRoute(ctx, pl.cluster, p.req.Service, *left, to)
		if err != nil {
			return err
		}
		p.notice(told...)
		if left.Adopted != nil && len(told) == 0 { // what was on its way through the rule
			if err := drain(ctx, p.req.Drain); err != nil {
				return err
			}
		}
	}
	return nil
}

// leaveAll removes, where nothing is main after a way back, the former routes of the address:
// nothing will remember them.
func (p *Promotion) leaveAll(ctx context.Context, pl *placement) error {
	return p.leaveRoutes(ctx, pl, pl.progress.Leaves, "")
}

// collect ends the promotion: what nobody needs any more goes.
func (p *Promotion) collect(ctx context.Context, due []*placement) error {
	p.req.say("traffic is on %s; finishing", p.req.To)
	if err := p.toEnd(ctx, due, p.collectOn); err != nil {
		return err
	}
	p.done.Status = release.MainFinalized
	if p.done.Reason = p.leftBehind(); p.done.Reason != "" {
		p.done.Status = release.MainRunning // not on all clusters
	}
	return nil
}

// beside notes what is there beside main, as the state will have it. The former main is
// still in a Terraform state, as a rule until later in the same apply: it is told as
// its Delete will leave it.
func (p *Promotion) beside(pl *placement, records map[string]*release.Record) {
	from := pl.from()
	if r := records[from]; r != nil && r.Custody == release.CustodyOwned && from != p.req.To {
		r.Custody = release.CustodyRetained
		if pl.main.Keep().State == release.DesiredStopped {
			r.Status = release.StatusStopped
		}
		if !slices.Contains(pl.main.Kept(pl.cluster.Now()), from) {
			delete(records, from)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Stays = release.JoinStays(p.done.Stays, release.Stays(pl.main, records))
}

// collectOn collects, on one cluster, what only waited for main to move away, and
// what is kept no longer.
func (p *Promotion) collectOn(ctx context.Context, pl *placement) error {
	namespace, application := p.req.Service.Namespace, p.req.Service.Application
	if err := p.engine.restoreFloors(ctx, pl.cluster, namespace, application, pl.progress.Floors); err != nil {
		return err
	}
	if err := p.giveUpOn(ctx, pl); err != nil {
		return err
	}
	collected, err := p.engine.collect(ctx, pl.cluster, namespace, application, pl.main)
	p.notice(collected.notices...)
	if err != nil {
		p.engine.keeper.RememberIfAny(ctx, pl.cluster, namespace, application, collected.entries...)
		return err
	}
	p.beside(pl, collected.records)
	pl.main.Progress = nil
	if err := p.write(ctx, pl, collected.entries...); err != nil {
		return err
	}
	pl.status = release.MainFinalized
	if unproven := pl.start.Unproven; unproven != "" {
		p.notice(notBaked(pl.cluster, release.ID{Namespace: namespace, Name: unproven}, pl.start.Before.Deployment, pl.main))
	}
	p.step(ctx, pl, release.EventFinalized, "the move to "+p.req.To+" has come to its end")
	pl.events.end(ctx)
	return nil
}
