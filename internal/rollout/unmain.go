package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// UnmainRequest takes an application's address away on some clusters.
type UnmainRequest struct {
	Service  traffic.ServiceSpec
	Owner    string // the state's token
	Group    string // the group's name; empty: a main deployment of its own
	Clusters []Cluster

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

func (e *Engine) unmainOn(ctx context.Context, c Cluster, req UnmainRequest, h *ownership.Held) ([]Notice, error) {
	namespace, application := req.Service.Namespace, req.Service.Application
	c = e.keeper.Under(c, namespace, application)
	began := time.Now()
	main, live, err := ownership.LiveMain(ctx, c, namespace, application)
	if err != nil {
		return nil, err
	}
	if main != nil && req.Owner != "" && (main.Owner != req.Owner || main.Group != "" && req.Group == "") && !main.OutOfDate(req.Owner) {
		return []Notice{staleDelete(c, namespace+"/"+application)}, nil
	}
	if req.Replaced {
		if main == nil {
			return nil, nil
		}
		main.Owner, main.Group, main.Member = "", "", ""
		return nil, e.keeper.SaveMain(ctx, c, namespace, application, &live, main)
	}
	if err := e.unpublish(ctx, c, req, main); err != nil {
		return nil, err
	}
	if main != nil && main.Adopted != nil || main == nil && req.Service.Adopt {
		stays, err := e.unadopt(ctx, c, req, main)
		if err != nil {
			return nil, err
		}
		if stays != nil {
			notices, err := e.leaveAddress(ctx, c, req, main, live, began)
			return append(notices, *stays), err
		}
	} else if err := e.router(c, req.Service, false).Remove(ctx); err != nil {
		return nil, err
	}
	// The address is gone; what it pointed at may go too, and is only now free
	// of the pointer that protects it.
	if main != nil {
		removed := e.removedMain(ctx, c, req, main, began, "")
		// With the address, nothing is left to drain either.
		main.Deployment, main.Previous, main.Left, main.Progress, main.KeepCount = "", nil, nil, nil, 0
		if err := e.keeper.SaveMain(ctx, c, namespace, application, &live, main, removed...); err != nil {
			return nil, err
		}
	} else {
		main = &release.Main{}
	}
	done, err := e.collect(ctx, c, namespace, application, *main)
	if err != nil {
		e.keeper.RememberIfAny(ctx, c, namespace, application, done.entries...)
		return done.notices, err
	}
	gone, err := e.keeper.ForgetApplication(ctx, c, namespace, application, release.MainName(application), h, nil)
	if err != nil || live == nil {
		return done.notices, err
	}
	if !gone { // the history goes with the last release
		return done.notices, e.keeper.DropMain(ctx, c, namespace, application, live, done.entries...)
	}
	return done.notices, e.keeper.ForgetMain(ctx, c, namespace, application, live)
}

// leaveAddress ends the management of an address that stays where it is. What it
// points at is remembered, so that a later main deployment can go on from there;
// nothing else is kept.
func (e *Engine) leaveAddress(ctx context.Context, c Cluster, req UnmainRequest, main *release.Main, live *corev1.ConfigMap, began time.Time) ([]Notice, error) {
	namespace, application := req.Service.Namespace, req.Service.Application
	if main == nil {
		done, err := e.collect(ctx, c, namespace, application, release.Main{})
		e.keeper.RememberIfAny(ctx, c, namespace, application, done.entries...)
		return done.notices, err
	}
	main.Previous, main.Left, main.Progress, main.KeepCount = nil, nil, nil, 0
	done, err := e.collect(ctx, c, namespace, application, *main)
	if err != nil {
		e.keeper.RememberIfAny(ctx, c, namespace, application, done.entries...)
		return done.notices, err
	}
	left := e.removedMain(ctx, c, req, main, began, "the adopted Service stays as it is")
	main.Owner, main.Group, main.Member = "", "", "" // last: until then, a run that is killed is begun again
	return done.notices, e.keeper.SaveMain(ctx, c, namespace, application, &live, main, append(done.entries, left...)...)
}
