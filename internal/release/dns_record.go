package release

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Types of records.
const (
	DNSTypeA     = "A"
	DNSTypeAAAA  = "AAAA"
	DNSTypeCNAME = "CNAME"
)

// What a record of a failover policy is, in the words of Route 53.
const (
	DNSFailoverPrimary   = "PRIMARY"
	DNSFailoverSecondary = "SECONDARY"
)

// DNSRecord is one record of a DNS name, whoever makes it.
type DNSRecord struct {
	Cluster string // empty: of all clusters
	Name    string
	Type    string
	TTL     int64 // seconds
	Values  []string

	// Of the policies that have several records of one name and type.
	SetIdentifier string
	Weight        *int64
	Region        string
	Failover      string
	HealthCheckID string
}

// Compare sorts records by cluster and type.
func (r DNSRecord) Compare(o DNSRecord) int {
	return cmp.Or(cmp.Compare(r.Cluster, o.Cluster), cmp.Compare(r.Type, o.Type))
}

// SetIdentifier tells a cluster's record from the others of the same name and
// type.
func SetIdentifier(namespace, application, cluster string) string {
	return namespace + "/" + application + "/" + cluster
}

// DNSConflictError says why addresses make no records of one name.
type DNSConflictError struct {
	Cluster string // empty: more than one has part in it
	Name    string
	Reason  string
}

