package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Return returns every cluster that may have been switched to where its traffic
// was. The result is cause, with what else went wrong. What has been committed
// goes back only to what can take it: otherwise it stays where it is, everywhere.
func (p *Promotion) Return(ctx context.Context, cause error) error {
	if lost := ownership.LeaseLost(ctx, cause); lost != nil {
		p.lostIt(ctx)
		return lost // what becomes of the traffic is up to whoever has the Lease
	}
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	todo := slices.DeleteFunc(slices.Clone(p.placements), func(pl *placement) bool { return pl.fate == returned || pl.fate == stays })
	if err := p.noShareBack(clean, todo); err != nil {
		return p.stay(clean, todo, cause, err)
	}
	taken := func(pl *placement) bool {
		return pl.start.Course == promotion.Returns || pl.start.Course == promotion.Resumes
	}
	if p.done.Moved || TakesBack(cause) || slices.ContainsFunc(todo, taken) {
		if err := p.noWayBack(clean, todo); err != nil {
			return p.stay(clean, todo, cause, err)
		}
	}
	p.done.Status, p.done.Moved = release.MainRolledBack, false
	_, err := fleet.All(todo, func(pl *placement) (struct{}, error) {
		return struct{}{}, p.returnOn(ctx, clean, pl, cause)
	})
	if lost := ownership.LeaseLost(clean, err); lost != nil {
		p.lostIt(ctx)
		return errors.Join(cause, lost)
	}
	if err != nil {
		p.done.Status = release.MainFailed
		return errors.Join(cause, wentWrongToo(err))
	}
	if told := p.toldBack(todo, cause); told != nil {
		p.done.Status = release.MainRollingBack
		return told
	}
	sayTraffic(cause, "back where it was")
	return cause
}

// lostIt says, as far as it can be seen, where the traffic is that somebody else
// has taken over.
func (p *Promotion) lostIt(ctx context.Context) {
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	p.done.Status, p.done.Moved = release.MainFailed, false
	_, _ = fleet.All(p.placements, func(pl *placement) (struct{}, error) {
		pl.status = release.MainFailed
		p.see(clean, pl)
		return struct{}{}, nil
	})
}

func wentWrongToo(err error) error {
	return fmt.Errorf("going back failed too; the next apply continues from here: %w", err)
}

// sayTraffic completes what a failed bake says.
func sayTraffic(cause error, traffic string) {
	for _, breach := range bakeErrors(cause) {
		breach.Traffic = traffic
	}
}

// returnOn takes one cluster back. ctx tells a Ctrl-C, clean is for working. What may
// be written down as moved is written down as going back before it does, so that a
// kill in between cannot make the next run try the same again.
func (p *Promotion) returnOn(ctx, clean context.Context, pl *placement, cause error) error {
	if pl.stage == promotion.Untouched {
		p.neverBeganOn(ctx, clean, pl, cause)
		pl.fate = returned
		return nil
	}
	if p.failed(pl, cause) {
		pl.progress.GivesUp = p.req.To
	}
	recorded, returns := pl.stage == promotion.Recorded, pl.start.Course == promotion.Returns && pl.seen.Progress.Direction == release.DirectionBack
	p.noteBreach(pl, cause)
	if ownership.Interrupted(ctx) && p.waits(pl) {
		return p.tellBack(ctx, clean, pl, cause)
	}
	if (recorded || pl.start.Shares) && !returns {
		back := pl.progress
		back.Direction = release.DirectionBack
		var changed *release.PointerChangedError
		if err := p.save(clean, pl, back); ownership.Lost(clean, err) != nil || errors.As(err, &changed) {
			pl.status, pl.err = release.MainFailed, errors.Join(pl.err, err)
			return err
		} // after any other error it goes back all the same
	}
	clean, cancel, err := p.backOn(ctx, clean, pl)
	defer cancel()
	if err == nil {
		err = p.restoreOn(ctx, clean, pl, cause, recorded)
	}
	if errors.Is(err, errUnended) {
		pl.status, pl.fate, pl.unended = release.MainRollingBack, returned, true
		return nil
	}
	if err != nil {
		pl.status = release.MainFailed
		pl.err = errors.Join(pl.err, wentWrongToo(err))
		p.see(clean, pl)
		return err
	}
	pl.status, pl.fate = release.MainRolledBack, returned
	return nil
}

