package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// An address may have a route of the Gateway API beside its Service. The route shares
// the traffic. The Service moves as a whole, when the promotion does not go back any
// more.

// route names the route that is asked for; nil: there is to be none.
func (r PromoteRequest) route() *release.Route {
	if r.Route == nil {
		return nil
	}
	return new(r.Route.Ref())
}

// look reads the address live. Where there is a route, it says who gets the traffic.
func (pl *placement) look(ctx context.Context) (traffic.Observed, error) {
	found, err := pl.router.Look(ctx)
	if err != nil || pl.route == nil {
		return found, err
	}
	routed, err := pl.route.Look(ctx)
	if err != nil {
		return traffic.Observed{}, err
	}
	if found.Route = routed.Route; found.Route != nil {
		found.Split, found.Mirrors = routed.Split, routed.Mirrors
	}
	return found, nil
}

// wrote says that the address has been written.
func (pl *placement) wrote() bool {
	return pl.router.Applied() != nil || pl.route != nil && pl.route.Applied() != nil
}

// sharing is the split in which a release has so many percent, and who had the traffic
// has the rest.
func (pl *placement) sharing(to string, percent int) release.Split {
	from := pl.side()
	switch {
	case percent == 100, from == "", from == to:
		return release.Split{to: 100}
	case percent == 0:
		return release.Split{from: 100}
	}
	return release.Split{from: 100 - percent, to: percent}
}

// share is the percentage that a release has, as last seen.
func (pl *placement) share(of string) int {
	if pl.split == nil {
		return 100
	}
	return pl.split[of]
}

// serviceMoves says that the Service moves together with the route: where nothing goes back
// from it, it does not wait for the commit. One that nobody had before is made ahead.
func (p *Promotion) serviceMoves(pl *placement) bool {
	from := pl.side()
	if pl.theirs() && pl.progress.Made {
		return true
	}
	return pl.route == nil || !pl.moves() || from == "" || from == p.req.To
}

// knowsRoute finds out, before anything is written, that the cluster does not know the kind
// of a route that is to be made. One that is there by what is remembered may have gone with
// its kind: then there is something to go back from.
func (p *Promotion) knowsRoute(ctx context.Context, pl *placement) error {
	if pl.route == nil || pl.found.Route != nil || pl.main.Route != nil || p.req.Route.Adopt {
		return nil
	}
	return onceKnown(ctx, func() error {
		if err := pl.cluster.Get(ctx, p.req.Route.Namespace, p.req.Route.Name, p.req.Route.Empty()); missingKind(err) {
			return &release.NoGatewayAPIError{Cluster: pl.cluster.Name(), Kind: string(p.req.Route.Kind)}
		}
		return nil // anything else was found a moment ago
	})
}

// seeShares fills in what a promotion by shares has to know of a cluster.
func (p *Promotion) seeShares(ctx context.Context, pl *placement, seen *promotion.Seen) error {
	if open := pl.main.Progress; open != nil && pl.live != nil {
		seen.Resumed = release.RequestIn(pl.live.Data).Asks(release.RequestResume, open)
	}
	if pl.route == nil {
		return nil
	}
	if err := p.seeTheirs(ctx, pl, seen); err != nil {
		return err
	}
	stable := pl.main.Deployment
	if open := pl.main.Progress; open != nil && seen.Split[open.From] > 0 {
		stable = open.From
	}
	if stable == "" || stable == p.req.To {
		return nil
	}
	d, err := p.engine.liveWorkload(ctx, pl.cluster, release.ID{Namespace: p.req.Service.Namespace, Name: stable}, p.req.Service.Application)
	if err != nil {
		return err
	}
	seen.Bare = d == nil || d.Status.ReadyReplicas == 0
	return nil
}

// ensureRoute makes the route share the traffic as wanted, and waits until those who
// serve it have accepted that.
func (p *Promotion) ensureRoute(ctx context.Context, pl *placement, want release.Split) error {
	what := p.req.Route.Ref().String()
	err := p.settle(ctx, pl, p.req.Route.Settle, "the data plane behind the "+what, func(ctx context.Context) (bool, time.Duration, error) { return pl.route.Shift(ctx, want) })
	if err == nil {
		return nil
	}
	if awaits := pl.route.Awaiting(); awaits != "" {
		err = fmt.Errorf("%w. What it waited for: %s", err, awaits)
	}
	return fmt.Errorf("the %s %s/%s on cluster %q could not be made to lead to %s: %w%s", p.req.Route.Kind, p.req.Route.Namespace, p.req.Route.Name, pl.cluster.Name(), want, err, p.mendRoute(err))
}

// mendRoute is what to do about a write of the route that was answered with no, as the next
// sentences; empty where it was not.
func (p *Promotion) mendRoute(err error) string {
	var said apierrors.APIStatus
	if !errors.As(err, &said) {
		return ""
	}
	kind := string(p.req.Route.Kind)
	switch code := said.Status().Code; {
	case code == http.StatusForbidden:
		return fmt.Sprintf(". Whoever applies must be allowed to patch %ss in the namespace %s, and a policy that is named there must let it pass. See to that, and apply again", strings.ToLower(kind), p.req.Route.Namespace)
	case code >= http.StatusInternalServerError:
		return ". See why the API server, or a webhook that is named there, does not do its work, and apply again"
	}
	return fmt.Sprintf(". Change what is said there of the %s, and apply again", kind)
}

// follow moves the Service to where the route leads.
func (p *Promotion) follow(ctx context.Context, pl *placement) error {
	if p.serviceMoves(pl) {
		return nil
	}
	if err := p.clear(ctx, pl); err != nil {
		return err
	}
	if err := p.ensureService(ctx, pl, release.Split{p.req.To: 100}); err != nil {
		return err
	}
	p.noteService(pl)
	return nil
}