func (e *DNSConflictError) Error() string {
	if e.Cluster == "" {
		return fmt.Sprintf("the DNS name %s cannot have these addresses: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("the DNS name %s cannot have the addresses of cluster %q: %s", e.Name, e.Cluster, e.Reason)
}

// Records are what the name needs, by the addresses of each cluster, IP
// addresses or host names; those that the user has given come first. A cluster
// without an address has no record. They are sorted.
func (d DNS) Records(namespace, application string, addresses map[string][]string) ([]DNSRecord, error) {
	by := map[string]map[string][]string{} // cluster -> type -> values
	for _, cluster := range slices.Sorted(maps.Keys(addresses)) {
		values := addresses[cluster]
		if given := d.Targets[cluster]; len(given) > 0 {
			values = given
		}
		types, why := sortTargets(values)
		if why != "" {
			return nil, &DNSConflictError{Cluster: cluster, Name: d.Name, Reason: why}
		}
		if len(types) > 0 {
			by[cluster] = types
		}
	}
	if why := d.mixed(by); why != "" {
		return nil, &DNSConflictError{Name: d.Name, Reason: why}
	}
	var records []DNSRecord
	if !d.Policy.Routed() {
		for kind, values := range together(by) {
			records = append(records, d.record("", kind, values))
		}
	}
	for cluster, types := range by {
		for kind, values := range types {
			if d.Policy.Routed() {
				records = append(records, d.routed(namespace, application, cluster, d.record(cluster, kind, values)))
			}
		}
	}
	slices.SortFunc(records, DNSRecord.Compare)
	return records, nil
}

func (d DNS) record(cluster, kind string, values []string) DNSRecord {
	return DNSRecord{Cluster: cluster, Name: d.Name, Type: kind, TTL: int64(d.TTL / time.Second), Values: values}
}

// routed adds what tells a cluster's record from the others, and what its share
// is.
func (d DNS) routed(namespace, application, cluster string, r DNSRecord) DNSRecord {
	r.SetIdentifier = SetIdentifier(namespace, application, cluster)
	r.HealthCheckID = d.HealthChecks[cluster]
	switch d.Policy {
	case DNSSimple:
	case DNSWeighted:
		weight := d.Weights[cluster]
		r.Weight = &weight
	case DNSLatency:
		r.Region = d.Regions[cluster]
	case DNSFailover:
		r.Failover = DNSFailoverSecondary
		if cluster == d.Primary {
			r.Failover = DNSFailoverPrimary
		}
	}
	return r
}

// Of are the records that the object of one cluster holds. A simple policy has
// one record of all clusters, which is in one of them.
func (d DNS) Of(records []DNSRecord, cluster string, clusters []string) []DNSRecord {
	var of []DNSRecord
	for _, r := range records {
		if r.Cluster == cluster || r.Cluster == "" && d.Home(clusters) == cluster {
			of = append(of, r)
		}
	}
	return of
}

// together are the values of all clusters, by type.
func together(by map[string]map[string][]string) map[string][]string {
	all := map[string][]string{}
	for _, types := range by {
		for kind, values := range types {
			all[kind] = append(all[kind], values...)
		}
	}
	for kind, values := range all {
		slices.Sort(values)
		all[kind] = slices.Compact(values)
	}
	return all
}

// mixed says why the values of several clusters cannot stand under one name:
// an alias (CNAME) tolerates no other record. The records of a policy with set
// identifiers may each have one.
func (d DNS) mixed(by map[string]map[string][]string) string {
	var names, addresses []string
	for _, cluster := range slices.Sorted(maps.Keys(by)) {
		if len(by[cluster][DNSTypeCNAME]) > 0 {
			names = append(names, cluster)
		} else {
			addresses = append(addresses, cluster)
		}
	}
	hosts := together(by)[DNSTypeCNAME]
	switch {
	case len(names) > 0 && len(addresses) > 0 && (!d.Policy.Routed() || !d.Backend.Ability().Aliases):
		return fmt.Sprintf("cluster %q has the host name %s, cluster %q has IP addresses, and a name that is an alias can have no addresses", names[0], hosts[0], addresses[0])
	case len(hosts) > 1 && !d.Policy.Routed():
		return fmt.Sprintf("the clusters have different host names (%s), and a name can be an alias of one only", strings.Join(hosts, ", "))
	}
	return ""
}

// sortTargets tells the targets of one cluster by the type of their records, or
// says why that cannot be.
func sortTargets(targets []string) (types map[string][]string, why string) {
	types = map[string][]string{}
	for _, target := range targets {
		kind, value, bad := dnsTarget(target)
		if bad != "" {
			return nil, fmt.Sprintf("%q %s", target, bad)
		}
		types[kind] = append(types[kind], value)
	}
	for kind, values := range types {
		slices.Sort(values)
		types[kind] = slices.Compact(values)
	}
	switch hosts := types[DNSTypeCNAME]; {
	case len(hosts) > 0 && len(types) > 1:
		return nil, fmt.Sprintf("the host name %s stands beside IP addresses, and a name that is an alias can have no addresses", hosts[0])
	case len(hosts) > 1:
		return nil, fmt.Sprintf("there are several host names (%s), and a name can be an alias of one only", strings.Join(hosts, ", "))
	}
	return types, ""
}

// dnsTarget is the type of the record that leads to a target, and the target as
// it is written there.
func dnsTarget(target string) (kind, value, bad string) {
	addr, err := netip.ParseAddr(target)
	switch {
	case err != nil:
		if why := badDNSName(target); why != "" {
			return "", "", "is neither an IP address nor a host name: " + why
		}
		return DNSTypeCNAME, target, ""
	case addr.Zone() != "" || addr.Is4In6() || addr.IsUnspecified():
		return "", "", "is no address that others can reach"
	case addr.Is4():
		return DNSTypeA, addr.String(), ""
	default:
		return DNSTypeAAAA, addr.String(), ""
	}
}

// badDNSName says why a text is no DNS name as records have it; empty where it
// is one.
func badDNSName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > 253:
		return "it is longer than 253 characters"
	case strings.HasSuffix(name, "."):
		return "it ends with a dot; leave that out"
	case name != strings.ToLower(name):
		return "it has upper case letters; DNS does not tell them apart"
	}
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return "it has no domain"
	}
	for _, label := range labels {
		legal := label != "" && len(label) <= 63 && !strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-") &&
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
		if !legal {
			return fmt.Sprintf("its part %q is not 1 to 63 letters, digits, - or _", label)
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "it ends with a number, as an IP address does"
	}
	return ""
}
