package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// WayBackRequest asks how an application's traffic goes back, without a configuration.
type WayBackRequest struct {
	Namespace, Application string
	To                     string // the release's name; empty: the one that was main before
	Clusters               []Cluster
	Named                  bool // somebody has named the clusters: each of them must have the address
}

func (r WayBackRequest) id() string { return r.Namespace + "/" + r.Application }

// WayBack is how it goes back.
type WayBack struct {
	GoBackRequest
	Theirs string // what has the traffic again, where that is no release: see Undo
	Leaves string // who has it now, or a share of it; empty: not the same on all clusters
	Group  string // that the application belongs to; empty: none
}

// livingOf is what lives of an application's address on the clusters that have it, where it
// can be moved as one.
func livingOf(ctx context.Context, r WayBackRequest) (Living, error) {
	var errs []error
	var there []observe.Main
	for _, o := range observe.Mains(ctx, r.Clusters, r.Namespace, r.Application, "") {
		switch {
		case o.Err != nil:
			errs = append(errs, o.Err)
		case o.Main == nil && !r.Named:
		case o.Main == nil:
			errs = append(errs, &release.NoMainError{ID: r.id(), Cluster: o.Cluster})
		case o.Service == nil:
			errs = append(errs, &release.NoMainError{ID: r.id(), Cluster: o.Cluster, Service: o.Main.Service})
		default:
			there = append(there, o)
		}
	}
	living := LivingOf(r.Namespace, r.Application, there)
	for _, cluster := range living.Unlike {
		errs = append(errs, &release.UnlikeError{ID: r.id(), Cluster: cluster, First: living.Standings[0].Cluster})
	}
	if len(living.Standings) == 0 && len(errs) == 0 {
		errs = append(errs, &release.NoMainError{ID: r.id()})
	}
	if len(errs) > 0 {
		return living, errors.Join(errs...)
	}
	for _, c := range r.Clusters {
		if _, ok := living.Request.Was[c.Name()]; ok {
			living.Request.Clusters = append(living.Request.Clusters, c)
		}
	}
	return living, nil
}

// WayBackOf finds out how the traffic goes back. It reads, and writes nothing.
func WayBackOf(ctx context.Context, r WayBackRequest) (WayBack, error) {
	living, err := livingOf(ctx, r)
	if err != nil {
		return WayBack{}, err
	}
	back := WayBack{GoBackRequest: living.Request}
	back.Leaves = leftBy(living.Standings)
	for _, s := range living.Standings {
		back.Group = cmp.Or(back.Group, s.Main.Group)
	}
	if back.To = r.To; back.To != "" {
		return back, nil
	}
	back.To, back.Theirs, err = release.Undo(r.id(), living.Standings)
	if err == nil && back.Theirs == "" {
		back.To, err = release.GoBack(r.id(), living.Standings)
	}
	return back, err
}

// leftBy is who has the traffic, or a share of it.
func leftBy(standings []release.MainOn) (name string) {
	for i, s := range standings {
		has := s.Main.Deployment
		if s.Shared != "" {
			has = s.Shared
		}
		if i > 0 && has != name {
			return ""
		}
		name = has
	}
	return name
}

// TakeBack goes that way: it starts the release where it was stopped, and makes it main
// again; or it takes back what has been tried first behind an adopted rule.
func (e *Engine) TakeBack(ctx context.Context, back WayBack) (Promoted, error) {
	if back.Theirs != "" {
		return e.Undo(ctx, back.GoBackRequest)
	}
	if err := e.Warm(ctx, back.PromoteRequest); err != nil {
		return Promoted{}, err
	}
	return e.GoBack(ctx, back.GoBackRequest)
}

// Ends says how it has ended.
func (w WayBack) Ends() string {
	if w.Theirs != "" {
		return fmt.Sprintf("the rule of %s/%s leads to %s again, as before; nothing is main", w.Service.Namespace, w.Service.Application, w.Theirs)
	}
	return fmt.Sprintf("%s/%s is back on %s", w.Service.Namespace, w.Service.Application, w.To)
}
