package rollout

import (
	"context"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// GoBackRequest makes a release main again without a configuration. The promotion's
// Service, Owner, Keep and Drain are what lives, not what a user wants.
type GoBackRequest struct {
	PromoteRequest

	// Undoes says that To is the first release behind an adopted rule, and is taken back:
	// see Undo.
	Undoes bool

	// Skips says that To is the release that an open promotion is to: it goes forward, see
	// Skip.
	Skips bool

	// Was is, by cluster, the release that was main when this was decided.
	Was map[string]string

	// Forgets says that nothing is remembered against what the traffic is taken from, as
	// after a Ctrl-C.
	Forgets bool

	// Desired is what the application as a whole shall be; empty: what it is.
	Desired release.DesiredState
}

// GoBack makes a former release main again. Whoever holds the Lease for a promotion
// away from it is asked to let it be.
func (e *Engine) GoBack(ctx context.Context, req GoBackRequest) (Promoted, error) {
	p := e.NewWayBack(req)
	p.AskBack(ctx)
	return p.whole(ctx)
}

// NewWayBack prepares to go back, for who takes several applications back as one. It
// reads nothing.
func (e *Engine) NewWayBack(req GoBackRequest) *Promotion {
	req.TakeBack = true // what lives stays as it is, but for where it leads
	p := e.NewPromotion(req.PromoteRequest)
	p.was, p.undoes, p.forgets, p.desired, p.skips = req.Was, req.Undoes, req.Forgets, req.Desired, req.Skips
	return p
}

// asDecided refuses to go back where somebody has moved main since that was decided:
// what is "before" is then something else. Whoever was asked to go back may have.
func (p *Promotion) asDecided(pl *placement) error {
	if p.skips {
		return p.stillOpen(pl)
	}
	if p.was == nil || p.undoes { // see Undo
		return nil
	}
	if was := p.was[pl.cluster.Name()]; pl.main.Deployment != was && pl.main.Deployment != p.req.To {
		return &release.MovedError{
			Cluster: pl.cluster.Name(), ID: p.address(), Was: was, Is: pl.main.Deployment,
		}
	}
	return nil
}

// belongs says which group an address belongs to, and as what. Going back changes
// nobody's ownership.
func (p *Promotion) belongs(pl *placement) (group, member string) {
	if p.was != nil {
		return pl.seen.Group, pl.seen.Member
	}
	return p.req.Member.Group, p.req.Member.Name
}

// baseline is that of the address after our write. Where the write took over
// what lives, only the selector is what anybody asked for: of the rest, what
// others changed stays drift.
func (p *Promotion) baseline(pl *placement, applied *corev1.Service) map[string]string {
	now := workload.Baseline(applied)
	if p.was == nil || len(pl.main.Baseline) == 0 {
		return now
	}
	const selector = "spec.selector"
	kept := maps.Clone(pl.main.Baseline)
	for path := range kept {
		if workload.Within(path, selector) {
			delete(kept, path)
		}
	}
	for path, hash := range now {
		if workload.Within(path, selector) {
			kept[path] = hash
		}
	}
	return kept
}
