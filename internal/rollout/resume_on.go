package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ResumeOn finds the clusters on which something of an application may be paused. A cluster
// that cannot be read may have it: then it has to be said which to act on. To is what the
// promotion must be to. It reads, and writes nothing.
func ResumeOn(ctx context.Context, r WayBackRequest) (ResumeRequest, error) {
	req := ResumeRequest{Namespace: r.Namespace, Application: r.Application, To: r.To}
	var errs []error
	for _, o := range observe.Mains(ctx, r.Clusters, r.Namespace, r.Application, "") {
		c := named(r.Clusters, o.Cluster)
		if o.Err == nil && o.Main == nil {
			is, err := inPlace(ctx, c, req)
			if is {
				req.Clusters = append(req.Clusters, c)
			} else if err == nil && r.Named {
				err = &release.NoMainError{ID: r.id(), Cluster: o.Cluster}
			}
			errs = append(errs, err)
			continue
		}
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("it cannot be told whether a promotion of %s is paused on cluster %q; name in `clusters` those to act on: %w", r.id(), o.Cluster, o.Err))
			continue
		}
		req.Clusters = append(req.Clusters, c)
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
	var errs []error
	for _, o := range observe.Mains(ctx, r.Clusters, r.Namespace, r.Application, "") {
		switch {
		case o.Err != nil:
			errs = append(errs, fmt.Errorf("it cannot be told whether %s has a main deployment on cluster %q; name in `clusters` those to act on: %w", r.id(), o.Cluster, o.Err))
		case o.Main != nil:
			on = append(on, named(r.Clusters, o.Cluster))
		case r.Named:
			errs = append(errs, &release.NoMainError{ID: r.id(), Cluster: o.Cluster})
		}
	}
	err := errors.Join(errs...)
	if err == nil && len(on) == 0 {
		err = &release.NoMainError{ID: r.id()}
	}
	return on, err
}

// named is the cluster of that name.
func named(clusters []Cluster, name string) Cluster {
	for _, c := range clusters {
		if c.Name() == name {
			return c
		}
	}
	return nil
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
		return false, fmt.Errorf("it cannot be told whether %s is paused on cluster %q; name in `clusters` those to act on: %w", id, o.Cluster, o.Err)
	}
	return o.Record != nil, nil
}
