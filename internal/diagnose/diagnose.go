package diagnose

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Diagnosed is how a subject is on one cluster, and why.
type Diagnosed struct {
	Cluster string
	Verdict health.Verdict
	Unread  []Unread // what would have explained more
}

// On judges a subject on every cluster that has it, live. It writes nothing. Nodes
// have so long to send the ends of logs: see TailPatience.
func On[C Cluster](ctx context.Context, clusters []C, s Subject, patience time.Duration) ([]Diagnosed, error) {
	on := sorted(clusters)
	all, err := fleet.All(on, func(c Cluster) (*Diagnosed, error) { return diagnoseOn(ctx, c, s, patience) })
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d *Diagnosed) bool { return d == nil })
	if len(all) == 0 {
		what := fmt.Sprintf("the Deployment %s/%s", s.Namespace, s.Workload)
		if s.Workload == "" {
			what = fmt.Sprintf("a pod that %q selects in namespace %q", s.Selector, s.Namespace)
		}
		return nil, absent(what, on)
	}
	found := make([]Diagnosed, len(all))
	for i, d := range all {
		found[i] = *d
	}
	return found, nil
}

// diagnoseOn is nil where the cluster does not have the subject.
func diagnoseOn(ctx context.Context, c Cluster, s Subject, patience time.Duration) (*Diagnosed, error) {
	in, unread, err := Gather(ctx, c, s)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, allowed(err, c, "get", "deployments.apps", s.Namespace)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.Workload == "" {
		if i := slices.IndexFunc(unread, func(u Unread) bool { return u.Resource == "pods" }); i >= 0 {
			return nil, allowed(unread[i].Err, c, "list", "pods", s.Namespace)
		}
		if len(in.Pods) == 0 {
			return nil, nil
		}
	}
	settings := settingsOf(ctx, c, in.Workload)
	in.Limits = health.LimitsOf(settings)
	verdict, more := WithLogs(ctx, c, s.Namespace, in, health.Compute(in), settings.Lines(), patience)
	return &Diagnosed{Cluster: c.Name(), Verdict: verdict, Unread: append(unread, more...)}, nil
}

// settingsOf is what the user set of a release's health, so that it is judged as
// its create judges it; the defaults where that cannot be told.
func settingsOf(ctx context.Context, c Cluster, d *appsv1.Deployment) release.Health {
	if d == nil || d.Labels[release.LabelManagedBy] != release.ManagedBy {
		return release.Health{}
	}
	cm := &corev1.ConfigMap{}
	if c.Get(ctx, d.Namespace, d.Name, cm) != nil {
		return release.Health{}
	}
	record, err := release.ParseRecord(cm.Data)
	if err != nil {
		return release.Health{}
	}
	return record.Health
}
