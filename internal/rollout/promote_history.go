package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What a promotion writes into the history. Its line is written together with
// the pointer, so that it is there exactly when the pointer has moved.

// begin starts the side's line of the history: none where all that is asked for
// is there already, as when only the end of a promotion is missing.
func (p *Promotion) begin(ctx context.Context, s *side) {
	from := s.from
	if s.there {
		from = s.main.Deployment // killed between the switch and writing it down
	}
	if from == p.req.To || s.returns {
		return
	}
	operation := release.OperationPromote
	if slices.Contains(s.seen.Previous, p.req.To) {
		operation = release.OperationRollback
	}
	entry := p.engine.entry(ctx, s.cluster, operation, p.req.To, "")
	entry.From, entry.To, entry.Group = from, p.req.To, p.req.Member.Group
	s.entry = &entry
}

// named notes the version of the release that shall be main.
func (s *side) named(version string) {
	if s.entry != nil {
		s.entry.Version = version
	}
}

// outcome is the side's line of the history, ended by err or well.
func (p *Promotion) outcome(ctx context.Context, s *side, err error) []release.Entry {
	if s.entry == nil {
		return nil
	}
	*s.entry = ended(ctx, *s.entry, p.began, err)
	return []release.Entry{*s.entry}
}

// neverBegan is what becomes of a promotion whose release was not ready: nothing
// was written yet.
func (p *Promotion) neverBegan(ctx context.Context, cause error) {
	clean, cancel := p.engine.cleanup(ctx)
	defer cancel()
	_, _ = fleet.All(p.active(), func(s *side) (struct{}, error) {
		p.neverBeganOn(ctx, clean, s, cause)
		return struct{}{}, nil
	})
}

func (p *Promotion) neverBeganOn(ctx, clean context.Context, s *side, cause error) {
	if leaseLost(ctx, cause) != nil {
		s.status = release.MainFailed
		return // the history is whoever's who has the Lease
	}
	if refused := new(release.TakenBackError); errors.As(cause, &refused) {
		s.status = release.MainRolledBack
		return // it is in the history why
	}
	if s.err != nil {
		s.status = release.MainFailed
	}
	s.story.end(clean) // in their order
	for _, entry := range p.outcome(ctx, s, cause) {
		p.engine.rememberIfAny(clean, s.cluster, p.req.Service.Namespace, p.req.Service.Application, entry)
		p.engine.tell(clean, s.cluster, p.addressOf(s), entry)
	}
}

// wentBack is the history of a side that was taken back, and tells it. Where it
// was written down that traffic has moved, that stays true; otherwise the
// promotion failed, and took it back where it had moved.
func (p *Promotion) wentBack(ctx context.Context, s *side, cause error, switched, committed bool) []release.Entry {
	var entries []release.Entry
	reason := "the promotion did not succeed"
	if committed {
		reason = reasonOf(cause)
	} else {
		entries = p.outcome(ctx, s, cause)
	}
	if committed || switched && s.entry != nil {
		entries = append(entries, p.backEntry(ctx, s, reason))
	}
	s.story.end(ctx)
	for _, entry := range entries {
		p.engine.tell(ctx, s.cluster, p.addressOf(s), entry)
	}
	return entries
}

// backEntry is the line of a way back.
func (p *Promotion) backEntry(ctx context.Context, s *side, reason string) release.Entry {
	entry := p.engine.entry(ctx, s.cluster, release.OperationRollback, s.from, "")
	entry.From, entry.To, entry.Group, entry.Reason = p.req.To, s.from, p.req.Member.Group, reason
	return entry
}

// tellMoved is the Event of a promotion that has moved the traffic.
func (p *Promotion) tellMoved(ctx context.Context, s *side) {
	if s.entry != nil {
		p.engine.lineOf(ctx, s.cluster, p.req.Service.Namespace, *s.entry)
		s.story.tell(ctx, s.cluster, p.addressOf(s), s.entry.EventReason(), s.entry.Sentence(), s.entry.Warns())
	}
}

// addressOf is the main Service as far as it is known: Events name it even where
// it was never made.
func (p *Promotion) addressOf(s *side) Object {
	if applied := s.router.Applied(); applied != nil {
		return applied
	}
	return serviceNamed(p.req.Service.Namespace, p.req.Service.Name)
}

// serviceNamed is enough of a Service for an Event about it.
func serviceNamed(namespace, name string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
}

// removedMain is the history's line of an address that was taken away, or that is
// no longer ours to move.
func (e *Engine) removedMain(ctx context.Context, c Cluster, req UnmainRequest, main *release.Main, began time.Time, reason string) []release.Entry {
	if main.Deployment == "" {
		return nil // written down by a run that was killed
	}
	entry := ended(ctx, e.entry(ctx, c, release.OperationRemoveMain, main.Deployment, ""), began, nil)
	entry.From, entry.Reason = main.Deployment, reason
	e.tell(ctx, c, serviceNamed(req.Service.Namespace, req.Service.Name), entry)
	return []release.Entry{entry}
}
