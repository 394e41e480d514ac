package release

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DNSProblem is one thing that does not fit together in a DNS, and where it was
// said.
type DNSProblem struct {
	Attribute string // of DNS, as users write it
	Key       string // of the attribute, where it is a map; empty: the attribute
	Summary   string
	Detail    string

	Advice bool // it works, though perhaps not as hoped
}

// DNSPlan is a DNS while it is planned, of which not everything may be known.
type DNSPlan struct {
	DNS

	Namespace, Application string
	// Open are the attributes that are not known yet: "name", "weights", or
	// "weights.east" for one value of a map.
	Open map[string]bool
	// Clusters are those of the application; nil: not known yet.
	Clusters []string
	// Balanced says that the application's address is a load balancer, or that
	// this is not known yet.
	Balanced bool
}

func (p DNSPlan) known(attribute string) bool { return !p.Open[attribute] }

func (p DNSPlan) knownAt(attribute, key string) bool {
	return p.known(attribute) && !p.Open[attribute+"."+key]
}

// Problems are all of it that does not fit together, as far as it is known.
func (p DNSPlan) Problems() []DNSProblem {
	c := &dnsCheck{DNSPlan: p}
	c.name()
	c.ttl()
	c.backend()
	c.strangers()
	c.policy()
	c.targets()
	c.health()
	c.identifiers()
	return c.found
}

type dnsCheck struct {
	DNSPlan
	found []DNSProblem
}

func (c *dnsCheck) say(attribute, key, summary, format string, args ...any) {
	c.found = append(c.found, DNSProblem{Attribute: attribute, Key: key, Summary: summary, Detail: fmt.Sprintf(format, args...)})
}

func (c *dnsCheck) advise(attribute, key, summary, format string, args ...any) {
	c.found = append(c.found, DNSProblem{Attribute: attribute, Key: key, Summary: summary, Detail: fmt.Sprintf(format, args...), Advice: true})
}

func (c *dnsCheck) name() {
	if !c.known("name") {
		return
	}
	if why := badDNSName(strings.TrimPrefix(c.Name, "*.")); why != "" {
		c.say("name", "", "Invalid DNS name", "%q is not a name that a record can have: %s. Write it whole and in lower case, such as api.example.com.", c.Name, why)
	}
}

func (c *dnsCheck) ttl() {
	if !c.known("ttl") || !c.known("backend") {
		return
	}
	able := c.Backend.Ability()
	switch {
	case c.TTL%time.Second != 0:
		c.say("ttl", "", "Invalid TTL", "%s is not a number of whole seconds, which is what DNS counts in.", c.TTL)
	case c.TTL < able.MinTTL || c.TTL > able.MaxTTL:
		what := "A record"
		if c.Backend != "" {
			what = fmt.Sprintf("A record of the backend %q", c.Backend)
		}
		c.say("ttl", "", "Invalid TTL", "%s can live from %s to %s; %s is neither.", what, able.MinTTL, able.MaxTTL, c.TTL)
	}
}

func (c *dnsCheck) backend() {
	if !c.known("backend") || !c.known("endpoints") || !c.known("policy") {
		return
	}
	switch {
	case c.Backend == "" && c.Endpoints:
		c.say("backend", "", "DNS backend is missing", "external-dns understands other fields for each backend. Set `backend` to the --provider that it runs with, or `endpoints = false` to make the records from `dns_records` yourself.")
	case slices.Contains(DNSPolicies(), c.Policy) && !c.Backend.Ability().Can(c.Policy):
		c.say("policy", "", "DNS backend has no such policy",
			"external-dns can make only simple records with the backend %q: it would take the records of several clusters for one. Set `policy = %q`, use the backend %s, or leave `backend` out with `endpoints = false` and make the records from `dns_records` yourself.",
			c.Backend, DNSSimple, quotedBackends(DNSBackendsFor(c.Policy)))
	}
}

func quotedBackends(backends []DNSBackend) string {
	var texts []string
	for _, b := range backends {
		texts = append(texts, fmt.Sprintf("%q", b))
	}
	return strings.Join(texts, " or ")
}

