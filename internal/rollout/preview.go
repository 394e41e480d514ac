package rollout

import (
	"context"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// A release may have an address of its own: a route that leads to its Service, whichever
// release is main. It goes with the release, and brings it no traffic that would keep it.

func preview() companionKind {
	kind := companionOf(release.CompanionPreview, workload.Preview)
	kind.leads = true
	return kind
}

// knowsPreview finds out, before anything is written, that the cluster does not know
// the kind of a route that is asked for.
func (e *Engine) knowsPreview(ctx context.Context, c Cluster, t target) error {
	if t.spec.Preview == nil {
		return nil
	}
	return onceKnown(ctx, func() error {
		if err := c.Get(ctx, t.id.Namespace, t.id.Name, companions[release.CompanionPreview].empty()); missingKind(err) {
			return &release.NoGatewayAPIError{Cluster: c.Name(), Kind: string(release.CompanionPreview), Preview: true}
		}
		return nil // anything else is found where the route is looked at
	})
}

// previewPatience is how long those who are to serve a preview may take to accept it.
// Nothing depends on it but whether they are told of.
const previewPatience = 5 * time.Second

// awaitPreview waits a little until those who are to serve a release's own address have
// accepted it, and tells what they say where they have not. The release is well without.
func (e *Engine) awaitPreview(ctx context.Context, cl *claim) {
	t := cl.target
	if t.spec.Preview == nil || t.spec.DesiredState == release.DesiredStopped || cl.unplanned {
		return
	}
	patience := e.timing.patience(previewPatience)
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)/2) // what follows has to be written down
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	view, why := cl.cluster.View(t.id.Namespace), "it has not been seen"
	err := wait.Until(waiting, view.Changes(t.application()), func() (bool, time.Duration, error) {
		route, err := ownership.Cached(waiting, view, &gatewayv1.HTTPRoute{}, t.id.Name)
		if err == nil && route != nil {
			why = traffic.Unaccepted(route)
		}
		return why == "", 0, err
	})
	if err != nil && ctx.Err() == nil {
		cl.notices = append(cl.notices, previewUnserved(cl.cluster, t.id, t.spec.Preview.URL(t.id, t.application()), why))
	}
}

// previewBack lets the release's own address lead to its former content again, whose
// port may have another number.
func (e *Engine) previewBack(ctx context.Context, cl *claim, former target, baseline release.Baseline) error {
	if _, made := cl.Record().Baseline[string(release.CompanionPreview)]; !made {
		return nil
	}
	former.spec.Preview = cl.target.spec.Preview
	if workload.Preview(former.spec) == nil {
		return nil
	}
	route, _, err := companions[release.CompanionPreview].apply(ctx, cl.cluster, former, everything)
	if err == nil {
		baseline[string(release.CompanionPreview)] = workload.Baseline(route)
	}
	return err
}
