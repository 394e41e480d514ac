package rollout

import (
	"context"
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// flow is what the application's address leads to, as a failure finds it.
type flow struct {
	name        string // empty: to nothing, or it cannot be told
	ready, want int32  // of the release itself: old pods and new ones; none wanted: it is another one
}

func (s flow) serves() bool { return s.want == 0 || s.ready > 0 }

func (s flow) String() string {
	switch {
	case s.name == "":
		return ""
	case s.ready < s.want:
		return fmt.Sprintf("100 %% leads to %s, and %d of its %d pods %s ready", s.name, s.ready, s.want, release.Are(s.ready))
	}
	return "unchanged, 100 % on " + s.name
}

// trafficNow looks where the traffic goes, and, where that is the very release that
// fails, at what is left of its pods to take it.
func (e *Engine) trafficNow(ctx context.Context, c Cluster, t target) flow {
	s := flow{name: e.mainNow(ctx, c, t)}
	if s.name != t.id.Name {
		return s
	}
	if d, err := e.liveWorkload(ctx, c, t.id, t.application()); err == nil && d != nil {
		s.ready, s.want = d.Status.ReadyReplicas, deref(d.Spec.Replicas)
	}
	return s
}

// tellReturned says, once the way back has been taken, what the traffic leads to: what
// was told of it was seen before.
func (e *Engine) tellReturned(ctx context.Context, c Cluster, t target, failure *StartError) {
	if failure == nil || failure.Traffic == "" {
		return
	}
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.timing.patience(evidencePatience))
	defer cancel()
	now := e.trafficNow(asked, c, t)
	switch {
	case now.name == "":
	case !failure.served && now.ready >= now.want:
		failure.Traffic = fmt.Sprintf("100 %% on %s again; in between, none of its pods was ready", now.name)
	default:
		failure.Traffic = now.String()
	}
}

// mainNow is which release the application's address leads to; empty where there
// is none, or it cannot be told.
func (e *Engine) mainNow(ctx context.Context, c Cluster, t target) string {
	main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
	if err != nil || main == nil {
		return ""
	}
	return main.Deployment
}
