package workload_test

import (
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestAdviceOfGates: a gate that waits for the address is told before anything waits.
func TestAdviceOfGates(t *testing.T) {
	for patch, want := range map[string]string{
		"": "",
		"spec: {readinessGates: [{conditionType: example.com/ready}]}":                          "",
		"spec: {readinessGates: [{conditionType: target-health.elbv2.k8s.aws/web}]}":            "The AWS Load Balancer Controller sets",
		"spec: {readinessGates: [{conditionType: cloud.google.com/load-balancer-neg-ready}]}":   "The NEG controller of Google Cloud sets",
		"spec: {readinessGates: [{conditionType: target-health.alb.ingress.k8s.aws/a_b_http}]}": "Take the gate out",
	} {
		spec := typical()
		spec.Content.TemplatePatch = patch
		told := ""
		for _, p := range workload.Advice(spec) {
			if p.At() == "pod_template_patch" {
				told += p.String()
			}
		}
		if (told == "") != (want == "") || !strings.Contains(told, want) {
			t.Errorf("%s: told %q, want %q", patch, told, want)
		}
		spec.AllowSelectedBy = []string{"balancer"}
		for _, p := range workload.Advice(spec) {
			if p.At() == "pod_template_patch" {
				t.Errorf("%s: another Service leads to the pods: %s", patch, p)
			}
		}
	}
}
