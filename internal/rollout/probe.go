package rollout

import (
	"context"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// probePause is how long a probe that has failed waits before it asks again.
const probePause = 500 * time.Millisecond

// probe asks for the route's address as a client does, until it answers as it should: a
// status says that a Gateway serves the route, and not that requests arrive. Nothing may
// keep traffic from going back to who had it, and who is the first has no other's traffic
// to lose: they are not asked about.
func (p *Promotion) probe(ctx context.Context, pl *placement, step release.Step) error {
	if !pl.start.Shares || p.req.Route == nil || p.req.Route.Probe == nil {
		return nil
	}
	asked, limit := *p.req.Route.Probe, p.engine.timing.Settle
	p.req.say("%s: asking %s", pl.cluster.Name(), asked.Shown())
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error // that says what the address does: the time cuts off the one after it
	for {
		err := asked.Ask(waiting)
		if err == nil {
			return nil
		}
		if last == nil || waiting.Err() == nil {
			last = err
		}
		if ctx.Err() == nil && waiting.Err() == nil && wait.For(waiting, probePause) == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &release.ProbeError{Cluster: pl.cluster.Name(), ID: p.id(), Percent: step.Weight, URL: asked.Shown(), Status: asked.Status, Within: limit, Last: last}
	}
}
