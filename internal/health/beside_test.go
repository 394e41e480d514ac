package health_test

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// What only follows from something else, or is not known to be so now, is not
// told.
func TestQuietBesideThePods(t *testing.T) {
	for name, tc := range map[string]struct {
		file   string
		change func(*health.Input)
	}{
		"a Service that leads to others": {"service-selector", func(in *health.Input) {
			in.Around.Endpoints[0].Endpoints = append(in.Around.Endpoints[0].Endpoints, in.Around.Endpoints[0].Endpoints...)
			in.Around.Endpoints = append(in.Around.Endpoints, fixture(t, controlPlane+"service-port-number.yaml").Around.Endpoints...)
			for _, e := range in.Around.Endpoints {
				e.Namespace = in.Around.Services[0].Namespace
			}
		}},
		"a Service of nothing":       {"service-selector", func(in *health.Input) { in.Around.Services[0].Spec.Selector = nil }},
		"a Service that goes":        {"service-port", func(in *health.Input) { now := metav1.Now(); in.Around.Services[0].DeletionTimestamp = &now }},
		"a port nobody need declare": {"service-port-number", func(in *health.Input) { in.Workload.Spec.Template.Spec.Containers[0].Ports = nil }},
		"a port of a sidecar":        {"service-port", func(in *health.Input) { addSidecar(in, "web") }},
		"a budget of unhealthy pods": {"budget", func(in *health.Input) { in.Around.Disruption.Status.CurrentHealthy = 1 }},
		"a budget not looked at":     {"budget", func(in *health.Input) { in.Around.Disruption.Generation = 2 }},
		"a budget of nothing":        {"budget", func(in *health.Input) { in.Around.Disruption.Status.ExpectedPods = 0 }},
		"an autoscaler that is off":  {"autoscaler", func(in *health.Input) { scalingActive(in).Reason = "ScalingDisabled" }},
		"a route that was changed":   {"route-not-accepted", func(in *health.Input) { in.Around.Routes[0].Generation = 2 }},
		"a route that is accepted": {"route-not-accepted", func(in *health.Input) {
			in.Around.Routes[0].Status.Parents[0].Conditions[0].Status = metav1.ConditionTrue
		}},
	} {
		in := fixture(t, controlPlane+tc.file+".yaml")
		if len(health.Compute(in).Findings) == 0 {
			t.Fatalf("%s: nothing is told to begin with", name)
		}
		tc.change(&in)
		if got := health.Compute(in).Findings; len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func addSidecar(in *health.Input, port string) {
	always, spec := corev1.ContainerRestartPolicyAlways, &in.Workload.Spec.Template.Spec
	spec.InitContainers = append(spec.InitContainers, corev1.Container{
		Name: "proxy", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 80}},
	})
}

func scalingActive(in *health.Input) *autoscalingv2.HorizontalPodAutoscalerCondition {
	conditions := in.Around.Autoscaler.Status.Conditions
	for i := range conditions {
		if conditions[i].Type == autoscalingv2.ScalingActive {
			return &conditions[i]
		}
	}
	return nil
}

func TestAutoscalersTexts(t *testing.T) {
	for message, tells := range map[string]string{
		"the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container web of Pod web-1":                                                "set resources.requests.cpu in every container",
		"the HPA was unable to compute the replica count: unable to get metric rps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered": "install the adapter",
		"something new": "metrics server",
	} {
		in := fixture(t, controlPlane+"autoscaler.yaml")
		scalingActive(&in).Message = message
		wantFinding(t, health.Compute(in).Findings[0], health.CauseAutoscaler, health.Warning, tells)
	}
}

func TestBudgets(t *testing.T) {
	in := fixture(t, controlPlane+"budget.yaml")
	pdb := in.Around.Disruption
	pdb.Spec.MinAvailable, pdb.Spec.MaxUnavailable = pdb.Spec.MaxUnavailable, nil
	pdb.Spec.MinAvailable.IntVal = 2
	wantFinding(t, health.Compute(in).Findings[0], health.CauseDisruption, health.Warning, "minAvailable is 2, of 2 pods")
	pdb.Spec.MinAvailable = nil
	wantFinding(t, health.Compute(in).Findings[0], health.CauseDisruption, health.Warning, "it wants all 2 pods")
	pdb.Status.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason, Message: "found no controllers for pod web"}}
	wantFinding(t, health.Compute(in).Findings[0], health.CauseDisruption, health.Warning, "it cannot count its pods", "found no controllers for pod web")
}

// A pod that is going is one of the pods, too, when it is counted.
func TestPodsThatAreGoing(t *testing.T) {
	in := fixture(t, controlPlane+"drained.yaml")
	for _, pod := range in.Pods {
		if pod.DeletionTimestamp != nil {
			in.Pods = append(in.Pods, pod.DeepCopy())
			in.Pods[len(in.Pods)-1].Name = "another"
			break
		}
	}
	found := health.Compute(in).Findings
	if len(found) == 0 || found[0].Cause != health.CauseDrained || found[0].Affected != 2 || found[0].Of != 2 {
		t.Errorf("%+v", found)
	}
	for _, pod := range in.Pods {
		pod.Labels["pod-template-hash"] = "of-another-template"
	}
	for _, f := range health.Compute(in).Findings {
		if f.Cause == health.CauseDrained {
			t.Errorf("it is of another template: %+v", f)
		}
	}
	// A node whose pods are not ready because a gate is not answers all the same.
	in = fixture(t, controlPlane+"node-not-ready.yaml")
	for i := range in.Pods[0].Status.Conditions {
		if c := &in.Pods[0].Status.Conditions[i]; c.Type == corev1.PodReady {
			c.Reason = "ReadinessGatesNotReady"
		}
	}
	wantFinding(t, health.Compute(in).Findings[0], health.CauseReadinessGate, health.Patient)
	if n := len(health.Compute(in).Findings); n != 1 {
		t.Errorf("%d findings", n)
	}
}
