package release

import "strings"

// LoadBalancerGate says whose a pod's readiness gate is, where a controller sets it for
// the pods that its load balancer leads to, and for no others.
func LoadBalancerGate(condition string) (controller string, ok bool) {
	switch {
	case strings.HasPrefix(condition, "target-health.elbv2.k8s.aws/"), strings.HasPrefix(condition, "target-health.alb.ingress.k8s.aws/"):
		return "the AWS Load Balancer Controller", true
	case condition == "cloud.google.com/load-balancer-neg-ready":
		return "the NEG controller of Google Cloud", true
	}
	return "", false
}
