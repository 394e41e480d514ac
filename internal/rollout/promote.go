package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// PromoteRequest makes a release the main deployment of its application.
type PromoteRequest struct {
	Service  traffic.ServiceSpec
	Route    *traffic.RouteSpec // nil: the address has no route
	Canary   release.Canary     // how its traffic moves; without a route, all at once
	To       string             // the release's name
	Owner    string             // the state's token; empty for a new main_deployment
	Member   Member             // of a group; empty: a main deployment of its own
	Keep     release.Keep
	Drain    time.Duration
	Clusters []Cluster

	// Rollout is how the change goes over the clusters. Unready are clusters that
	// shall have it, too, but were found not to be ready for it before it began.
	Rollout release.Rollout
	Unready map[string]error

	// Bake is how long the release is watched after the switch, and may be taken
	// back, before anything of the old side goes. 0: not at all.
	Bake time.Duration

	// Stopped says that the application shall have no pods: its address stays.
	Stopped bool

	// Starts says that the configuration has asked for no pods, and asks for them now: else
	// what somebody has stopped without it stays so.
	Starts bool

	// RetryToken, where it has changed, lets a release be tried again that did not
	// pass its bake.
	RetryToken string

	// Asked is what the configuration says beside all this, to be remembered.
	Asked *release.Asked

	// TakeBack says that the plan has shown the Service's fields to be changed
	// by somebody else.
	TakeBack bool

	// Planned, where set, is by cluster the release that had the traffic when the
	// change was planned. Where somebody has moved it since, that one is kept, and
	// a notice says so.
	Planned map[string]string

	// Progress, where set, is told what happens, in short lines. It may be called
	// from several goroutines at once.
	Progress func(string)
}

func (r PromoteRequest) say(format string, a ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, a...))
	}
}

// Promoted is what became of an application's address.
type Promoted struct {
	Owner      string
	Moved      bool // traffic is where the request wanted it, on every cluster that the rollout goes on with
	Status     release.MainStatus
	Reason     string
	Previous   string // main before the current one; empty where there is none
	PromotedAt time.Time
	Notices    []Notice

	Clusters []MainOutcome // by name

	// Stays is what is there beside main at the end, on any of the clusters; nil where
	// the promotion did not come to that.
	Stays []release.Stay

	// Service is the application's address as the last write left it, on the
	// first cluster; nil where there was none.
	Service *corev1.Service

	// Named says that something is remembered of the application's DNS: see
	// PublishDNS.
	Named bool
}

// Promote moves an application's address to a release on every cluster, or
// leaves it where it was on every cluster, unless its Rollout lets each cluster
// be for itself. It makes sure first that the release
// is ready everywhere, verifies the switch, watches the release for its bake,
// lets the old side drain, and removes what only waited for main to move away.
//
// An error with Moved set means that traffic has moved but that what follows is
// unfinished; the next Promote goes on from there.
func (e *Engine) Promote(ctx context.Context, req PromoteRequest) (Promoted, error) {
	return e.NewPromotion(req).whole(ctx)
}

// whole is a promotion by itself, from the Leases to the end.
func (p *Promotion) whole(ctx context.Context) (Promoted, error) {
	err := p.engine.Together(ctx, []*Promotion{p}, p.run)
	if lost := ownership.Lost(ctx, err); lost != nil {
		p.lostIt(ctx)
		err = lost
	}
	if err != nil {
		p.done.Reason = reasonOf(err)
	}
	return p.Done(), err
}

// run is a whole promotion, under the Leases.
func (p *Promotion) run(ctx context.Context) error {
	if err := p.Look(ctx); err != nil {
		return err
	}
	p.skipsHere(ctx)
	err := p.Advance(ctx, "")
	if errors.Is(err, errPaused) {
		return p.paused(ctx)
	}
	if err != nil && p.follows(ctx, err) == promotion.Return {
		return p.Return(ctx, err)
	}
	return err
}
