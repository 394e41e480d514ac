package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A promotion that is held stays where it is, whoever runs it. For example: v2 has 25 % of
// the traffic, and its run watches it for an hour. Somebody does not like what they see, and
// holds it. The run ends in a pause, within a second. Every apply leaves it so, until
// somebody lets it go on, or goes back.

// Hold holds an application's promotion where it is, on every cluster on which one is open.
// A living run is asked to end in a pause; what waits already, or what a dead run has left,
// is held here. Where one cluster refuses, nothing is written anywhere.
func (e *Engine) Hold(ctx context.Context, req ResumeRequest) ([]Notice, error) {
	open, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (Cluster, error) { return e.holdable(ctx, c, req) })
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
	if _, err := fleet.All(on, func(c Cluster) (struct{}, error) { return struct{}{}, e.askToHold(ctx, c, req) }); err != nil {
		return nil, err
	}
	return nil, e.keeper.Locked(ctx, on, req.Namespace, req.Application, func(ctx context.Context, _ *ownership.Held) error {
		_, err := fleet.All(on, func(c Cluster) (struct{}, error) { return struct{}{}, e.holdOn(ctx, c, req) })
		return err
	})
}

// holdable is the cluster, where there is something to be held; nil where it is held already.
func (e *Engine) holdable(ctx context.Context, c Cluster, req ResumeRequest) (Cluster, error) {
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

// askToHold asks whoever runs the promotion to end in a pause. It is best effort: who holds
// it waits for the Lease next.
func (e *Engine) askToHold(ctx context.Context, c Cluster, req ResumeRequest) error {
	for {
		main, live, err := ownership.LiveMain(ctx, c, req.Namespace, req.Application)
		if err != nil || main == nil || main.Progress == nil || main.Progress.Paused || main.Progress.Held != nil {
			return err
		}
		open, next := main.Progress, live.DeepCopy()
		request := release.Request{Kind: release.RequestHold, From: open.From, To: open.To, By: mask.Redact(c.User(ctx)), Why: because(ctx), Holder: open.Holder, At: c.Now().UTC().Truncate(time.Second)}
		if next.Data, err = release.Asking(live.Data, request); err != nil {
			return err
		}
		req.say("%s: asking %s to hold %s where it is", c.Name(), open.Holder, open.To)
		if err = c.Update(ctx, next); !release.ReadAgain(err) || apierrors.IsNotFound(err) {
			return err
		}
	}
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

// heldError ends a watch because somebody holds the promotion where it is.
type heldError struct{ hold release.Hold }

func (e *heldError) Error() string { return "it is " + e.hold.Text() }

// heldBy is why a step is not done, or not to its end: somebody holds the promotion.
func heldBy(err error) *release.Hold {
	var held *heldError
	if errors.As(err, &held) {
		return &held.hold
	}
	return nil
}

// holds ends the run in a pause where the promotion is held, ahead of a step that would take
// it further. What gives the release no more than it has goes on.
func (p *Promotion) holds(ctx context.Context, step release.Step, due []*placement) error {
	switch step.Kind {
	case release.StepPause, release.StepAnalyse, release.StepCommit:
	case release.StepShift:
		more := func(pl *placement) bool { return pl.split != nil && step.Weight > pl.split[p.req.To] }
		if !slices.ContainsFunc(due, more) {
			return nil
		}
	case release.StepStart, release.StepRestore, release.StepReady, release.StepRename, release.StepStop, release.StepCollect:
		return nil
	}
	for _, pl := range p.active() {
		if held := pl.progress.Held; held != nil {
			return p.hold(ctx, due, held)
		}
		var held *heldError
		if err := p.asked(ctx, pl); errors.As(err, &held) {
			return p.hold(ctx, due, &held.hold)
		}
	}
	return nil
}

// hold writes down that it is held, on every cluster, and ends the run.
func (p *Promotion) hold(ctx context.Context, due []*placement, held *release.Hold) error {
	for _, pl := range p.active() {
		if pl.progress.Held == nil && pl.start.Shares {
			pl.progress.Held = held
			entry := p.engine.entry(ctx, pl.cluster, release.OperationHold, p.req.To, "")
			entry.From, entry.To, entry.By, entry.Reason = pl.from(), p.req.To, held.By, held.Why
			pl.held = &entry
		}
	}
	return p.halt(ctx, due)
}

// heldOr is hold where that is what an error says.
func (p *Promotion) heldOr(ctx context.Context, due []*placement, err error) error {
	if held := heldBy(err); held != nil {
		return p.hold(ctx, due, held)
	}
	return err
}
