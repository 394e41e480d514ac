package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Whoever presses Ctrl-C waits for nothing. The route is told, in one write, to give all
// of the traffic back. Whether the data plane has done so is the next run's to see: until
// then, the promotion is open, and nothing of the release that was tried goes.

// waits says that the way back on a cluster is one that a data plane takes its time for.
func (p *Promotion) waits(pl *placement) bool {
	from := pl.side()
	return pl.route != nil && pl.start.Shares && pl.stage >= promotion.Shifted && from != "" && from != p.req.To
}

// tellBack tells the route of one cluster to give all of the traffic back.
func (p *Promotion) tellBack(ctx, clean context.Context, pl *placement, cause error) error {
	recorded, back := pl.stage == promotion.Recorded, pl.progress
	back.Direction, back.Paused = release.DirectionBack, false
	failed := func(err error) error {
		pl.status, pl.err = release.MainFailed, errors.Join(pl.err, wentWrongToo(err))
		p.see(clean, pl)
		return err
	}
	var changed *release.PointerChangedError
	err := p.save(clean, pl, back)
	if ownership.Lost(clean, err) != nil || errors.As(err, &changed) {
		return failed(err)
	} // after any other error it goes back all the same
	if err := pl.toldRoute(clean); err != nil {
		return failed(err)
	}
	p.noteRoute(pl)
	if err := p.save(clean, pl, back, p.wentBack(ctx, pl, cause, true, recorded)...); err != nil {
		return failed(err)
	}
	pl.fate = returned
	return nil
}

// toldRoute tells the route of one cluster to give all of the traffic back, and does not
// wait. An adopted rule that its owner has taken back meanwhile stays theirs.
func (pl *placement) toldRoute(ctx context.Context) (err error) {
	pl.route.Returns()
	back := release.Split{pl.side(): 100}
	if pl.theirs() {
		_, _, err = pl.route.GiveBack(ctx)
		pl.split = back
		return err
	}
	if pl.asks.Adopted != nil {
		seen, err := pl.route.Look(ctx)
		if err != nil {
			return err
		}
		if seen.Route == nil {
			pl.split = seen.Split
			return pl.route.Remove(ctx) // but for the rule of a cohort
		}
	}
	_, _, err = pl.route.Shift(ctx, back)
	pl.split = back
	return err
}

// toldBackError says of an interrupted promotion where its traffic was told to go back,
// and that nobody has seen yet that it has.
type toldBackError struct {
	cause    error
	clusters []string
	from, to string
	seen     bool // it has, and the release is given up: it is its end that nobody has waited for
}

func (e *toldBackError) Error() string {
	where := "cluster " + strings.Join(e.clusters, ", ")
	if len(e.clusters) > 1 {
		where = "clusters " + strings.Join(e.clusters, ", ")
	}
	if e.seen {
		return fmt.Sprintf("%s. On %s, all of the traffic is back at %s, and the run ended before %s had (status %s). The next apply ends it, as its on_failure says. Until then, its pods stay",
			e.cause, where, e.from, e.to, release.MainRollingBack)
	}
	return fmt.Sprintf("%s. On %s, all of the traffic was told to go back to %s, and the run ended without waiting for that (status %s). The next apply sees to it, and goes on. Until then, the pods of %s stay",
		strings.ReplaceAll(e.cause.Error(), context.Canceled.Error(), "it was interrupted"), where, e.from, release.MainRollingBack, e.to)
}

func (e *toldBackError) Unwrap() error { return e.cause }

// toldBack is that error, with why the promotion goes back; nil where nobody was told.
func (p *Promotion) toldBack(placements []*placement, cause error) error {
	told := &toldBackError{cause: cause, to: p.req.To}
	for _, pl := range placements {
		if pl.fate == returned && pl.status == release.MainRollingBack {
			told.seen = pl.unended
			told.clusters, told.from = append(told.clusters, fmt.Sprintf("%q", pl.cluster.Name())), pl.side()
		}
	}
	if len(told.clusters) == 0 {
		return nil
	}
	return told
}
