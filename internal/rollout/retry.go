package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// RetryRequest lets a release of an application be tried once more that was left because it
// failed, or because somebody asked to go back from it.
type RetryRequest struct {
	Namespace, Application string
	Clusters               []Cluster
	Progress               func(string) // see PromoteRequest
}

func (r RetryRequest) id() string { return r.Namespace + "/" + r.Application }

// RetryOf finds the clusters on which an application has a main deployment, and what is refused
// there. It reads, and writes nothing.
func RetryOf(ctx context.Context, r WayBackRequest) (on []Cluster, refused []*release.Breach, err error) {
	found, err := mainsOn(ctx, r)
	for _, p := range found {
		on = append(on, p.cluster)
		if p.main.Breach != nil {
			refused = append(refused, p.main.Breach)
		}
	}
	return on, refused, err
}

// Retry forgets, on every cluster, which release is refused: what a changed `retry_token`
// does in a configuration. It moves nothing: the next apply of that release does. Where
// nothing is refused, nothing is written, and a notice says so.
func (e *Engine) Retry(ctx context.Context, req RetryRequest) ([]Notice, error) {
	say := PromoteRequest{Progress: req.Progress}.say
	var forgot []string
	err := e.keeper.Locked(ctx, req.Clusters, req.Namespace, req.Application, func(ctx context.Context, _ *ownership.Held) error {
		lifted, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (string, error) { return e.retryOn(ctx, c, req) })
		for i, c := range fleet.ByName(req.Clusters) {
			if i < len(lifted) && lifted[i] != "" {
				forgot = append(forgot, lifted[i])
				say("%s: %s may be tried once more", c.Name(), lifted[i])
			}
		}
		return err
	})
	if err != nil || len(forgot) > 0 {
		return nil, err
	}
	var names []string
	for _, c := range fleet.ByName(req.Clusters) {
		names = append(names, fmt.Sprintf("%q", c.Name()))
	}
	return []Notice{{Summary: "Nothing is refused", Detail: fmt.Sprintf("Of %s, no deployment is refused on cluster %s, and nothing was written.", req.id(), strings.Join(names, ", "))}}, nil
}

// retryOn does that on one cluster, under the Lease, and returns the release that was refused.
func (e *Engine) retryOn(ctx context.Context, c Cluster, req RetryRequest) (string, error) {
	main, live, err := ownership.LiveMain(ctx, c, req.Namespace, req.Application)
	if err != nil || main == nil || main.Breach == nil {
		return "", err
	}
	refused, next := main.Breach, *main
	next.Breach = nil
	entry := e.entry(ctx, c, release.OperationRetry, refused.To, "")
	entry.From, entry.To, entry.Group = refused.From, refused.To, main.Group
	if err := e.keeper.SaveMain(ctx, c, req.Namespace, req.Application, &live, &next, entry); err != nil {
		return "", err
	}
	e.report(ctx, c, serviceNamed(req.Namespace, main.Service), entry)
	return refused.To, nil
}