// noteRoute notes on main what its route is to be.
func (p *Promotion) noteRoute(pl *placement) {
	switch {
	case pl.route == nil, p.req.Route.Adopt: // of somebody else's, only the backends are ours
		pl.main.RouteBaseline = nil
	case pl.route.Applied() != nil:
		pl.main.RouteBaseline = workload.Baseline(pl.route.Applied())
	}
}

// routeBack returns the route, and the Service where it has followed, to who had the
// traffic, and says whether any moved by that.
func (p *Promotion) routeBack(ctx context.Context, pl *placement) (moved bool, err error) {
	if pl.theirs() {
		return p.ruleBack(ctx, pl)
	}
	from := pl.from()
	if from == "" {
		if pl.progress.Made || p.req.Route.Adopt {
			err = pl.route.Remove(ctx)
		}
		if pl.progress.Made && err == nil {
			err = pl.router.Remove(ctx)
		}
		return false, err
	}
	seen, err := pl.look(ctx)
	if err != nil {
		return false, err
	}
	back, kept := release.Split{from: 100}, pl.start.Before.Route.Is(pl.asks)
	gone := seen.Route == nil && kept && !p.req.Route.Adopt // somebody has removed it meanwhile
	if gone || seen.Route != nil && (seen.Split[from] != 100 || seen.Mirrors) {
		moved = gone || seen.Split[from] != 100 // who got copies only had none of it
		pl.route.Returns()
		if err := p.ensureRoute(ctx, pl, back); err != nil {
			return true, err
		}
	}
	if traffic.SplitOf(seen.Service)[p.req.To] == 100 {
		moved = true
		pl.router.Returns()
		if err := p.ensureService(ctx, pl, back); err != nil {
			return true, err
		}
	}
	if !kept || p.req.Route.Adopt && seen.Route == nil {
		if err := pl.route.Remove(ctx); err != nil { // it was not there before, or its owner has left our rule of a cohort
			return moved, err
		}
	}
	if moved {
		p.engine.trafficLeft(ownership.Key(pl.cluster, p.req.Service.Namespace, p.req.To))
	}
	return moved, nil
}

// removeRoute removes an application's route. One that is somebody else's is
// given back; main is who keeps its traffic where it cannot be.
func (e *Engine) removeRoute(ctx context.Context, c Cluster, service traffic.ServiceSpec, route release.Route, main string) ([]Notice, error) {
	if route.Adopted != nil {
		return e.giveBack(ctx, c, service, route, main)
	}
	spec := traffic.RouteSpec{Namespace: service.Namespace, Application: service.Application, Name: route.Name, Kind: traffic.RouteKind(route.Kind)}
	err := e.gateway(c, spec, false).Remove(ctx)
	if apierrors.IsNotFound(err) {
		return nil, nil // with its kind
	}
	return nil, err
}

// restore gives who had the traffic all of it again, before something else is tried,
// and lets what was tried drain. A route that is new leads there first, too, so that no
// share is given by a data plane that has never followed.
func (p *Promotion) restore(ctx context.Context, due []*placement) error {
	p.done.Status = release.MainRunning
	return p.on(ctx, due, func(pl *placement) error {
		if pl.theirs() {
			return p.restoreTheirs(ctx, pl)
		}
		if pl.found.Route == nil {
			p.req.say("%s: the route leads to %s first", pl.cluster.Name(), pl.from())
		} else {
			p.req.say("%s: moving all of the traffic back to %s first", pl.cluster.Name(), pl.from())
		}
		if err := p.save(ctx, pl, pl.progress); err != nil {
			return err
		}
		pl.reached(promotion.Shifted)
		if err := p.backInParts(ctx, pl); err != nil {
			return err
		}
		back := release.Split{pl.from(): 100}
		if err := p.ensureRoute(ctx, pl, back); err != nil {
			return err
		}
		pl.split = back
		return drain(ctx, p.req.Drain)
	})
}

// enough waits until the release has the pods that a share of the traffic takes: so
// many as serve it on the other side.
func (p *Promotion) enough(ctx context.Context, pl *placement, step release.Step) error {
	if step.Weight == 100 || pl.route == nil || pl.theirs() && step.Needs == 0 { // their pods cannot be counted: it has all of its own
		return nil
	}
	view, id, need, ready := pl.cluster.View(p.req.Service.Namespace), p.id(), step.Needs, 0
	waiting, cancel := context.WithTimeout(ctx, p.engine.timing.Settle)
	defer cancel()
	err := wait.Until(waiting, view.Changes(p.req.Service.Application), func() (bool, time.Duration, error) {
		if step.Needs == 0 {
			stable, err := ownership.Cached(waiting, view, &appsv1.Deployment{}, pl.from())
			if err != nil || stable == nil {
				return false, 0, err
			}
			need = int(release.Portion(step.Load(), deref(stable.Spec.Replicas)))
		}
		d, err := ownership.Cached(waiting, view, &appsv1.Deployment{}, id.Name)
		if err != nil || d == nil {
			return false, 0, err
		}
		behind, err := readyBehind(waiting, view, d)
		ready = int(behind)
		return ready >= need, 0, err
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		raises := "`replicas`"
		if slices.Contains(pl.scaled, p.req.To) {
			raises = "`autoscaling.max`"
		}
		return &release.NotReadyError{Cluster: pl.cluster.Name(), ID: id, Shares: pl.share(p.req.To) > 0, Reason: fmt.Sprintf(
			"%d of its pods %s ready, and %s. Raise %s of its switchback_deployment, or say how many it takes in %s", ready, release.Are(ready), takes(step, need), raises, settingOf(step))}
	}
	return err
}
