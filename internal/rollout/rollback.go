package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// rollBack returns every cluster that may have been switched to where its
// traffic was, and says so.
func (p *promotion) rollBack(ctx context.Context, cause error) error {
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	p.done.Status = release.MainRolledBack
	_, err := onAll(p.sides, func(s *side) (struct{}, error) { return struct{}{}, p.rollBackSide(clean, s) })
	if err != nil {
		p.done.Status = release.MainFailed
		return errors.Join(cause, fmt.Errorf("going back failed too; the next apply continues from here: %w", err))
	}
	return cause
}

func (p *promotion) rollBackSide(ctx context.Context, s *side) error {
	if err := p.switchBack(ctx, s); err != nil {
		return err
	}
	if s.live == nil {
		return nil
	}
	if s.from == "" { // nothing was main before, even where a commit was under way
		s.live.ResourceVersion = "" // whose reply was lost; the Lease is ours
		return s.cluster.Delete(ctx, s.live, metav1.DeletePropagationBackground)
	}
	if s.main.Deployment == p.req.To && s.from != p.req.To {
		s.main = s.main.Promoted(s.from)
		s.main.Previous = slices.DeleteFunc(s.main.Previous, func(n string) bool { return n == p.req.To })
	}
	if s.renamed != "" {
		s.main.Service = s.renamed
	}
	s.main.Checkpoint = nil
	return p.save(ctx, s)
}

// switchBack returns the address to where it was, if it may have moved.
func (p *promotion) switchBack(ctx context.Context, s *side) error {
	if !s.touched || s.there {
		return nil
	}
	if s.from == "" || s.renamed != "" {
		return s.router.Remove(ctx) // the address is new; a former one was not touched
	}
	split, err := s.router.Observe(ctx)
	if err != nil {
		return err
	}
	if now, _ := split.Stable(); now == s.from {
		return nil
	}
	return p.engine.ensure(ctx, s, s.from, p.req.Service.Namespace)
}
