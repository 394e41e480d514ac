package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// pointer is what is remembered of an application's address on a cluster.
type pointer struct {
	cluster Cluster
	main    *release.Main // nil: it has none
	err     error
}

// pointers are those of the clusters, live. What the address itself is, its Service and its
// route, is not asked for: whoever only lets it be, or lets it go on, may not be allowed to
// see that.
func pointers(ctx context.Context, r WayBackRequest) []pointer {
	all, _ := fleet.All(fleet.ByName(r.Clusters), func(c Cluster) (pointer, error) {
		main, _, err := ownership.LiveMain(ctx, c, r.Namespace, r.Application)
		return pointer{c, main, err}, nil
	})
	return all
}

// UntoldError says that a cluster which cannot be read may have what is meant.
type UntoldError struct {
	What    string // as in: it cannot be told whether …
	Cluster string
	Err     error
}

func (e *UntoldError) Error() string {
	return fmt.Sprintf("it cannot be told whether %s on cluster %q: %v", e.What, e.Cluster, e.Err)
}

func (e *UntoldError) Unwrap() error { return e.Err }

// ResumeOn finds the clusters on which something of an application may be paused. A cluster
// that cannot be read may have it: then it has to be said which to act on. To is what the
// promotion must be to. It reads, and writes nothing.
func ResumeOn(ctx context.Context, r WayBackRequest) (ResumeRequest, error) {
	req := ResumeRequest{Namespace: r.Namespace, Application: r.Application, To: r.To}
	var errs []error
	for _, p := range pointers(ctx, r) {
		switch {
		case p.err != nil:
			errs = append(errs, &UntoldError{"a promotion of " + r.id() + " is paused", p.cluster.Name(), p.err})
		case p.main != nil:
			req.Clusters = append(req.Clusters, p.cluster)
		default:
			is, err := inPlace(ctx, p.cluster, req)
			if is {
				req.Clusters = append(req.Clusters, p.cluster)
			} else if err == nil && r.Named {
				err = &release.NoMainError{ID: r.id(), Cluster: p.cluster.Name()}
			}
			errs = append(errs, err)
		}
	}
	err := errors.Join(errs...)
	if err == nil && len(req.Clusters) == 0 {
		err = &release.NoMainError{ID: r.id()}
	}
	return req, err
}

// MainOn finds the clusters on which an application has a main deployment. One that cannot be
// read may have it: then it has to be said which to act on. It reads, and writes nothing.
func MainOn(ctx context.Context, r WayBackRequest) ([]Cluster, error) {
	var on []Cluster
	found, err := mainsOn(ctx, r)
	for _, p := range found {
		on = append(on, p.cluster)
	}
	return on, err
}

// mainsOn is MainOn, with what is remembered of each.
func mainsOn(ctx context.Context, r WayBackRequest) (on []pointer, err error) {
	var errs []error
	for _, p := range pointers(ctx, r) {
		switch {
		case p.err != nil:
			errs = append(errs, &UntoldError{r.id() + " has a main deployment", p.cluster.Name(), p.err})
		case p.main != nil:
			on = append(on, p)
		case r.Named:
			errs = append(errs, &release.NoMainError{ID: r.id(), Cluster: p.cluster.Name()})
		}
	}
	err = errors.Join(errs...)
	if err == nil && len(on) == 0 {
		err = &release.NoMainError{ID: r.id()}
	}
	return on, err
}

// inPlace says that a deployment whose content changes in place is there, which needs no main
// deployment, and that it may be meant.
func inPlace(ctx context.Context, c Cluster, req ResumeRequest) (bool, error) {
	id := release.ID{Namespace: req.Namespace, Name: release.InPlaceName(req.Application)}
	if req.To != "" && req.To != id.Name {
		return false, nil
	}
	o := observe.Releases(ctx, []Cluster{c}, id)[0]
	if o.Err != nil {
		return false, &UntoldError{id.String() + " is paused", o.Cluster, o.Err}
	}
	return o.Record != nil, nil
}
