package rollout

import (
	"context"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// adopt decides, before anything is written, whether the address may be what
// the request says: a Service of our own, or one of somebody else's that was
// handed to us.
func (p *Promotion) adopt(ctx context.Context, pl *placement) error {
	want := p.req.Service
	refuse := func(service, format string, args ...any) error {
		return &release.AdoptionError{Cluster: pl.cluster.Name(), Namespace: want.Namespace, Service: service, Reason: fmt.Sprintf(format, args...)}
	}
	known := pl.main.Adopted
	switch {
	case known != nil && pl.main.Service != want.Name:
		return refuse(want.Name, "the application %q has adopted the Service %q. Keep that one, or destroy the switchback_main_deployment first, which hands it back", want.Application, pl.main.Service)
	case known != nil && !want.Adopt:
		return refuse(want.Name, "the application %q has adopted it already. Keep `adopt = true`, or destroy the switchback_main_deployment first, which hands it back", want.Application)
	case !want.Adopt:
		return nil
	case known == nil && pl.main.Service != "":
		return refuse(want.Name, "the application %q has an address that Switchback made, the Service %q. Destroy its switchback_main_deployment first, or leave `adopt` out", want.Application, pl.main.Service)
	}
	svc := pl.found.Service
	seen := known.Seen(svc)
	if seen != known {
		if len(svc.Spec.Selector) == 0 {
			return refuse(want.Name, "it selects no pods: somebody else writes its endpoints. Choose another Service")
		}
		if err := observe.Unclaimed(ctx, pl.cluster, svc, want.Application); err != nil {
			return err
		}
		if writer := release.SelectorWriter(svc); writer != "" {
			p.notice(mayBeRewritten(pl.cluster, svc, writer))
		}
	}
	pl.main.Adopted = seen
	// A first promotion that was cut off knows the Service, and may not have
	// taken its selector yet.
	pl.router.Adopt(seen, seen != known || pl.main.Deployment == "")
	return nil
}
