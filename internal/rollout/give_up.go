package rollout

import (
	"cmp"
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A release that has failed on its way to be main, or that somebody does not want, ends as its
// own OnFailure says. For example: api-2 has 25 %, and its pods crash. All of the traffic goes
// back to api-1. When that has been seen, and api-2 has drained, its pods go. A run that is
// killed in between leaves a promotion that is taken back, and the next one goes on with that.

// failed says that the promotion's release is given up on a cluster. One that goes back for
// what the release cannot help, or for a Ctrl-C, tries it again, with the pods that it has.
func (p *Promotion) failed(pl *placement, cause error) bool {
	return TakesBack(cause) && pl.moves() && pl.side() != "" && pl.from() != p.req.To && (p.was == nil || p.undoes)
}

// givenUp is a release that is given up, as it was found.
type givenUp struct {
	id     release.ID
	live   *corev1.ConfigMap
	record *release.Record
	pods   *appsv1.Deployment // nil: it has no workload
}

// toGiveUp is what is still to end of a release; nil: nothing. What is in nobody's state is
// collected by whoever promotes next.
func (p *Promotion) toGiveUp(ctx context.Context, pl *placement, name string) (*givenUp, error) {
	g := &givenUp{id: release.ID{Namespace: p.req.Service.Namespace, Name: name}}
	var err error
	if g.live, g.record, err = ownership.LiveRecord(ctx, pl.cluster, g.id, p.req.Service.Application); err != nil {
		return nil, ignoreNotFound(err)
	}
	stops, ends := g.record.OnFailure == release.OnFailureStop, g.record.OnFailure == release.OnFailureTerminate
	switch custody := g.record.Custody; {
	case ends && (custody == release.CustodyOwned || custody == release.CustodyTerminating):
	case stops && custody == release.CustodyOwned && g.record.Status != release.StatusStopped:
	default:
		return nil, nil
	}
	if g.pods, err = p.engine.liveWorkload(ctx, pl.cluster, g.id, p.req.Service.Application); err != nil {
		return nil, err
	}
	if stops && g.pods == nil {
		return nil, nil
	}
	return g, nil
}

// giveUp ends the promotion's release on a cluster whose traffic is back, and whose pointer is
// about to be written as it was. It writes the entries first, which are then none. What keeps
// the release from ending is told, and does not keep the promotion open. Where somebody
// presses Ctrl-C, errUnended leaves it open for the next run.
func (p *Promotion) giveUp(ctx context.Context, pl *placement, switched bool, entries []release.Entry) ([]release.Entry, error) {
	if pl.progress.GivesUp != p.req.To {
		return entries, nil
	}
	g, err := p.toGiveUp(context.WithoutCancel(ctx), pl, p.req.To)
	if err != nil {
		p.notice(runsOnTakenBack(pl.cluster, p.id(), reasonOf(err)))
	}
	if g == nil || err != nil {
		return entries, nil
	}
	ending, cancel := p.ending(ctx, g)
	defer cancel()
	if !pl.progress.Returned {
		if err := p.hasLeft(ending, pl, switched); err != nil {
			return nil, unended(ctx, err)
		}
		back := pl.progress
		back.Direction, back.Paused, back.Returned, back.Holder = release.DirectionBack, false, true, p.engine.keeper.Holder()
		back.Before = cmp.Or(back.Before, pl.start.Before.AsBefore())
		pl.main.Progress = &back
		if err := p.write(ending, pl, entries...); err != nil {
			return nil, unended(ctx, err)
		}
		pl.progress = back
	}
	err = unended(ctx, p.end(ending, pl, g))
	pl.main.Progress = nil
	return nil, err
}

// errUnended says that a run was called off before a release that is given up had ended.
var errUnended = errors.New("interrupted")

func unended(ctx context.Context, err error) error {
	if err != nil && ownership.Interrupted(ctx) && ownership.Lost(ctx, err) == nil {
		return errUnended
	}
	return err
}

// giveUpOn ends the release that a way back without a configuration leaves, when the traffic
// is where it goes back to.
func (p *Promotion) giveUpOn(ctx context.Context, pl *placement) error {
	name := pl.progress.GivesUp
	if name == "" || name == p.req.To {
		return nil
	}
	g, err := p.toGiveUp(ctx, pl, name)
	if g == nil || err != nil {
		return err
	}
	if err := drain(ctx, p.req.Drain); err != nil {
		return err
	}
	return p.end(ctx, pl, g)
}

// ending is a context for what takes as long as a drain, and as pods take to end. Whoever
// presses Ctrl-C waits no longer: the next run goes on.
func (p *Promotion) ending(ctx context.Context, g *givenUp) (context.Context, context.CancelFunc) {
	limit := p.req.Drain + p.engine.timing.Settle
	if g.pods != nil && g.pods.Spec.Template.Spec.TerminationGracePeriodSeconds != nil {
		limit += time.Duration(*g.pods.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if ownership.Interrupted(ctx) {
			cancel()
		}
	})
	return ending, func() { stop(); cancel() }
}

// hasLeft returns when the traffic is seen to be where it was, and the release has drained.
func (p *Promotion) hasLeft(ctx context.Context, pl *placement, switched bool) error {
	if pl.stage < promotion.Shifted {
		return nil
	}
	if pl.route != nil && !switched && !pl.theirs() { // by a run that was cut off, which may not have seen it
		seen, err := pl.look(ctx)
		if err == nil && seen.Route != nil {
			err = p.ensureRoute(ctx, pl, release.Split{pl.from(): 100})
		}
		if err != nil {
			return err
		}
	}
	p.req.say("%s: the traffic is back at %s; %s drains", pl.cluster.Name(), pl.side(), p.req.To)
	return drain(ctx, p.req.Drain)
}

// end does what the release's OnFailure says. Its error says that somebody else has taken
// over, or that the run was called off.
func (p *Promotion) end(ctx context.Context, pl *placement, g *givenUp) error {
	err := p.endHeld(ctx, pl, g)
	switch {
	case err == nil, release.ReadAgain(err), apierrors.IsNotFound(err): // claimed or removed since we looked
		return nil
	case ownership.Lost(ctx, err) != nil, errors.Is(ctx.Err(), context.Canceled):
		return err
	}
	p.notice(runsOnTakenBack(pl.cluster, g.id, reasonOf(err)))
	return nil
}

func (p *Promotion) endHeld(ctx context.Context, pl *placement, g *givenUp) error {
	e, c, application := p.engine, pl.cluster, p.req.Service.Application
	working, err := e.keeper.Working(ctx, c, g.live, g.record)
	if err != nil {
		return err
	}
	if working {
		return errors.New("it is being worked on by " + g.record.Holder)
	}
	ends := g.record.OnFailure == release.OnFailureTerminate
	if g.pods != nil {
		why := e.mayRemove(ctx, c, application, g.pods)
		if keeps := why.pods; keeps != "" || ends && why.objects != "" {
			return errors.New(cmp.Or(keeps, why.objects))
		}
	}
	if ends {
		p.req.say("%s: removing %s, as its on_failure says", c.Name(), g.id.Name)
		entry := e.entry(ctx, c, release.OperationTerminate, g.id.Name, g.record.Version)
		entry.Reason = "on_failure: " + p.takenBack(pl, g.id.Name)
		return e.remove(ctx, c, g.id, application, g.live, g.record, &ownership.Held{}, &entry)
	}
	p.req.say("%s: stopping %s, as its on_failure says", c.Name(), g.id.Name)
	cl, err := e.claimKept(ctx, c, application, g.live, g.record, g.pods, release.DesiredStopped)
	if err != nil {
		return err
	}
	why := p.takenBack(pl, g.id.Name)
	return e.stopHeld(ctx, cl, func(r *release.Record) { r.Halt = release.Halt{TakenBack: why} })
}

// takenBack is why the traffic was taken back from a release, in one line.
func (p *Promotion) takenBack(pl *placement, name string) string {
	if b := pl.main.Breach; b != nil && b.To == name {
		return b.Reason
	}
	return "its promotion was given up"
}