// maps are the attributes that say something of each cluster, and their keys.
func (c *dnsCheck) maps() map[string][]string {
	return map[string][]string{
		"weights": keys(c.Weights), "regions": keys(c.Regions), "targets": keys(c.Targets), "health_checks": keys(c.HealthChecks),
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// strangers are clusters that are named, and that the application is not on.
func (c *dnsCheck) strangers() {
	if c.Clusters == nil {
		return
	}
	stranger := func(attribute, key, name string) {
		if !slices.Contains(c.Clusters, name) {
			c.say(attribute, key, "Unknown cluster", "This main deployment is not on the cluster %q. It is on: %s.", name, strings.Join(c.Clusters, ", "))
		}
	}
	named := c.maps()
	for _, attribute := range keys(named) {
		for _, key := range named[attribute] {
			stranger(attribute, key, key)
		}
	}
	if c.known("primary") && c.Primary != "" {
		stranger("primary", "", c.Primary)
	}
}

// policy wants of each policy what it needs, and nothing that it does not read.
func (c *dnsCheck) policy() {
	if !c.known("policy") || !slices.Contains(DNSPolicies(), c.Policy) { // said elsewhere
		return
	}
	unread := func(attribute string, given bool, by ...DNSPolicy) {
		if given && !slices.Contains(by, c.Policy) {
			c.say(attribute, "", "Attribute of another policy", "The policy %q does not look at `%s`. Remove it, or choose another `policy`.", c.Policy, attribute)
		}
	}
	unread("weights", c.Weights != nil || !c.known("weights"), DNSWeighted)
	unread("regions", c.Regions != nil || !c.known("regions"), DNSLatency)
	unread("primary", c.Primary != "" || !c.known("primary"), DNSFailover, DNSSimple)
	unread("health_checks", c.HealthChecks != nil || !c.known("health_checks"), DNSWeighted, DNSLatency, DNSFailover)
	switch c.Policy {
	case DNSSimple:
		c.home()
	case DNSWeighted:
		c.weights()
	case DNSLatency:
		c.regions()
	case DNSFailover:
		c.failover()
	}
}

// home is needed where several clusters could make the one record.
func (c *dnsCheck) home() {
	if c.known("primary") && c.known("endpoints") && c.Endpoints && c.Primary == "" && len(c.Clusters) > 1 {
		c.say("primary", "", "Primary is missing", "With the policy %q there is one record with the addresses of all clusters, and one external-dns can own it. Set `primary` to the cluster that it runs on.", c.Policy)
	}
}

// each cluster must be a key of the attribute.
func (c *dnsCheck) each(attribute, what string, have []string) {
	if !c.known(attribute) {
		return
	}
	missing := slices.DeleteFunc(slices.Clone(c.Clusters), func(cluster string) bool { return slices.Contains(have, cluster) })
	if len(missing) > 0 {
		c.say(attribute, "", "Cluster is missing", "The policy %q needs %s for every cluster of this main deployment, and `%s` has none for %s.", c.Policy, what, attribute, quotedNames(missing))
	}
}

func quotedNames(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = strconv.Quote(name)
	}
	return strings.Join(texts, ", ")
}

func (c *dnsCheck) weights() {
	c.each("weights", "a weight", keys(c.Weights))
	able, some := c.Backend.Ability(), !c.known("weights")
	for _, cluster := range keys(c.Weights) {
		if !c.knownAt("weights", cluster) {
			some = true
			continue
		}
		weight := c.Weights[cluster]
		some = some || weight > 0
		if weight < 0 || c.known("backend") && able.Can(c.Policy) && weight > able.MaxWeight {
			c.say("weights", cluster, "Invalid weight", "A weight is a number from 0 to %d; %d is not.", max(able.MaxWeight, 255), weight)
		}
	}
	if !some && len(c.Weights) > 0 {
		c.say("weights", "", "No cluster has any weight", "With all weights 0, Route 53 sends the same to every cluster. Give at least one cluster a weight above 0.")
	}
}

var awsRegion = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)

func (c *dnsCheck) regions() {
	c.each("regions", "a region", keys(c.Regions))
	taken := map[string]string{}
	for _, cluster := range keys(c.Regions) {
		region := c.Regions[cluster]
		if !c.knownAt("regions", cluster) {
			continue
		}
		switch other := taken[region]; {
		case region == "" || c.known("backend") && c.Backend == BackendAWS && !awsRegion.MatchString(region):
			c.say("regions", cluster, "Invalid region", "%q is not the name of a region, such as us-east-1.", region)
		case other != "":
			c.say("regions", cluster, "Region is taken", "The clusters %q and %q have the same region, and one name can have one record for each. Give each cluster its own, or use the policy %q.", other, cluster, DNSWeighted)
		default:
			taken[region] = cluster
		}
	}
}

