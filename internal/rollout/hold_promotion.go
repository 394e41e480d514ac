package rollout

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A promotion that is held stays where it is, whoever runs it. For example: v2 has 25 % of
// the traffic, and its run watches it for an hour. Somebody does not like what they see, and
// holds it. The run ends in a pause, within a second. Every apply leaves it so, until
// somebody lets it go on, or goes back.

// HoldOf finds the clusters on which an application's promotion is, and whether it can be held
// where it is. It reads, and writes nothing.
func HoldOf(ctx context.Context, r WayBackRequest) (ResumeRequest, error) {
	on, err := MainOn(ctx, r)
	req := ResumeRequest{Namespace: r.Namespace, Application: r.Application, Clusters: on}
	if err == nil {
		_, err = fleet.All(fleet.ByName(on), func(c Cluster) (Cluster, error) { return holdable(ctx, c, req) })
	}
	return req, err
}

// Hold holds an application's promotion where it is, on every cluster on which one is open.
// A living run is asked to end in a pause; what waits already, or what a dead run has left,
// is held here. Where one cluster refuses, nothing is written anywhere.
func (e *Engine) Hold(ctx context.Context, req ResumeRequest) ([]Notice, error) {
	open, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (Cluster, error) { return holdable(ctx, c, req) })
	if err != nil {
		return nil, err
	}
	var on []Cluster
	for _, c := range open {
		if c != nil {
			on = append(on, c)
		}
	}
	if len(on) == 0 {
		return []Notice{{Summary: "Nothing is to be held", Detail: fmt.Sprintf("The promotion of %s is held already, and nothing was written.", req.id())}}, nil
	}
	if _, err := fleet.All(on, func(c Cluster) (struct{}, error) {
		return struct{}{}, e.askRun(ctx, c, req.Namespace, req.Application, release.RequestHold, req.say)
	}); err != nil {
		return nil, err
	}
	return nil, e.keeper.Locked(ctx, on, req.Namespace, req.Application, func(ctx context.Context, _ *ownership.Held) error {
		_, err := fleet.All(on, func(c Cluster) (struct{}, error) { return struct{}{}, e.holdOn(ctx, c, req) })
		return err
	})
}

// holdable is the cluster, where there is something to be held; nil where it is held already.
func holdable(ctx context.Context, c Cluster, req ResumeRequest) (Cluster, error) {
	main, _, err := ownership.LiveMain(ctx, c, req.Namespace, req.Application)
	if err != nil {
		return nil, err
	}
	if main == nil {
		return nil, &release.NoMainError{ID: req.id(), Cluster: c.Name()}
	}
	if why := main.Holdable(); why != "" {
		return nil, &release.HoldError{Cluster: c.Name(), ID: req.id(), Reason: why}
	}
	if main.Progress.Held != nil {
		return nil, nil
	}
	return c, nil
}

// holdOn writes, under the Lease, that it is held, unless whoever was asked has done so.
func (e *Engine) holdOn(ctx context.Context, c Cluster, req ResumeRequest) error {
	main, live, err := ownership.LiveMain(ctx, c, req.Namespace, req.Application)
	if err != nil {
		return err
	}
	if main == nil {
		return &release.NoMainError{ID: req.id(), Cluster: c.Name()}
	}
	if main.Progress != nil && main.Progress.Held != nil {
		req.say("%s: %s, and is held", c.Name(), main.Progress.Has())
		return nil
	}
	if why := main.Holdable(); why != "" {
		return &release.HoldError{Cluster: c.Name(), ID: req.id(), Reason: why}
	}
	next, open := *main, *main.Progress
	open.Paused, open.Held = true, &release.Hold{By: mask.Redact(c.User(ctx)), Why: because(ctx), At: c.Now().UTC().Truncate(time.Second)}
	next.Progress = &open
	return e.saveHold(ctx, c, req, release.OperationHold, live, &next)
}

// letGoOn lifts, under the Lease, a hold: the pause that it was in before, or none, counts
// again.
func (e *Engine) letGoOn(ctx context.Context, req ResumeRequest, on *pausedOn) error {
	c := on.cluster
	return e.keeper.Locked(ctx, []Cluster{c}, req.Namespace, req.Application, func(ctx context.Context, _ *ownership.Held) error {
		main, live, err := ownership.LiveMain(ctx, c, req.Namespace, req.Application)
		if err != nil || main == nil || main.Progress == nil || main.Progress.Held == nil {
			return err // somebody else has, or has gone back
		}
		next, open := *main, *main.Progress
		open.Held = nil
		next.Progress = &open
		if err := e.saveHold(ctx, c, req, release.OperationResume, live, &next); err != nil {
			return err
		}
		req.say("%s: %s, and is not held any more", c.Name(), open.Has())
		return nil
	})
}

// saveHold writes a promotion that is held, or is not any more, with its line of the history.
func (e *Engine) saveHold(ctx context.Context, c Cluster, req ResumeRequest, operation release.Operation, live *corev1.ConfigMap, main *release.Main) error {
	open := main.Progress
	entry := e.entry(ctx, c, operation, open.To, "")
	entry.From, entry.To, entry.Group = open.From, open.To, main.Group
	if err := e.keeper.SaveMain(ctx, c, req.Namespace, req.Application, &live, main, entry); err != nil {
		return err
	}
	e.report(ctx, c, serviceNamed(req.Namespace, main.Service), entry)
	if operation == release.OperationHold {
		req.say("%s: %s, and is held", c.Name(), open.Has())
	}
	return nil
}
