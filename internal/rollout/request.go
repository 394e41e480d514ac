package rollout

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Whoever promotes holds the Lease, so that nobody else may move the traffic. Others
// ask it to, in the application's ConfigMap. For example: a run watches web-2 for an
// hour. Somebody invokes the action switchback_rollback. The run sees the request by its
// watch, takes the traffic back to web-1, and lets go of the Lease, which the action
// waits for. Where that run is dead, the Lease expires, and the action goes back itself.

// AskBack asks, wherever a promotion away from the requested release may still go back,
// whoever is at it to do so. It is best effort: who goes back waits for the Lease next.
func (p *Promotion) AskBack(ctx context.Context) {
	_, _ = fleet.All(p.reached(), func(c Cluster) (struct{}, error) { return struct{}{}, p.askBackOn(ctx, c) })
}

func (p *Promotion) askBackOn(ctx context.Context, c Cluster) error {
	for {
		main, live, err := ownership.LiveMain(ctx, c, p.req.Service.Namespace, p.req.Service.Application)
		if err != nil || main == nil || main.Progress == nil {
			return err
		}
		open := main.Progress
		if !p.leaves(open) || open.Before == nil || open.Direction != release.DirectionForward || release.RequestIn(live.Data).Asks(release.RequestReturn, open) {
			return nil
		}
		next := live.DeepCopy()
		if next.Data, err = release.Asking(live.Data, release.Request{Kind: release.RequestReturn, From: open.From, To: open.To, By: mask.Redact(c.User(ctx)), At: c.Now().UTC(), Why: because(ctx), Forgets: p.forgets}); err != nil {
			return err
		}
		if !open.Paused { // else nobody is at it, unless somebody begins just now
			p.req.say("%s: asking %s to go back to %s", c.Name(), open.Holder, open.Side())
		}
		if err = c.Update(ctx, next); !release.ReadAgain(err) || apierrors.IsNotFound(err) {
			return err
		}
	}
}

// leaves says that an open promotion takes the traffic from what this one goes back to.
func (p *Promotion) leaves(open *release.Progress) bool {
	if p.undoes {
		return open.Undoable(p.req.To)
	}
	return open.From == p.req.To
}

// askedBack says that an error is somebody's wish to go back.
func askedBack(err error) bool {
	var asked *release.AskedBackError
	return errors.As(err, &asked)
}

// asked is what somebody asks of this promotion on one cluster; nil where nobody does.
// It reads the watch cache.
func (p *Promotion) asked(ctx context.Context, pl *placement) error {
	cm, err := ownership.Cached(ctx, pl.cluster.View(p.req.Service.Namespace), &corev1.ConfigMap{}, release.MainName(p.req.Service.Application))
	if err != nil || cm == nil {
		return err
	}
	request := release.RequestIn(cm.Data)
	if pl.start.Shares && request.Asks(release.RequestHold, &pl.progress) {
		return &heldError{release.Hold{By: request.By, Why: request.Why, At: request.At}}
	}
	if pl.start.Shares && !pl.start.Skips && pl.progress.Left() && request.Asks(release.RequestSkip, &pl.progress) {
		return &skipError{*request}
	}
	if from := pl.side(); from == "" || from == p.req.To || !request.Asks(release.RequestReturn, &pl.progress) {
		return nil
	}
	return &release.AskedBackError{Cluster: pl.cluster.Name(), ID: p.id(), Request: *request, Theirs: pl.theirSide()}
}
