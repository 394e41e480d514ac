package rollout

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func (r PromoteRequest) say(format string, a ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, a...))
	}
}

// asFound refuses to go back where somebody has moved main since that was decided:
// what is "before" is then something else. Whoever was asked to go back may have.
func (p *Promotion) asFound(pl *placement) error {
	if p.req.Found == nil {
		return nil
	}
	if was := p.req.Found[pl.cluster.Name()]; pl.main.Deployment != was && pl.main.Deployment != p.req.To {
		return &release.MovedError{
			Cluster: pl.cluster.Name(), ID: p.address(), Was: was, Is: pl.main.Deployment,
		}
	}
	return nil
}

// baseline is that of the address after our write. Where the write took over
// what lives, only the selector is what anybody asked for: of the rest, what
// others changed stays drift.
func (p *Promotion) baseline(pl *placement, applied *corev1.Service) map[string]string {
	now := workload.Baseline(applied)
	if p.req.Found == nil || len(pl.main.Baseline) == 0 {
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
