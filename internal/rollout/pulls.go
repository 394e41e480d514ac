package rollout

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// pullWatch judges a release that is waited for. Events are not watched, because
// a namespace has many: they are listed where a verdict depends on them, as on
// how often a pull has failed, and again only when a pod has changed.
type pullWatch struct {
	cluster Cluster
	pods    string // as they were when events were listed last
	events  []*corev1.Event
}

// verdict is that on what the watch caches have, and on events where they decide.
// Without the permission to list them, less is known.
func (w *pullWatch) verdict(ctx context.Context, in health.Input) health.Verdict {
	v := health.Compute(in)
	if !v.NeedsEvents() {
		return v
	}
	if now := versions(in.Pods); now != w.pods {
		list := &corev1.EventList{}
		if err := w.cluster.List(ctx, in.Workload.Namespace, "", list); err != nil {
			return v
		}
		w.pods, w.events = now, nil
		for i := range list.Items {
			w.events = append(w.events, &list.Items[i])
		}
	}
	in.Events = w.events
	return health.Compute(in)
}

// versions tells whether any of the pods has changed.
func versions(pods []*corev1.Pod) string {
	all := make([]string, len(pods))
	for i, pod := range pods {
		all[i] = string(pod.UID) + "@" + pod.ResourceVersion
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
