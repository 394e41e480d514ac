package health_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// TestGateCircle: a load balancer's gate that nobody has set is a circle where nothing leads
// to the pod but its release's own Service; where anything speaks for a controller that is
// only late, it is waited for.
func TestGateCircle(t *testing.T) {
	service := func(name, clusterIP string, selector map[string]string) *corev1.Service {
		return &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Selector: selector},
		}
	}
	ours := map[string]string{"switchback.dev/role": "app"}
	gate := func(name string) func(*health.Input) {
		return func(in *health.Input) {
			in.Pods[0].Spec.ReadinessGates[0].ConditionType = corev1.PodConditionType(name)
		}
	}
	for name, tt := range map[string]struct {
		change func(*health.Input)
		want   health.Cause
	}{
		"nothing leads there": {func(*health.Input) {}, health.CauseGateCircle},
		"its own Service does": {func(in *health.Input) {
			in.Around.Services = []*corev1.Service{service("api-7f3c9a1e", "10.0.0.1", ours)}
		}, health.CauseGateCircle},
		"one for discovery does": {func(in *health.Input) { in.Around.Services = []*corev1.Service{service("peers", "None", ours)} }, health.CauseGateCircle},
		"another one does not": {func(in *health.Input) {
			in.Around.Services = []*corev1.Service{service("api", "10.0.0.1", map[string]string{"switchback.dev/deployment": "api-0b8e4d27"})}
		}, health.CauseGateCircle},
		"another one does":         {func(in *health.Input) { in.Around.Services = []*corev1.Service{service("api", "10.0.0.1", ours)} }, health.CauseReadinessGate},
		"a network endpoint group": {gate("cloud.google.com/load-balancer-neg-ready"), health.CauseGateCircle},
		"nobody knows whose it is": {gate("example.com/ready"), health.CauseReadinessGate},
		"its controller is at work": {func(in *health.Input) {
			in.Pods[0].Status.Conditions = append(in.Pods[0].Status.Conditions, corev1.PodCondition{Type: in.Pods[0].Spec.ReadinessGates[0].ConditionType, Status: corev1.ConditionFalse, Reason: "Target.Registering"})
		}, health.CauseReadinessGate},
	} {
		t.Run(name, func(t *testing.T) {
			in := fixture(t, "testdata/readiness-gate-circle.yaml")
			tt.change(&in)
			class := health.Patient
			if tt.want == health.CauseGateCircle {
				class = health.Certain
			}
			wantFinding(t, health.Compute(in).Findings[0], tt.want, class)
		})
	}
}
