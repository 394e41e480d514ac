package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Back returns every cluster that may have been switched to where its traffic
// was. The result is cause, with what else went wrong.
func (p *Promotion) Back(ctx context.Context, cause error) error {
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	p.done.Status, p.done.Moved = release.MainRolledBack, false
	_, err := onAll(p.sides, func(s *side) (struct{}, error) {
		return struct{}{}, p.rollBackSide(clean, s, p.outcome(ctx, s, cause))
	})
	if err != nil {
		p.done.Status = release.MainFailed
		return errors.Join(cause, fmt.Errorf("going back failed too; the next apply continues from here: %w", err))
	}
	return cause
}

func (p *Promotion) rollBackSide(ctx context.Context, s *side, failed []release.Entry) error {
	switched, err := p.switchBack(ctx, s)
	if err != nil {
		return err
	}
	entries := p.wentBack(ctx, s, failed, switched)
	if s.live == nil {
		return nil
	}
	if s.from == "" { // nothing was main before, even where a commit was under way whose reply was lost
		return p.engine.dropMain(ctx, s.cluster, p.req.Service.Namespace, p.req.Service.Application, s.live, entries...)
	}
	s.restore()
	return p.save(ctx, s, entries...)
}

// restore makes main what it was when we came, so that what was kept for going
// back still is. Only its owner is the new one, who has to answer for it.
func (s *side) restore() {
	main := s.main
	main.Deployment, main.Previous, main.Left, main.PromotedAt = s.seen.Deployment, s.seen.Previous, s.seen.Left, s.seen.PromotedAt
	if s.seen.Service != "" {
		main = main.Keeping(s.seen.Keep())
		main.Drain = s.seen.Drain
	}
	if main.Deployment != s.from { // somebody's unfinished work, or a ConfigMap that was lost
		main = main.Promoted(s.from).Noted(s.cluster.Now())
	}
	if s.renamed != "" {
		main.Service = s.renamed
	}
	main.Checkpoint = nil
	s.main = main
}

// switchBack returns the address to where it was, if it may have moved, and says
// whether traffic moved by that.
func (p *Promotion) switchBack(ctx context.Context, s *side) (moved bool, err error) {
	if !s.touched || s.there {
		return false, nil
	}
	if s.from == "" || s.renamed != "" {
		return false, s.router.Remove(ctx) // the address is new; a former one was not touched
	}
	split, err := s.router.Observe(ctx)
	if err != nil {
		return false, err
	}
	if now, _ := split.Stable(); now == s.from {
		return false, nil
	}
	return true, p.engine.ensure(ctx, s, s.from, p.req.Service.Namespace)
}
