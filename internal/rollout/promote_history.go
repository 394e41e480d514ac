package rollout

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What a promotion writes into the history. Its line is written together with
// the pointer, so that it is there exactly when the pointer has moved.

// begin starts the cluster's line of the history: none where all that is asked for
// is there already, as when only the end of a promotion is missing.
func (p *Promotion) begin(ctx context.Context, pl *placement) {
	from := pl.from()
	if pl.start.There {
		from = pl.main.Deployment // killed between the switch and writing it down
	}
	left := pl.leaves(p.req.To)
	if left != "" {
		from = left
	}
	if from == p.req.To || pl.start.Course == promotion.Returns {
		return
	}
	operation := release.OperationPromote
	if left != "" || slices.Contains(pl.seen.Previous, p.req.To) {
		operation = release.OperationRollback
	}
	entry := p.engine.entry(ctx, pl.cluster, operation, p.req.To, "")
	entry.From, entry.To, entry.Theirs, entry.Group = from, p.req.To, pl.theirSide(), p.req.Member.Group
	if left != "" && p.was != nil {
		entry.Reason = release.AskedBack(entry.By, because(ctx))
	}
	pl.entry = &entry
}

// leaves is the release from which a promotion takes its share of the traffic back, to who
// has the rest of it; empty where it does not.
func (pl *placement) leaves(to string) string {
	if open := pl.seen.Progress; open != nil && open.From == to && open.To != to && pl.split[open.To] > 0 {
		return open.To
	}
	return ""
}

// named notes the version of the release that shall be main.
func (pl *placement) named(version string) {
	if pl.entry != nil {
		pl.entry.Version = version
	}
}

// outcome is the cluster's line of the history, ended by err or well.
func (p *Promotion) outcome(ctx context.Context, pl *placement, err error) []release.Entry {
	if pl.entry == nil {
		return nil
	}
	*pl.entry = ended(ctx, *pl.entry, p.began, err)
	return []release.Entry{*pl.entry}
}

// neverBegan is what becomes of a promotion whose release was not ready: nothing
// was written yet.
func (p *Promotion) neverBegan(ctx context.Context, cause error) {
	clean, cancel := p.engine.keeper.Cleanup(ctx)
	defer cancel()
	_, _ = fleet.All(p.active(), func(pl *placement) (struct{}, error) {
		p.neverBeganOn(ctx, clean, pl, cause)
		return struct{}{}, nil
	})
}

func (p *Promotion) neverBeganOn(ctx, clean context.Context, pl *placement, cause error) {
	if ownership.LeaseLost(ctx, cause) != nil {
		pl.status = release.MainFailed
		return // the history is whoever's who has the Lease
	}
	if refused := new(release.TakenBackError); errors.As(cause, &refused) {
		pl.status = release.MainRolledBack
		return // it is in the history why
	}
	if pl.err != nil {
		pl.status = release.MainFailed
	}
	pl.events.end(clean) // in their order
	for _, entry := range p.outcome(ctx, pl, cause) {
		p.engine.keeper.RememberIfAny(clean, pl.cluster, p.req.Service.Namespace, p.req.Service.Application, entry)
		p.engine.report(clean, pl.cluster, p.addressOf(pl), entry)
	}
}

// wentBack is the history of a cluster that was taken back, and tells it. Where it
// was written down that traffic has moved, that stays true; otherwise the
// promotion failed, and took it back where it had moved.
func (p *Promotion) wentBack(ctx context.Context, pl *placement, cause error, switched, committed bool) []release.Entry {
	var entries []release.Entry
	reason := "the promotion did not succeed"
	if committed {
		reason = reasonOf(cause)
	} else {
		entries = p.outcome(ctx, pl, cause)
	}
	if committed || switched && pl.entry != nil {
		entries = append(entries, p.backEntry(ctx, pl, reason))
	}
	pl.events.end(ctx)
	for _, entry := range entries {
		p.engine.report(ctx, pl.cluster, p.addressOf(pl), entry)
	}
	return entries
}

// backEntry is the line of a way back.
func (p *Promotion) backEntry(ctx context.Context, pl *placement, reason string) release.Entry {
	entry := p.engine.entry(ctx, pl.cluster, release.OperationRollback, pl.from(), "")
	entry.From, entry.To, entry.Theirs, entry.Group, entry.Reason = p.req.To, pl.from(), pl.theirSide(), p.req.Member.Group, reason
	return entry
}

// tellMoved is the Event of a promotion that has moved the traffic.
func (p *Promotion) tellMoved(ctx context.Context, pl *placement) {
	if pl.entry != nil {
		p.engine.lineOf(ctx, pl.cluster, p.req.Service.Namespace, *pl.entry)
		pl.events.emit(ctx, pl.cluster, p.addressOf(pl), pl.entry.EventReason(), pl.entry.Sentence(), pl.entry.Warns())
	}
}

// addressOf is the main Service as far as it is known: Events name it even where
// it was never made.
func (p *Promotion) addressOf(pl *placement) Object {
	if applied := pl.router.Applied(); applied != nil {
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
