package provider_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAccReadinessGateOfTheAddress: a gate that a load balancer sets for the pods of the
// main Service alone is a circle. It ends at once, long before the deadline, and says the
// way out; without the gate all is well.
func TestAccReadinessGateOfTheAddress(t *testing.T) {
	l := newLab(t)
	k, w := l.cluster.Kubelet(t), l.inProcess()
	config := func(gates string) string {
		return l.config(l.deployment(createFirst, `health = { fail_fast_grace = "0s" }`,
			fmt.Sprintf("pod_template_patch = \"spec: {nodeName: %s%s}\"", k.Node, gates)), l.main(`drain = "1s"`))
	}
	w.applyFails(config(", readinessGates: [{conditionType: target-health.elbv2.k8s.aws/k8s-shop}]")).
		tells("Deployment failed to start: LoadBalancerReadinessGate", "AWS Load Balancer Controller", "take the readiness gate out")
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{})
	if err == nil {
		t.Error("the address was made")
	}
	w.apply(config(""))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
