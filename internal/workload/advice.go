package workload

import (
	"strings"

	imageref "github.com/distribution/reference"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Advice is what is allowed but likely to hurt later; callers show it as
// warnings.
func Advice(spec release.Spec) []Problem {
	r := &report{}
	c := spec.Content
	adviseImage(r, path{"image"}, c.Image)
	for i, h := range c.InitContainers {
		adviseImage(r, path{"init_containers", i, "image"}, h.Image)
	}
	for i, h := range c.Sidecars {
		adviseImage(r, path{"sidecars", i, "image"}, h.Image)
	}
	if len(c.Container.Ports) > 0 && c.Container.ReadinessProbe == nil {
		r.add(path{"container", "readiness_probe"}, "No readiness probe",
			"The application declares ports but no readiness_probe, so its pods get traffic as soon as their process runs, ready or not, and a broken version looks healthy. "+
				"Add a probe of an endpoint that answers once requests can be served.")
	}
	if c.Container.Resources.Limits["memory"] == "" {
		r.add(path{"container", "resources", "limits"}, "No memory limit",
			"Without a memory limit one leaking pod can take down its whole node, and with it other applications. Set resources.limits.memory to what the application needs at most.")
	}
	adviseGate(r, spec)
	adviseSize(r, spec)
	return append(r.problems, StrategyAdvice(spec)...)
}

// adviseGate finds a readiness gate that waits for the address, which waits for the
// pods. Only a patch can bring one.
func adviseGate(r *report, spec release.Spec) {
	template, err := podTemplate(spec.Content.Normalize(), spec.Content.Application)
	if err != nil || len(spec.AllowSelectedBy) > 0 {
		return // Validate says so; or another Service may lead to the pods before they are main
	}
	for _, gate := range template.Spec.ReadinessGates {
		if controller, ok := release.LoadBalancerGate(string(gate.ConditionType)); ok {
			r.add(path{"pod_template_patch"}, "Readiness gate that waits for the address",
				"%s sets %q only for pods that its load balancer leads to, and the application's address leads to none before they are ready: they would wait for each other, and the deployment would fail. "+
					"Take the gate out: Switchback waits until the pods are ready before it moves the address, and drains the former ones after it. Where another Service of the load balancer's selects the pods, name it in allow_selected_by.",
				strings.ToUpper(controller[:1])+controller[1:], gate.ConditionType)
		}
	}
}

func adviseImage(r *report, at path, image string) {
	ref, err := imageref.ParseNormalizedNamed(image)
	if err != nil {
		return // Validate says so
	}
	if _, pinned := ref.(imageref.Digested); pinned {
		return
	}
	tagged, ok := imageref.TagNameOnly(ref).(imageref.Tagged)
	if !ok || tagged.Tag() != "latest" {
		return
	}
	r.add(at, "Mutable image tag",
		"%q has the tag latest (no tag means the same), which names another image after the next push: pods of one release may differ, and going back brings nothing back. "+
			"Use a tag that never moves, such as a version or a commit, or a digest.", image)
}
