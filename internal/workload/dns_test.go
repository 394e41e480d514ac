package workload

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func namedDNS(policy release.DNSPolicy, backend release.DNSBackend) release.DNS {
	return release.DNS{
		Name: "api.example.com", Policy: policy, TTL: 90 * time.Second, Backend: backend, Endpoints: true, Primary: "east",
		Weights: map[string]int64{"east": 90}, Regions: map[string]string{"east": "us-east-1"}, HealthChecks: map[string]string{"east": "hc-1"},
		Labels: map[string]string{"public": "yes", release.LabelManagedBy: "me"}, Annotations: map[string]string{"filter": "public"},
	}
}

func endpointFor(t *testing.T, dns release.DNS, addresses ...string) *externaldns.DNSEndpoint {
	t.Helper()
	records, err := dns.Records("shop", "api", map[string][]string{"east": addresses})
	if err != nil {
		t.Fatal(err)
	}
	return DNSEndpoint("shop", "api", dns, records)
}

func TestDNSEndpoint(t *testing.T) {
	obj := endpointFor(t, namedDNS(release.DNSWeighted, release.BackendAWS), "203.0.113.10", "2001:db8::1")
	one := func(kind, target string) externaldns.Endpoint {
		return externaldns.Endpoint{
			DNSName: "api.example.com", RecordType: kind, Targets: []string{target}, RecordTTL: 90, SetIdentifier: "shop/api/east",
			ProviderSpecific: []externaldns.Property{{Name: "aws/weight", Value: "90"}, {Name: "aws/health-check-id", Value: "hc-1"}},
		}
	}
	want := &externaldns.DNSEndpoint{
		TypeMeta: metav1.TypeMeta{APIVersion: "externaldns.k8s.io/v1alpha1", Kind: "DNSEndpoint"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "api", Annotations: map[string]string{"filter": "public"},
			Labels: map[string]string{
				"app.kubernetes.io/name": "api", "app.kubernetes.io/managed-by": "switchback", "switchback.dev/application": "api", "switchback.dev/role": "dns",
				"public": "yes",
			},
		},
		Spec: externaldns.DNSEndpointSpec{Endpoints: []externaldns.Endpoint{one("A", "203.0.113.10"), one("AAAA", "2001:db8::1")}},
	}
	if diff := cmp.Diff(want, obj); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(obj, obj.DeepCopy()); diff != "" {
		t.Error(diff)
	}
}

// Set identifiers and provider-specific fields are written where external-dns
// reads them, and nowhere else.
func TestDNSEndpointHasNothingThatTheBackendDoesNotKnow(t *testing.T) {
	fields := map[release.DNSPolicy]string{release.DNSWeighted: "aws/weight", release.DNSLatency: "aws/region", release.DNSFailover: "aws/failover"}
	for _, backend := range release.DNSBackends() {
		for _, policy := range release.DNSPolicies() {
			text, err := json.Marshal(endpointFor(t, namedDNS(policy, backend), "203.0.113.10").Spec)
			if err != nil {
				t.Fatal(err)
			}
			knows := backend == release.BackendAWS && policy != release.DNSSimple
			for _, field := range []string{`"setIdentifier":"shop/api/east"`, `"providerSpecific"`, `"aws/health-check-id"`} {
				if strings.Contains(string(text), field) != knows {
					t.Errorf("%s with %s: %s", policy, backend, text)
				}
			}
			for of, field := range fields {
				if strings.Contains(string(text), field) != (knows && of == policy) {
					t.Errorf("%s with %s: %s", policy, backend, text)
				}
			}
		}
	}
}

func TestDNSDrift(t *testing.T) {
	dns := namedDNS(release.DNSSimple, release.BackendGoogle)
	asked := endpointFor(t, dns, "203.0.113.10")
	live := asked.DeepCopy()
	live.UID = "1"
	live.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:endpoints":{}}}`),
	}}
	written := &release.DNSWritten{Spec: dns, Object: true, Asked: DNSAsked(asked), Baseline: Baseline(live)}
	if len(written.Baseline) != 1 {
		t.Fatalf("the baseline is %v", written.Baseline)
	}
	if drift := DNSDrift(live, asked, written); len(drift) > 0 {
		t.Errorf("%v", drift)
	}
	theirs := live.DeepCopy()
	theirs.Spec.Endpoints[0].Targets = []string{"198.51.100.1"}
	if drift := DNSDrift(theirs, asked, written); len(drift) != 1 || drift[0].Field != "spec.endpoints" || !strings.Contains(drift[0].Actual, "198.51.100.1") || !strings.Contains(drift[0].Expected, "203.0.113.10") {
		t.Errorf("somebody's change is %v", drift)
	}
	moved := endpointFor(t, dns, "203.0.113.99")
	if drift := DNSDrift(live, moved, written); len(drift) != 1 || !strings.Contains(drift[0].Expected, "203.0.113.99") {
		t.Errorf("an address that has changed is %v", drift)
	}
	// What a webhook has made of it while it was applied is no drift.
	webhook := live.DeepCopy()
	webhook.Spec.Endpoints[0].RecordTTL = 300
	written.Baseline = Baseline(webhook)
	if drift := DNSDrift(webhook, asked, written); len(drift) > 0 {
		t.Errorf("what a webhook did is %v", drift)
	}
}
