package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// DNSEndpoint is the object from which external-dns makes an application's
// records on one cluster.
func DNSEndpoint(namespace, application string, dns release.DNS, records []release.DNSRecord) *externaldns.DNSEndpoint {
	labels := maps.Clone(dns.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, map[string]string{
		release.LabelName:        application,
		release.LabelManagedBy:   release.ManagedBy,
		release.LabelApplication: application,
		release.LabelRole:        release.RoleDNS,
	})
	obj := &externaldns.DNSEndpoint{
		TypeMeta:   metav1.TypeMeta{APIVersion: externaldns.GroupVersion.String(), Kind: externaldns.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: application, Labels: labels, Annotations: maps.Clone(dns.Annotations)},
	}
	for _, r := range records {
		obj.Spec.Endpoints = append(obj.Spec.Endpoints, endpointOf(dns.Backend.Ability(), dns.Policy, r))
	}
	return obj
}

// endpointOf writes of a record what the backend understands. Anything else
// would be an error there, or be taken for another record.
func endpointOf(able release.DNSAbility, policy release.DNSPolicy, r release.DNSRecord) externaldns.Endpoint {
	e := externaldns.Endpoint{DNSName: r.Name, RecordType: r.Type, Targets: slices.Clone(r.Values), RecordTTL: r.TTL}
	if !policy.Routed() || !able.Can(policy) {
		return e
	}
	e.SetIdentifier = r.SetIdentifier
	set := func(name, value string) {
		e.ProviderSpecific = append(e.ProviderSpecific, externaldns.Property{Name: name, Value: value})
	}
	if r.Weight != nil {
		set(externaldns.AWSWeight, strconv.FormatInt(*r.Weight, 10))
	}
	if r.Region != "" {
		set(externaldns.AWSRegion, r.Region)
	}
	if r.Failover != "" {
		set(externaldns.AWSFailover, r.Failover)
	}
	if r.HealthCheckID != "" && able.HealthChecks {
		set(externaldns.AWSHealthCheckID, r.HealthCheckID)
	}
	return e
}

// DNSAsked is the fingerprint of what a DNSEndpoint is asked to be: it changes
// when the addresses do.
func DNSAsked(obj *externaldns.DNSEndpoint) string {
	text, err := json.Marshal([]any{obj.Labels, obj.Annotations, obj.Spec}) // maps are written in key order
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// DNSDrift is what is other in a live DNSEndpoint than it should be: changed by
// somebody, or left behind by addresses that have changed since.
func DNSDrift(live, wanted *externaldns.DNSEndpoint, written *release.DNSWritten) []FieldDrift {
	drift := Drift(live, wanted, written.Baseline, nil)
	if len(drift) > 0 || written.Asked == DNSAsked(wanted) {
		return drift
	}
	const field = "spec.endpoints"
	return []FieldDrift{{
		Field: field, Expected: printable(field, values(wanted)[field]), Actual: printable(field, values(live)[field]), Manager: release.FieldManager,
	}}
}
