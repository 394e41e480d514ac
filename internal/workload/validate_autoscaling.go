package workload

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func checkAutoscaling(r *report, spec release.Spec) {
	a, at := spec.Autoscaling, path{"autoscaling"}
	if a == nil {
		return
	}
	if a.Min < 1 {
		r.add(at.to("min"), "Too few pods", "min is %d; a release that runs has at least one pod. Set it to 1 or more.", a.Min)
	}
	if a.Max < a.Min {
		r.add(at.to("max"), "Bounds contradict each other", "max is %d and min is %d. Set max to %d or more.", a.Max, a.Min, a.Min)
	}
	if a.Max >= a.Min && spec.Replicas > a.Max {
		r.add(path{"replicas"}, "More replicas than autoscaling allows",
			"replicas is what the deployment starts with, and at %d it is more than autoscaling.max, which is %d. Lower it, or raise autoscaling.max.", spec.Replicas, a.Max)
	}
	if a.CPU == nil && a.Memory == nil {
		r.add(at, "No autoscaling target", "Without a target there is nothing to scale by. Set cpu or memory, in percent of what the container requests.")
	}
	requested, known := requests(spec.Content)
	for _, m := range targets(a) {
		name := string(m.resource)
		switch {
		case m.percent == nil:
		case *m.percent < 1:
			r.add(at.to(name), "Invalid autoscaling target", "%s is %d; it is a percentage of what the container requests. Set it to 1 or more.", name, *m.percent)
		case known && !requested[m.resource]:
			r.add(at.to(name), "Autoscaling target without a request",
				"The target for %[1]s is a percentage of what the container requests, and it requests none: the autoscaler could never tell. Set container.resources.requests.%[1]s.", name)
		}
	}
}

// requests are the resources that the application's container requests, also by
// the template's patch: what has a limit and no request, requests its limit.
func requests(c release.Content) (map[corev1.ResourceName]bool, bool) {
	c = c.Normalize()
	template, err := podTemplate(c, c.Application)
	if err != nil {
		return nil, false // what is wrong there is said where it is
	}
	found := map[corev1.ResourceName]bool{}
	for _, container := range template.Spec.Containers {
		if container.Name != c.Application {
			continue
		}
		for _, list := range []corev1.ResourceList{container.Resources.Limits, container.Resources.Requests} {
			for name, quantity := range list {
				found[name] = !quantity.IsZero()
			}
		}
	}
	return found, true
}