func (c *dnsCheck) failover() {
	if c.known("primary") && c.Primary == "" {
		c.say("primary", "", "Primary is missing", "The policy %q needs to know which cluster gets everything while it is healthy. Set `primary` to its name.", c.Policy)
	}
	if c.Clusters == nil {
		return
	}
	exactly := c.known("backend") && c.Backend == BackendAWS && len(c.Clusters) > 2
	if len(c.Clusters) < 2 || exactly {
		c.say("policy", "", "Failover is between two clusters", "The policy %q has one primary and one secondary record, and this main deployment is on %d clusters: %s.", c.Policy, len(c.Clusters), strings.Join(c.Clusters, ", "))
	}
}

// targets must be what records can lead to, and somebody must give them.
func (c *dnsCheck) targets() {
	if !c.known("targets") {
		return
	}
	wholly := true
	for _, cluster := range keys(c.Targets) {
		if !c.knownAt("targets", cluster) {
			wholly = false
			continue
		}
		if len(c.Targets[cluster]) == 0 {
			c.say("targets", cluster, "Targets are missing", "Leave the cluster %q out, so that its load balancer's addresses count, or name at least one address.", cluster)
			continue
		}
		types, why := sortTargets(c.Targets[cluster])
		if why != "" {
			wholly = false
			c.say("targets", cluster, "Invalid target", "The targets of cluster %q make no records: %s.", cluster, why)
			continue
		}
		if slices.Contains(types[DNSTypeCNAME], c.Name) && c.known("name") {
			c.say("targets", cluster, "Invalid target", "The target of cluster %q is the name itself.", cluster)
		}
	}
	if wholly && c.known("policy") && c.known("backend") {
		by := map[string]map[string][]string{}
		for cluster, values := range c.Targets {
			by[cluster], _ = sortTargets(values)
		}
		if why := c.mixed(by); why != "" {
			c.say("targets", "", "Targets do not fit together", "One name cannot lead to all of them: %s.", why)
		}
	}
	if !c.Balanced {
		missing := slices.DeleteFunc(c.Awaits(c.Clusters), func(cluster string) bool { return c.Open["targets."+cluster] || c.Targets[cluster] != nil })
		if len(missing) > 0 {
			c.say("targets", "", "Targets are missing", "Nobody knows the address that clients shall reach on cluster %s: the Service is no load balancer, and `targets` does not have it. Set `traffic.service.type = \"LoadBalancer\"`, or say it in `targets`.", quotedNames(missing))
		}
	}
}

// health checks decide where the records are several.
func (c *dnsCheck) health() {
	if !c.known("backend") || !c.known("policy") || !c.known("health_checks") {
		return
	}
	for _, cluster := range keys(c.HealthChecks) {
		if c.knownAt("health_checks", cluster) && c.HealthChecks[cluster] == "" {
			c.say("health_checks", cluster, "Health check is missing", "Leave the cluster %q out, or give the id of its health check.", cluster)
		}
	}
	if len(c.HealthChecks) > 0 && c.Policy.Routed() && !c.Backend.Ability().HealthChecks {
		c.say("health_checks", "", "DNS backend has no health checks", "external-dns hands health checks on to the backend %s only.", quotedBackends(DNSBackendsFor(DNSFailover)))
	}
	_, checked := c.HealthChecks[c.Primary]
	addresses := len(c.Targets[c.Primary]) > 0 && c.knownAt("targets", c.Primary)
	if addresses {
		types, _ := sortTargets(c.Targets[c.Primary])
		addresses = len(types[DNSTypeCNAME]) == 0
	}
	if c.Policy == DNSFailover && c.known("primary") && addresses && !checked {
		c.advise("health_checks", "", "Nothing tells whether the primary is healthy",
			"The primary cluster %q has no health check. Route 53 then takes its addresses for healthy, so that it never fails over. Add it to `health_checks`.", c.Primary)
	}
}

// longestSetIdentifier is Route 53's.
const longestSetIdentifier = 128

func (c *dnsCheck) identifiers() {
	if !c.known("policy") || !c.Policy.Routed() || !c.known("namespace") {
		return
	}
	for _, cluster := range c.Clusters {
		if id := SetIdentifier(c.Namespace, c.Application, cluster); len(id) > longestSetIdentifier {
			c.say("policy", "", "Set identifier is too long", "The records of a policy are told apart by namespace, application and cluster. %q is longer than %d characters: use a shorter name for the cluster.", id, longestSetIdentifier)
		}
	}
}
