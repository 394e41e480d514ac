package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Back returns every cluster that may have been switched to where its traffic
// was. The result is cause, with what else went wrong. What has been committed
// goes back only to what can take it: otherwise it stays where it is, everywhere.
func (p *Promotion) Back(ctx context.Context, cause error) error {
	if lost := leaseLost(ctx, cause); lost != nil {
		p.lostIt(ctx)
		return lost // what becomes of the traffic is up to whoever has the Lease
	}
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	sides := slices.DeleteFunc(slices.Clone(p.sides), func(s *side) bool { return s.back })
	if p.done.Moved || len(bakeErrors(cause)) > 0 || slices.ContainsFunc(sides, func(s *side) bool { return s.returns || s.resumed }) {
		if err := p.noWayBack(clean, sides); err != nil {
			return p.stay(clean, sides, cause, err)
		}
	}
	p.done.Status, p.done.Moved = release.MainRolledBack, false
	_, err := fleet.All(sides, func(s *side) (struct{}, error) {
		return struct{}{}, p.rollBackSide(ctx, clean, s, cause)
	})
	if lost := leaseLost(clean, err); lost != nil {
		p.lostIt(ctx)
		return errors.Join(cause, lost)
	}
	if err != nil {
		p.done.Status = release.MainFailed
		return errors.Join(cause, wentWrongToo(err))
	}
	sayTraffic(cause, "back where it was")
	return cause
}

// lostIt says, as far as it can be seen, where the traffic is that somebody else
// has taken over.
func (p *Promotion) lostIt(ctx context.Context) {
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	p.done.Status, p.done.Moved = release.MainFailed, false
	_, _ = fleet.All(p.sides, func(s *side) (struct{}, error) {
		s.status = release.MainFailed
		p.see(clean, s)
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

// hasMoved says that it may be written down that traffic has moved, and that it
// may still go back.
func (s *side) hasMoved() bool {
	cp := s.main.Checkpoint
	return s.returns || s.resumed && s.seen.Deployment != s.before.Deployment || s.live != nil && s.begun && cp != nil && cp.Step == release.MainFinalizing && cp.Open()
}

// rollBackSide takes one cluster back. ctx tells a Ctrl-C, clean is for working.
// What has been committed is written down as going back before it does, so that
// a kill in between cannot make the next run try the same again.
func (p *Promotion) rollBackSide(ctx, clean context.Context, s *side, cause error) error {
	if !s.begun && !s.returns {
		p.neverBeganOn(ctx, clean, s, cause)
		s.back = true
		return nil
	}
	committed := s.hasMoved()
	s.breach(p, cause)
	if committed && !s.returns {
		var changed *release.PointerChangedError
		if err := p.checkpoint(clean, s, release.MainRollingBack); Lost(clean, err) != nil || errors.As(err, &changed) {
			s.status, s.err = release.MainFailed, errors.Join(s.err, err)
			return err
		} // after any other error it goes back all the same
	}
	err := p.returnSide(ctx, clean, s, cause, committed)
	if s.status = release.MainRolledBack; err != nil {
		s.status = release.MainFailed
		s.err = errors.Join(s.err, wentWrongToo(err))
		p.see(clean, s)
	}
	s.back = err == nil
	return err
}

func (p *Promotion) returnSide(ctx, clean context.Context, s *side, cause error, committed bool) error {
	switched, err := p.switchBack(clean, s)
	if err != nil {
		return err
	}
	p.see(clean, s)
	entries := p.wentBack(ctx, s, cause, switched, committed)
	if s.live == nil {
		return nil
	}
	if s.from == "" && s.before.Deployment == "" { // nothing was main before, even where a commit was under way whose reply was lost
		return p.engine.dropMain(clean, s.cluster, p.req.Service.Namespace, p.req.Service.Application, s.live, entries...)
	}
	s.restore()
	p.disown(s)
	return p.save(clean, s, entries...)
}

// restore makes main what it was when we came, so that what was kept for going
// back still is. Only its owner is the new one, who has to answer for it; see
// disown.
func (s *side) restore() {
	main := s.main
	main.Deployment, main.Previous, main.Left, main.PromotedAt = s.before.Deployment, s.before.Previous, s.before.Left, s.before.PromotedAt
	if s.before.Service != "" {
		main = main.Keeping(s.before.Keep())
		main.Drain = s.before.Drain
	}
	if s.from != "" && main.Deployment != s.from { // somebody's unfinished work, or a ConfigMap that was lost
		main = main.Promoted(s.from).Noted(s.cluster.Now())
	}
	if s.renamed != "" {
		main.Service = s.renamed
	}
	main.Checkpoint = nil
	s.main = main
}

// breach notes on main that the release did not pass its bake, where that is why
// it is taken back; otherwise main remembers what it did before.
func (s *side) breach(p *Promotion, cause error) {
	if s.returns {
		return // it is there already
	}
	s.main.Breach = s.before.Breach
	if !s.moves {
		return // it is main here, and was before
	}
	for _, failed := range bakeErrors(cause) {
		if failed.ID == p.id() {
			s.main.Breach = &release.Breach{
				From: s.from, To: p.req.To, RetryToken: p.req.RetryToken,
				Reason: reasonOf(failed), At: s.cluster.Now().UTC().Truncate(time.Second),
			}
			return
		}
	}
}

// switchBack returns the address to where it was, if it may have moved, and says
// whether traffic moved by that.
func (p *Promotion) switchBack(ctx context.Context, s *side) (moved bool, err error) {
	if !s.touched || s.there && (!s.moves || s.from == p.req.To) {
		return false, nil
	}
	switch {
	case s.from != "" && s.renamed == "":
	case s.made || p.req.Service.Adopt:
		return false, s.router.Remove(ctx) // the address is new, or handed back; a former one was not touched
	case s.found != nil: // it was there, and led to nothing that is known
		return true, s.router.Reselect(ctx, s.found.Spec.Selector)
	default:
		return false, nil
	}
	split, err := s.router.Observe(ctx)
	if err != nil {
		return false, err
	}
	if now, _ := split.Stable(); now == s.from {
		return false, nil
	}
	s.router.Returns()
	err = p.engine.ensure(ctx, s, s.from, p.req.Service.Namespace)
	if err == nil {
		p.engine.trafficLeft(key(s.cluster, p.req.Service.Namespace, p.req.To))
	}
	return true, err
}
