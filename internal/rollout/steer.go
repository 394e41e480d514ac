package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Whoever promotes may be asked to stay where it is, or to skip what is left, and goes on
// with its run: it ends in a pause, or with all of the traffic moved.

// askRun asks the run that is at a promotion for something: nobody is at what waits. It is
// best effort: who asks waits for the Lease next.
func (e *Engine) askRun(ctx context.Context, c Cluster, namespace, application string, kind release.RequestKind, say func(string, ...any)) error {
	for {
		main, live, err := ownership.LiveMain(ctx, c, namespace, application)
		if err != nil || main == nil || main.Progress == nil || main.Progress.Paused || main.Progress.Held != nil {
			return err
		}
		if kind == release.RequestSkip && !main.Progress.Left() {
			return nil
		}
		if release.RequestIn(live.Data).Asks(release.RequestReturn, main.Progress) {
			return nil // somebody wants the traffic back: there is one request at a time, and that one stays
		}
		open, next := main.Progress, live.DeepCopy()
		request := release.Request{Kind: kind, From: open.From, To: open.To, By: mask.Redact(c.User(ctx)), Why: because(ctx), Holder: open.Holder, At: c.Now().UTC().Truncate(time.Second)}
		if next.Data, err = release.Asking(live.Data, request); err != nil {
			return err
		}
		what := "hold " + open.To + " where it is"
		if kind == release.RequestSkip {
			what = "give " + open.To + " all of the traffic at once"
		}
		say("%s: asking %s to %s", c.Name(), open.Holder, what)
		if err = c.Update(ctx, next); !release.ReadAgain(err) || apierrors.IsNotFound(err) {
			return err
		}
	}
}

// heldError ends a watch because somebody holds the promotion where it is.
type heldError struct{ hold release.Hold }

func (e *heldError) Error() string { return "it is " + e.hold.Text() }

// skipError ends a watch because somebody lets the promotion skip what is left.
type skipError struct{ request release.Request }

func (e *skipError) Error() string {
	return "somebody lets it skip the shares and pauses that are left"
}

// steering is why a step is not done, or not to its end, where that is what somebody asks of
// the promotion; nil: it is not.
func steering(err error) error {
	held, skips := new(heldError), new(skipError)
	switch {
	case errors.As(err, &held):
		return held
	case errors.As(err, &skips):
		return skips
	}
	return nil
}

// steered does, ahead of a step that would take it further, what somebody asks of the
// promotion. What gives the release no more than it has goes on. again says that other steps
// are due by now.
func (p *Promotion) steered(ctx context.Context, step release.Step, due []*placement) (again bool, err error) {
	switch step.Kind {
	case release.StepPause, release.StepAnalyse, release.StepCommit:
	case release.StepShift:
		more := func(pl *placement) bool { return pl.split != nil && step.Weight > pl.split[p.req.To] }
		if !slices.ContainsFunc(due, more) {
			return false, nil
		}
	case release.StepStart, release.StepRestore, release.StepReady, release.StepRename, release.StepStop, release.StepCollect:
		return false, nil
	}
	for _, pl := range p.active() {
		var asked error
		if held := pl.progress.Held; held != nil {
			asked = &heldError{*held}
		} else {
			asked = steering(p.asked(ctx, pl))
		}
		if asked != nil {
			return true, p.steer(ctx, due, asked)
		}
	}
	return false, nil
}

// steer does what somebody asks of the promotion, where that is what an error says.
func (p *Promotion) steer(ctx context.Context, due []*placement, err error) error {
	held, skips := new(heldError), new(skipError)
	switch {
	case errors.As(err, &held):
		return p.hold(ctx, due, &held.hold)
	case errors.As(err, &skips):
		p.skip(ctx, skips.request.By, skips.request.Why)
		return nil
	}
	return err
}

// hold writes down that it is held, on every cluster, and ends the run.
func (p *Promotion) hold(ctx context.Context, due []*placement, held *release.Hold) error {
	for _, pl := range p.active() {
		if pl.progress.Held == nil && pl.start.Shares {
			pl.progress.Held = held
			p.act(ctx, pl, release.OperationHold, held.By, held.Why)
		}
	}
	return p.halt(ctx, due)
}

// act notes what somebody has asked of the promotion, for the history.
func (p *Promotion) act(ctx context.Context, pl *placement, operation release.Operation, by, why string) {
	entry := p.engine.entry(ctx, pl.cluster, operation, p.req.To, "")
	entry.From, entry.To, entry.By, entry.Reason = pl.from(), p.req.To, by, why
	pl.act = &entry
}
