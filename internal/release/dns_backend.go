package release

import (
	"slices"
	"time"
)

// DNSBackend is what external-dns is configured to write records to: the value
// of its --provider.
type DNSBackend string

// Backends.
const (
	BackendAlibabaCloud DNSBackend = "alibabacloud"
	BackendAWS          DNSBackend = "aws"
	BackendAWSSD        DNSBackend = "aws-sd"
	BackendAzure        DNSBackend = "azure"
	BackendAzurePrivate DNSBackend = "azure-private-dns"
	BackendCivo         DNSBackend = "civo"
	BackendCloudflare   DNSBackend = "cloudflare"
	BackendCoreDNS      DNSBackend = "coredns"
	BackendDNSimple     DNSBackend = "dnsimple"
	BackendExoscale     DNSBackend = "exoscale"
	BackendGoDaddy      DNSBackend = "godaddy"
	BackendGoogle       DNSBackend = "google"
	BackendLinode       DNSBackend = "linode"
	BackendNS1          DNSBackend = "ns1"
	BackendOCI          DNSBackend = "oci"
	BackendOVH          DNSBackend = "ovh"
	BackendPDNS         DNSBackend = "pdns"
	BackendPihole       DNSBackend = "pihole"
	BackendRFC2136      DNSBackend = "rfc2136"
	BackendScaleway     DNSBackend = "scaleway"
	BackendWebhook      DNSBackend = "webhook"
)

// dnsMaxTTL is the largest that a record can have: RFC 2181, section 8.
const dnsMaxTTL = (1<<31 - 1) * time.Second

// DNSAbility is what external-dns can do with a backend.
type DNSAbility struct {
	Backend DNSBackend

	// Routes are the policies besides simple. Set identifiers and
	// provider-specific fields are written for these, and nowhere else: backends
	// that know none refuse them, or take two records for one.
	Routes       []DNSPolicy
	HealthChecks bool
	MaxWeight    int64
	// Aliases says that a host name of the cloud's own may become an alias of its
	// addresses, which can stand beside addresses.
	Aliases bool

	MinTTL, MaxTTL time.Duration
}

// Can says whether the backend has such a policy.
func (a DNSAbility) Can(p DNSPolicy) bool { return !p.Routed() || slices.Contains(a.Routes, p) }

// dnsAbilities are of external-dns 0.23. Only its provider for Route 53 reads
// set identifiers: others drop them with a warning, or fail over them. What a
// webhook does with them nobody can tell.
var dnsAbilities = []DNSAbility{
	{Backend: BackendAlibabaCloud},
	{
		Backend: BackendAWS, Routes: []DNSPolicy{DNSWeighted, DNSLatency, DNSFailover},
		HealthChecks: true, MaxWeight: 255, Aliases: true,
	},
	{Backend: BackendAWSSD},
	{Backend: BackendAzure},
	{Backend: BackendAzurePrivate},
	{Backend: BackendCivo},
	{Backend: BackendCloudflare, MinTTL: 30 * time.Second, MaxTTL: 24 * time.Hour},
	{Backend: BackendCoreDNS},
	{Backend: BackendDNSimple},
	{Backend: BackendExoscale},
	{Backend: BackendGoDaddy, MinTTL: 10 * time.Minute}, // external-dns raises what is below
	{Backend: BackendGoogle},
	{Backend: BackendLinode},
	{Backend: BackendNS1},
	{Backend: BackendOCI},
	{Backend: BackendOVH},
	{Backend: BackendPDNS},
	{Backend: BackendPihole},
	{Backend: BackendRFC2136},
	{Backend: BackendScaleway},
	{Backend: BackendWebhook},
}

// DNSBackends lists every DNSBackend.
func DNSBackends() []DNSBackend {
	var all []DNSBackend
	for _, a := range dnsAbilities {
		all = append(all, a.Backend)
	}
	return all
}

// Ability is what external-dns can do with the backend. Where none is named,
// somebody else makes the records, and nothing is known to be impossible.
func (b DNSBackend) Ability() DNSAbility {
	found := DNSAbility{Routes: DNSPolicies(), HealthChecks: true, MaxWeight: 1<<31 - 1, Aliases: true}
	for _, a := range dnsAbilities {
		if a.Backend == b {
			found = a
		}
	}
	if found.MinTTL == 0 {
		found.MinTTL = time.Second
	}
	if found.MaxTTL == 0 {
		found.MaxTTL = dnsMaxTTL
	}
	return found
}

// DNSBackendsFor are the backends that have a policy.
func DNSBackendsFor(p DNSPolicy) []DNSBackend {
	var able []DNSBackend
	for _, a := range dnsAbilities {
		if a.Can(p) {
			able = append(able, a.Backend)
		}
	}
	return able
}