// restoreOn makes the address and the pointer of one cluster what they were.
func (p *Promotion) restoreOn(ctx, clean context.Context, pl *placement, cause error, recorded bool) error {
	switched, err := p.switchBack(clean, pl)
	if err != nil {
		return err
	}
	p.see(clean, pl)
	var entries []release.Entry
	if !pl.progress.Returned { // else that was written then
		entries = p.wentBack(ctx, pl, cause, switched, recorded)
	}
	if pl.live == nil {
		return nil
	}
	if err := p.engine.restoreFloors(clean, pl.cluster, p.req.Service.Namespace, p.req.Service.Application, pl.progress.Floors); err != nil {
		return err
	}
	p.restored(pl)
	if entries, err = p.giveUp(ctx, pl, switched, entries); err != nil {
		return err
	}
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	if pl.from() == "" && pl.start.Before.Deployment == "" { // nothing was main before, even where its record was under way and the reply was lost
		if err := p.leaveAll(clean, pl); err != nil {
			return err
		}
		breach := pl.main.Breach
		if breach != nil && breach.Theirs == "" {
			breach = nil // main elsewhere, perhaps, and tried here with it the next time
		}
		return p.engine.keeper.DropMain(clean, pl.cluster, p.req.Service.Namespace, p.req.Service.Application, pl.live, breach, entries...)
	}
	return p.write(clean, pl, entries...)
}

// restored makes the pointer of one cluster what it was. It writes nothing.
func (p *Promotion) restored(pl *placement) {
	pl.main = promotion.Restored(pl.start, pl.main, pl.cluster.Now())
	if pl.main.Route != nil && pl.main.Route.Adopted == nil && pl.route != nil && pl.route.Applied() != nil {
		pl.main.RouteBaseline = workload.Baseline(pl.route.Applied())
	}
	if applied := pl.router.Applied(); applied != nil {
		if protocols := p.req.Service.ProtocolsIn(applied); !maps.Equal(protocols, pl.main.Protocols) {
			pl.main.Protocols, pl.main.Baseline = protocols, workload.Baseline(applied)
		}
	}
	p.disown(pl)
}

// noteBreach notes on main that the release did not pass its bake, or that somebody has
// asked to go back from it, where that is why it is taken back; otherwise main
// remembers what it did before.
func (p *Promotion) noteBreach(pl *placement, cause error) {
	if pl.start.Course == promotion.Returns {
		return // it is there already
	}
	pl.main.Breach = pl.start.Before.Breach
	if !pl.moves() {
		return // it is main here, and was before
	}
	breach := release.Breach{From: pl.from(), Theirs: pl.theirSide(), To: p.req.To, RetryToken: p.req.RetryToken, At: pl.cluster.Now().UTC().Truncate(time.Second)}
	for _, failed := range bakeErrors(cause) {
		if failed.ID == p.id() {
			breach.Share, breach.Mirror, breach.Reason = failed.Share%100, failed.Copies, reasonOf(failed)
			pl.main.Breach = &breach
			return
		}
	}
	if asked := (*release.AskedBackError)(nil); errors.As(cause, &asked) && !asked.Request.Forgets {
		share, copies := pl.share(p.req.To), pl.copies()
		breach.Share, breach.Waited, breach.Mirror = share%100, share == 0 && copies == 0, copies
		pl.main.Breach = breach.Asked(asked.Request.By).Because(asked.Request.Why)
	}
}

// switchBack returns the address to where it was, if it may have moved, and says
// whether traffic moved by that.
func (p *Promotion) switchBack(ctx context.Context, pl *placement) (moved bool, err error) {
	from := pl.from()
	if pl.stage < promotion.Shifted || pl.start.There && (!pl.moves() || from == p.req.To) {
		return false, nil
	}
	if pl.route != nil {
		return p.routeBack(ctx, pl)
	}
	switch {
	case from != "" && pl.progress.Renames == "":
	case pl.progress.Made || p.req.Service.Adopt:
		return false, pl.router.Remove(ctx) // the address is new, or handed back; a former one was not touched
	case pl.found.Service != nil: // it was there, and led to nothing that is known
		return true, pl.router.Reselect(ctx, pl.found.Service.Spec.Selector)
	default:
		return false, nil
	}
	seen, err := pl.router.Look(ctx)
	if err != nil {
		return false, err
	}
	if now, _ := seen.Split.Stable(); now == from {
		return false, nil
	}
	pl.router.Returns()
	err = p.ensure(ctx, pl, release.Split{from: 100})
	if err == nil {
		p.engine.trafficLeft(ownership.Key(pl.cluster, p.req.Service.Namespace, p.req.To))
	}
	return true, err
}
