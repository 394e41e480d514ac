package release

import (
	"maps"
	"slices"
	"time"
)

// DNSPolicy is how one DNS name spreads over clusters.
type DNSPolicy string

// Policies of a DNS name.
const (
	DNSSimple   DNSPolicy = "simple"   // one record with the addresses of all clusters
	DNSWeighted DNSPolicy = "weighted" // a record for each cluster, with its share
	DNSLatency  DNSPolicy = "latency"  // a record for each cluster, with its region
	DNSFailover DNSPolicy = "failover" // a record for each cluster: one has it all, the other stands by
)

// DNSPolicies lists every DNSPolicy.
func DNSPolicies() []DNSPolicy {
	return []DNSPolicy{DNSSimple, DNSWeighted, DNSLatency, DNSFailover}
}

// Routed says that the policy has several records of one name and type, which
// set identifiers tell apart.
func (p DNSPolicy) Routed() bool { return p != DNSSimple }

// DefaultDNSTTL is short enough for clients to follow a change soon, and what
// Route 53 recommends as the most where health checks decide.
const DefaultDNSTTL = time.Minute

// DNS is the name by which an application is reached across clusters, as the
// user describes it. It follows the application's addresses, which a promotion
// does not change: records never move with one.
type DNS struct {
	Name    string        `json:"name"`
	Policy  DNSPolicy     `json:"policy"`
	TTL     time.Duration `json:"ttl"`
	Backend DNSBackend    `json:"backend,omitempty"` // what external-dns writes to; empty: not said

	// Endpoints says that external-dns shall make the records, from objects of
	// ours; else they are only told.
	Endpoints bool `json:"endpoints"`

	Primary string `json:"primary,omitempty"` // a cluster
	// By the name of the cluster.
	Weights      map[string]int64    `json:"weights,omitempty"`
	Regions      map[string]string   `json:"regions,omitempty"`
	Targets      map[string][]string `json:"targets,omitempty"`
	HealthChecks map[string]string   `json:"healthChecks,omitempty"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Home is the cluster whose external-dns makes the one record of a simple
// policy: two would each take the record for somebody else's. Of several
// clusters nobody chooses it but the user: another one would leave the name
// without a record for a while.
func (d DNS) Home(clusters []string) string {
	if d.Primary == "" && len(clusters) == 1 {
		return clusters[0]
	}
	return d.Primary
}

// Awaits are those of the clusters whose addresses nobody has given: their load
// balancers have them.
func (d DNS) Awaits(clusters []string) []string {
	return slices.DeleteFunc(slices.Sorted(slices.Values(clusters)), func(name string) bool { return len(d.Targets[name]) > 0 })
}

// DNSWritten is what must be remembered of an application's DNS on one cluster.
// It is written down before there is an object, so that none is ever left behind.
type DNSWritten struct {
	Spec DNS `json:"spec"` // what the user asked for, for import

	// Object says that there may be a DNSEndpoint. Asked is the fingerprint of
	// what it was last asked to be, Baseline the API server's reply, as in Record.
	Object   bool              `json:"object,omitempty"`
	Asked    string            `json:"asked,omitempty"`
	Baseline map[string]string `json:"baseline,omitempty"`
}

// Equal says whether two of them say the same; nil is none.
func (w *DNSWritten) Equal(o *DNSWritten) bool {
	if w == nil || o == nil {
		return w == o
	}
	return w.Object == o.Object && w.Asked == o.Asked && maps.Equal(w.Baseline, o.Baseline) && w.Spec.equal(o.Spec)
}

func (d DNS) equal(o DNS) bool {
	return d.Name == o.Name && d.Policy == o.Policy && d.TTL == o.TTL && d.Backend == o.Backend && d.Endpoints == o.Endpoints && d.Primary == o.Primary &&
		maps.Equal(d.Weights, o.Weights) && maps.Equal(d.Regions, o.Regions) && maps.Equal(d.HealthChecks, o.HealthChecks) &&
		maps.Equal(d.Labels, o.Labels) && maps.Equal(d.Annotations, o.Annotations) && maps.EqualFunc(d.Targets, o.Targets, slices.Equal)
}
