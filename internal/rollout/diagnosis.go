package rollout

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// evidencePatience is how long a failure may take to be explained: its wait is
// over already.
const evidencePatience = 5 * time.Second

// diagnosis is what a closer look at a release has found.
type diagnosis struct {
	in      health.Input
	verdict health.Verdict
	unread  []diagnose.Unread
	err     error // it could not be looked at
	traffic *flow // where the traffic went at the same time; nil: not looked at
}

// diagnose looks at the release live, with everything around it.
func (e *Engine) diagnose(ctx context.Context, c Cluster, t target, applied *appsv1.Deployment) *diagnosis {
	a := &diagnosis{}
	a.in, a.unread, a.err = diagnose.Gather(ctx, c, diagnose.Subject{
		Namespace: t.id.Namespace, Workload: t.id.Name, Selector: labels.SelectorFromSet(release.Selector(t.id.Name)).String(),
	})
	if a.err == nil && a.in.Workload.UID != applied.UID {
		a.err = errVanished
	}
	if a.err != nil {
		return a
	}
	a.in.Generation = max(a.in.Generation, applied.Generation)
	a.in.WantReplicas = t.awaited(applied, a.in.Workload)
	a.in.Limits = health.LimitsOf(t.spec.Health)
	a.verdict = health.Compute(a.in)
	return a
}

// partial says that something was not read which the watch caches may have: not
// because it is forbidden, which it is for them, too.
func (a *diagnosis) partial() bool {
	if a.err != nil {
		return true
	}
	for _, u := range a.unread {
		switch u.Resource {
		case "pods", "replicasets", "events":
			if !apierrors.IsForbidden(u.Err) {
				return true
			}
		}
	}
	return false
}

// explained adds to the findings the ends of the logs that show more.
func (a *diagnosis) explained(ctx context.Context, c Cluster, namespace string, lines int32, patience time.Duration) {
	if a.err != nil {
		return
	}
	var unread []diagnose.Unread
	a.verdict, unread = diagnose.WithLogs(ctx, c, namespace, a.in, a.verdict, lines, patience)
	a.unread = append(a.unread, unread...)
}
