package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// RestOf finds out how an application is stopped, or started again, as a whole, without a
// configuration: the release that is main stays so, and the address stays. It reads, and
// writes nothing.
func RestOf(ctx context.Context, r WayBackRequest, desired release.DesiredState) (GoBackRequest, error) {
	living, err := livingOf(ctx, r)
	if err != nil {
		return GoBackRequest{}, err
	}
	req := living.Request
	req.Desired = desired
	for i, s := range living.Standings {
		refuse := func(why string) (GoBackRequest, error) {
			return GoBackRequest{}, &release.RestError{Cluster: s.Cluster, ID: r.id(), Desired: desired, Reason: why}
		}
		switch {
		case s.Main.Progress != nil && (s.Main.Progress.From != s.Main.Deployment || s.Main.Progress.To != s.Main.Deployment): // else a stop that was cut off, which goes on
			return refuse("a promotion to " + s.Main.Progress.To + " is not over. Abort it, or let it come to its end, first")
		case s.Main.Deployment == "" || s.Traffic != s.Main.Deployment && s.Traffic != "":
			return refuse("its traffic does not go to the release that is main")
		case i > 0 && s.Main.Deployment != req.To:
			return refuse(s.Main.Deployment + " is main there, and " + req.To + " on another cluster. Name one after the other")
		}
		req.To = s.Main.Deployment
	}
	return req, nil
}

// RestartOf finds out which release of an application is restarted, and where: the one that
// has all of its traffic. A cluster that cannot be read may have another one. It reads, and
// writes nothing.
func RestartOf(ctx context.Context, r WayBackRequest) (ActionRequest, error) {
	apps, unread := observe.Applications(ctx, r.Clusters, r.Namespace, r.Application, nil)
	var errs []error
	for _, cluster := range slices.Sorted(maps.Keys(unread)) {
		errs = append(errs, unread[cluster])
	}
	if err := errors.Join(errs...); err != nil {
		return ActionRequest{}, err
	}
	if len(apps) == 0 {
		return ActionRequest{}, &release.NoMainError{ID: r.id()}
	}
	main := apps[0].Summary().Main
	if main == "" {
		return ActionRequest{}, &release.NoneMainError{ID: r.id()}
	}
	req := ActionRequest{ID: release.ID{Namespace: r.Namespace, Name: main}}
	for _, c := range r.Clusters {
		there := slices.ContainsFunc(apps[0].Releases, func(s observe.Surveyed) bool { return s.Cluster == c.Name() && s.ID == req.ID })
		switch {
		case there:
			req.Clusters = append(req.Clusters, c)
		case r.Named:
			return ActionRequest{}, &release.NoMainError{ID: r.id(), Cluster: c.Name()}
		}
	}
	return req, nil
}
