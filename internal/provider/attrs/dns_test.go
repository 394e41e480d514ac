package attrs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestDNSSurvivesTheModel(t *testing.T) {
	tests := map[string]release.DNS{
		"everything": {
			Name: "api.example.com", Policy: release.DNSWeighted, TTL: 90e9, Backend: release.BackendAWS, Endpoints: true, Primary: "east",
			Weights: map[string]int64{"east": 0}, Regions: map[string]string{"east": "us-east-1"}, Targets: map[string][]string{"east": {"203.0.113.1", "203.0.113.2"}},
			HealthChecks: map[string]string{"east": "hc"}, Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"},
		},
		"little": {Name: "api.example.com", Policy: release.DNSSimple, TTL: release.DefaultDNSTTL},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			object, diags := DNSObject(t.Context(), want)
			got, ok := DNSOf(t.Context(), object, &diags)
			if !ok || diags.HasError() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(want, got.DNS); diff != "" {
				t.Error(diff)
			}
		})
	}
	records := []release.DNSRecord{
		{Cluster: "east", Name: "api.example.com", Type: "A", TTL: 60, Values: []string{"203.0.113.1"}, SetIdentifier: "x", Weight: new(int64), HealthCheckID: "hc"},
		{Name: "api.example.com", Type: "AAAA", TTL: 60, Values: []string{"2001:db8::1"}},
	}
	var diags diag.Diagnostics
	if diff := cmp.Diff(records, DNSRecordsOf(t.Context(), DNSRecordsValue(t.Context(), records, &diags), &diags)); diff != "" || diags.HasError() {
		t.Error(diff, diags)
	}
}
