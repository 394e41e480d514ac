package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// UnmainRequest takes an application's address away on some clusters.
type UnmainRequest struct {
	Service  traffic.ServiceSpec
	Owner    string // the state's token
	Group    string // the group's name; empty: a main deployment of its own
	Clusters []Cluster

	// Route is the one that the state knows of, for where nothing is remembered of the
	// address; nil: none.
	Route *traffic.RouteSpec

	// Replaced says that another main_deployment of the same application
	// follows: the address stays, without an owner, for it to take over.
	Replaced bool

	// DNS says that the state knows of a DNSEndpoint of the application.
	DNS bool
}

// Unmain deletes an application's address, and with it every release that is
// in nobody's state: condemned, retained and abandoned ones. An adopted address
// is handed back instead, or left as it is where that would be an outage.
func (e *Engine) Unmain(ctx context.Context, req UnmainRequest) ([]Notice, error) {
	var notices []Notice
	namespace, application := req.Service.Namespace, req.Service.Application
	err := e.keeper.Locked(ctx, req.Clusters, namespace, application, func(ctx context.Context, h *ownership.Held) error {
		told, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) ([]Notice, error) { return e.unmainOn(ctx, c, req, h) })
		for _, n := range told {
			notices = append(notices, n...)
		}
		return err
	})
	return notices, err
}

// ending is the end of an address on one cluster.
type ending struct {
	engine  *Engine
	cluster Cluster
	req     UnmainRequest
	held    *ownership.Held
	began   time.Time

	main *release.Main     // what is remembered of it; nil: nothing
	live *corev1.ConfigMap // as it was read or written last

	router  *traffic.Service
	adopted *corev1.Service // somebody else's, while it leads to a release
	overlap bool            // what it led to before are pods of releases, too
	stays   *Notice         // why it is not handed back

	notices []Notice
	entries []release.Entry // of the history, not written yet
}

func (e *Engine) unmainOn(ctx context.Context, c Cluster, req UnmainRequest, h *ownership.Held) ([]Notice, error) {
	namespace, application := req.Service.Namespace, req.Service.Application
	end := &ending{engine: e, cluster: e.keeper.Under(c, namespace, application), req: req, held: h, began: time.Now()}
	var err error
	if end.main, end.live, err = ownership.LiveMain(ctx, end.cluster, namespace, application); err != nil {
		return nil, err
	}
	if end.stale() {
		return []Notice{staleDelete(c, namespace+"/"+application)}, nil
	}
	if !req.Replaced {
		if err := e.unpublish(ctx, end.cluster, req, end.main); err != nil {
			return nil, err
		}
	}
	seen, err := end.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := end.removeRoutes(ctx); err != nil {
		return nil, err
	}
	if err := end.restoreFloors(ctx); err != nil {
		return nil, err
	}
	for _, step := range promotion.End(seen) {
		if err := end.perform(ctx, step); err != nil {
			return end.notices, err
		}
	}
	return end.notices, nil
}

// stale says that the address is somebody else's by now.
func (end *ending) stale() bool {
	main, req := end.main, end.req
	return main != nil && req.Owner != "" && (main.Owner != req.Owner || main.Group != "" && req.Group == "") && !main.OutOfDate(req.Owner)
}

// look finds out how the address may end.
func (end *ending) look(ctx context.Context) (promotion.Ending, error) {
	service := end.req.Service
	seen := promotion.Ending{
		Main: end.main, Successor: end.req.Replaced,
		Adopted: end.main != nil && end.main.Adopted != nil || end.main == nil && service.Adopt,
	}
	end.router = end.engine.router(end.cluster, service, false)
	if seen.Successor || !seen.Adopted {
		return seen, nil
	}
	var known *release.Adoption
	service.Adopt = true
	if end.main != nil {
		known, service.Name = end.main.Adopted, end.main.Service
	}
	end.router = end.engine.router(end.cluster, service, false)
	end.router.Adopt(known, false)
	err := end.lookBack(ctx, service, known, &seen)
	return seen, err
}

// removeRoutes takes the address's routes away, first: what they lead to is there until
// the end.
func (end *ending) removeRoutes(ctx context.Context) error {
	if end.req.Replaced {
		return nil
	}
	main := release.Main{}
	if end.main != nil {
		main = *end.main
	} else if end.req.Route != nil {
		main.Route = new(end.req.Route.Ref())
	}
	for _, route := range append(release.Routes{main.Route}, main.StillLeaves()...) {
		if route == nil {
			continue
		}
		told, err := end.engine.removeRoute(ctx, end.cluster, end.req.Service, *route, main.Deployment)
		end.notices = append(end.notices, told...)
		if err != nil {
			return err
		}
		if route.Adopted != nil && len(told) == 0 {
			if err := drain(ctx, end.drain()); err != nil {
				return err
			}
		}
	}
	return nil
}

