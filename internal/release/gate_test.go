package release

import (
	"strings"
	"testing"
)

// TestLoadBalancerGate: whose a gate is, and that of others nothing is said.
func TestLoadBalancerGate(t *testing.T) {
	for condition, want := range map[string]string{
		"target-health.elbv2.k8s.aws/k8s-shop":       "AWS",
		"target-health.alb.ingress.k8s.aws/a_b_http": "AWS",
		"cloud.google.com/load-balancer-neg-ready":   "Google",
		"example.com/ready":                          "",
	} {
		controller, ok := LoadBalancerGate(condition)
		if ok != (want != "") || !strings.Contains(controller, want) {
			t.Errorf("%s is said to be of %q (%v), want %q", condition, controller, ok, want)
		}
	}
}
