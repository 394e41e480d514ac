package health

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// gateFinding: all containers are ready, and something else is not.
func gateFinding(in Input, pod *corev1.Pod) *Finding {
	c := condition(pod, corev1.PodReady)
	if c == nil || c.Status == corev1.ConditionTrue || c.Reason != "ReadinessGatesNotReady" {
		return nil
	}
	if f := circleFinding(in, pod, c); f != nil {
		return f
	}
	return &Finding{
		Cause: CauseReadinessGate, Class: Patient, Object: aPod + pod.Name,
		Sentence: "the pod's containers are ready, but its readiness gates are not",
		Evidence: strings.TrimSpace(c.Message),
		Hint:     explanation(CauseReadinessGate).Try,
	}
}

// circleFinding: the gate is a load balancer's, whose controller sets it for pods that
// the load balancer leads to. It leads to none of a release that is not main yet, and
// the release is not main before it is ready. Where the controller has said anything
// of the gate, or another Service than the release's own selects the pods, it is only
// late.
func circleFinding(in Input, pod *corev1.Pod, ready *corev1.PodCondition) *Finding {
	for _, gate := range pod.Spec.ReadinessGates {
		controller, ok := release.LoadBalancerGate(string(gate.ConditionType))
		if !ok || condition(pod, gate.ConditionType) != nil || servedByOthers(in, pod) {
			continue
		}
		return &Finding{
			Cause: CauseGateCircle, Class: Certain, Object: aPod + pod.Name,
			Sentence: fmt.Sprintf("the pod's containers are ready, and it waits for the readiness gate %q: %s sets it for pods behind a Service that its load balancer leads to, "+
				"no such Service selects this pod before the deployment is main, and the deployment is not main before its pods are ready", gate.ConditionType, controller),
			Evidence: strings.TrimSpace(ready.Message),
			Hint:     explanation(CauseGateCircle).Try,
		}
	}
	return nil
}

// servedByOthers says that a Service leads to the pod which is not its release's own.
// One without an address is for discovery.
func servedByOthers(in Input, pod *corev1.Pod) bool {
	return slices.ContainsFunc(in.Around.Services, func(s *corev1.Service) bool {
		return s.Name != pod.Labels[release.LabelDeployment] && s.Spec.ClusterIP != corev1.ClusterIPNone && len(s.Spec.Selector) > 0 && selects(s.Spec.Selector, pod.Labels)
	})
}