// restoreFloors ends what a promotion that is open has done to autoscalers.
func (end *ending) restoreFloors(ctx context.Context) error {
	if end.req.Replaced || end.main == nil || end.main.Progress == nil {
		return nil
	}
	return end.engine.restoreFloors(ctx, end.cluster, end.req.Service.Namespace, end.req.Service.Application, end.main.Progress.Floors)
}

// perform does one step.
func (end *ending) perform(ctx context.Context, step promotion.EndStep) error {
	switch step {
	case promotion.EndDisown:
		return end.disown(ctx)
	case promotion.EndRemove:
		return end.router.Remove(ctx)
	case promotion.EndHandBack:
		return end.handBack(ctx)
	case promotion.EndDrain:
		return drain(ctx, end.drain())
	case promotion.EndLetGo:
		return end.router.LetGo(ctx)
	case promotion.EndRetire:
		return end.retire(ctx)
	case promotion.EndKeep:
		end.keep()
	case promotion.EndCollect:
		return end.collect(ctx)
	case promotion.EndLeave:
		return end.leave(ctx)
	case promotion.EndForget:
		return end.forget(ctx)
	}
	return nil
}

func (end *ending) drain() time.Duration {
	if end.main == nil {
		return release.DefaultDrain
	}
	return end.main.Drain
}

// retire writes down that nothing is main any more. With the address, nothing is left
// to drain either.
func (end *ending) retire(ctx context.Context) error {
	if end.main == nil {
		return nil
	}
	end.entries = end.removed(ctx, "")
	end.keep()
	end.main.Deployment = ""
	return end.save(ctx)
}

// keep forgets everything that is kept but what the address leads to.
func (end *ending) keep() {
	if end.stays != nil {
		end.notices = append(end.notices, *end.stays)
	}
	if end.main != nil {
		end.main.Previous, end.main.Left, end.main.Progress, end.main.KeepCount = nil, nil, nil, 0
	}
}

// collect removes what the pointer protects no longer.
func (end *ending) collect(ctx context.Context) error {
	main := release.Main{}
	if end.main != nil {
		main = *end.main
	}
	namespace, application := end.req.Service.Namespace, end.req.Service.Application
	done, err := end.engine.collect(ctx, end.cluster, namespace, application, main)
	end.notices, end.entries = append(end.notices, done.notices...), append(end.entries, done.entries...)
	if err != nil || end.main == nil {
		end.engine.keeper.RememberIfAny(ctx, end.cluster, namespace, application, end.entries...)
	}
	return err
}

// leave ends the management of an address that stays where it is. What it leads to is
// remembered, so that a later main deployment can go on from there.
func (end *ending) leave(ctx context.Context) error {
	if end.main != nil {
		end.entries = append(end.entries, end.removed(ctx, "the adopted Service stays as it is")...)
	}
	return end.disown(ctx) // last: until then, a run that is killed is begun again
}

// disown writes down that nobody owns the address.
func (end *ending) disown(ctx context.Context) error {
	if end.main == nil {
		return nil
	}
	end.main.Owner, end.main.Group, end.main.Member = "", "", ""
	return end.save(ctx)
}

// save writes down what is remembered of the address, and what has been done.
func (end *ending) save(ctx context.Context) error {
	entries := end.entries
	end.entries = nil
	return end.engine.keeper.SaveMain(ctx, end.cluster, end.req.Service.Namespace, end.req.Service.Application, &end.live, end.main, entries...)
}

// forget removes what is remembered of the address; of the application, too, where
// nothing else is left of it.
func (end *ending) forget(ctx context.Context) error {
	keeper, c := end.engine.keeper, end.cluster
	namespace, application := end.req.Service.Namespace, end.req.Service.Application
	gone, err := keeper.ForgetApplication(ctx, c, namespace, application, release.MainName(application), end.held, nil)
	switch {
	case err != nil || end.live == nil:
		return err
	case gone: // the history goes with the last release
		return keeper.ForgetMain(ctx, c, namespace, application, end.live)
	}
	return keeper.DropMain(ctx, c, namespace, application, end.live, nil, end.entries...)
}

// removed is the history's line of an address that was taken away, or that is no longer
// ours to move.
func (end *ending) removed(ctx context.Context, reason string) []release.Entry {
	main, service := end.main.Deployment, end.req.Service
	if main == "" {
		return nil // written down by a run that was killed
	}
	entry := ended(ctx, end.engine.entry(ctx, end.cluster, release.OperationRemoveMain, main, ""), end.began, nil)
	entry.From, entry.Reason = main, reason
	end.engine.report(ctx, end.cluster, serviceNamed(service.Namespace, service.Name), entry)
	return []release.Entry{entry}
}
