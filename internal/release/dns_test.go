package release

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func weight(n int64) *int64 { return &n }

func TestDNSRecords(t *testing.T) {
	base := DNS{Name: "api.example.com", TTL: time.Minute, Backend: BackendAWS}
	with := func(policy DNSPolicy, change func(*DNS)) DNS {
		d := base
		d.Policy = policy
		if change != nil {
			change(&d)
		}
		return d
	}
	record := func(cluster, kind string, values ...string) DNSRecord {
		return DNSRecord{Cluster: cluster, Name: "api.example.com", Type: kind, TTL: 60, Values: values}
	}
	identified := func(r DNSRecord, change func(*DNSRecord)) DNSRecord {
		r.SetIdentifier = "shop/api/" + r.Cluster
		change(&r)
		return r
	}
	both := map[string][]string{"east": {"203.0.113.10"}, "west": {"203.0.113.20"}}
	tests := map[string]struct {
		dns       DNS
		addresses map[string][]string
		want      []DNSRecord
		refused   string
	}{
		"simple is one record of all": {
			with(DNSSimple, nil), map[string][]string{"east": {"203.0.113.10", "2001:DB8::1"}, "west": {"203.0.113.9", "203.0.113.10"}},
			[]DNSRecord{record("", "A", "203.0.113.10", "203.0.113.9"), record("", "AAAA", "2001:db8::1")}, "",
		},
		"simple with one host name": {with(DNSSimple, nil), map[string][]string{"east": {"lb.example.net"}}, []DNSRecord{record("", "CNAME", "lb.example.net")}, ""},
		"simple with two host names": {
			with(DNSSimple, nil), map[string][]string{"east": {"a.example.net"}, "west": {"b.example.net"}}, nil, "different host names",
		},
		"simple with a host name and an address": {
			with(DNSSimple, nil), map[string][]string{"east": {"a.example.net"}, "west": {"203.0.113.20"}}, nil, `cluster "east" has the host name a.example.net`,
		},
		"weighted": {
			with(DNSWeighted, func(d *DNS) {
				d.Weights = map[string]int64{"east": 90, "west": 0}
				d.HealthChecks = map[string]string{"east": "hc-1"}
			}), both,
			[]DNSRecord{
				identified(record("east", "A", "203.0.113.10"), func(r *DNSRecord) { r.Weight, r.HealthCheckID = weight(90), "hc-1" }),
				identified(record("west", "A", "203.0.113.20"), func(r *DNSRecord) { r.Weight = weight(0) }),
			}, "",
		},
		"weighted, both families": {
			with(DNSWeighted, func(d *DNS) { d.Weights = map[string]int64{"east": 1} }), map[string][]string{"east": {"2001:db8::1", "203.0.113.10"}},
			[]DNSRecord{
				identified(record("east", "A", "203.0.113.10"), func(r *DNSRecord) { r.Weight = weight(1) }),
				identified(record("east", "AAAA", "2001:db8::1"), func(r *DNSRecord) { r.Weight = weight(1) }),
			}, "",
		},
		"weighted, host names of Route 53's own stand beside addresses": {
			with(DNSWeighted, func(d *DNS) { d.Weights = map[string]int64{"east": 1, "west": 1} }),
			map[string][]string{"east": {"a.elb.amazonaws.com"}, "west": {"203.0.113.20"}},
			[]DNSRecord{
				identified(record("east", "CNAME", "a.elb.amazonaws.com"), func(r *DNSRecord) { r.Weight = weight(1) }),
				identified(record("west", "A", "203.0.113.20"), func(r *DNSRecord) { r.Weight = weight(1) }),
			}, "",
		},
		"latency": {
			with(DNSLatency, func(d *DNS) { d.Regions = map[string]string{"east": "us-east-1", "west": "us-west-2"} }), both,
			[]DNSRecord{
				identified(record("east", "A", "203.0.113.10"), func(r *DNSRecord) { r.Region = "us-east-1" }),
				identified(record("west", "A", "203.0.113.20"), func(r *DNSRecord) { r.Region = "us-west-2" }),
			}, "",
		},
		"failover": {
			with(DNSFailover, func(d *DNS) { d.Primary = "west" }), both,
			[]DNSRecord{
				identified(record("east", "A", "203.0.113.10"), func(r *DNSRecord) { r.Failover = "SECONDARY" }),
				identified(record("west", "A", "203.0.113.20"), func(r *DNSRecord) { r.Failover = "PRIMARY" }),
			}, "",
		},
		"given targets come first": {
			with(DNSFailover, func(d *DNS) { d.Primary = "east"; d.Targets = map[string][]string{"east": {"198.51.100.7"}} }), map[string][]string{"east": {"203.0.113.10"}},
			[]DNSRecord{identified(record("east", "A", "198.51.100.7"), func(r *DNSRecord) { r.Failover = "PRIMARY" })}, "",
		},
		"who has no address has no record": {with(DNSFailover, nil), map[string][]string{"east": nil}, nil, ""},
		"a load balancer with several host names": {
			with(DNSFailover, nil), map[string][]string{"east": {"a.example.net", "b.example.net"}}, nil, `of cluster "east": there are several host names`,
		},
		"no address at all": {with(DNSFailover, nil), map[string][]string{"east": {"nowhere"}}, nil, "neither an IP address nor a host name"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tc.dns.Records("shop", "api", tc.addresses)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			var conflict *DNSConflictError
			if (tc.refused != "") != (err != nil) || err != nil && (!errors.As(err, &conflict) || !strings.Contains(err.Error(), tc.refused)) {
				t.Errorf("the error is %v, want %q", err, tc.refused)
			}
		})
	}
}

func TestDNSProblems(t *testing.T) {
	good := func(policy DNSPolicy) DNSPlan {
		p := DNSPlan{
			DNS:       DNS{Name: "api.example.com", Policy: policy, TTL: time.Minute, Backend: BackendAWS, Endpoints: true},
			Namespace: "shop", Application: "api", Open: map[string]bool{}, Clusters: []string{"east", "west"}, Balanced: true,
		}
		switch policy {
		case DNSSimple:
			p.Primary = "east"
		case DNSWeighted:
			p.Weights = map[string]int64{"east": 90, "west": 10}
		case DNSLatency:
			p.Regions = map[string]string{"east": "us-east-1", "west": "us-gov-west-1"}
		case DNSFailover:
			p.Primary = "east"
		}
		return p
	}
	for _, policy := range DNSPolicies() {
		t.Run("good "+string(policy), func(t *testing.T) {
			if found := good(policy).Problems(); len(found) > 0 {
				t.Errorf("%+v", found)
			}
		})
	}
	tests := map[string]struct {
		policy DNSPolicy
		change func(*DNSPlan)
		at     string // "attribute" or "attribute.key"; "": nothing wrong
		says   string
	}{
		"no domain":                   {DNSSimple, func(p *DNSPlan) { p.Name = "api" }, "name", "no domain"},
		"trailing dot":                {DNSSimple, func(p *DNSPlan) { p.Name = "api.example.com." }, "name", "ends with a dot"},
		"upper case":                  {DNSSimple, func(p *DNSPlan) { p.Name = "API.example.com" }, "name", "upper case"},
		"space":                       {DNSSimple, func(p *DNSPlan) { p.Name = "a b.example.com" }, "name", `"a b"`},
		"long part":                   {DNSSimple, func(p *DNSPlan) { p.Name = strings.Repeat("a", 64) + ".example.com" }, "name", "1 to 63"},
		"long name":                   {DNSSimple, func(p *DNSPlan) { p.Name = strings.Repeat("abcdefghi.", 26) + "com" }, "name", "longer than 253"},
		"an address":                  {DNSSimple, func(p *DNSPlan) { p.Name = "203.0.113.10" }, "name", "ends with a number"},
		"empty name":                  {DNSSimple, func(p *DNSPlan) { p.Name = "" }, "name", "empty"},
		"wildcard":                    {DNSSimple, func(p *DNSPlan) { p.Name = "*.example.com" }, "", ""},
		"unknown name":                {DNSSimple, func(p *DNSPlan) { p.Name, p.Open["name"] = "", true }, "", ""},
		"half a second":               {DNSSimple, func(p *DNSPlan) { p.TTL = 500 * time.Millisecond }, "ttl", "whole seconds"},
		"no time":                     {DNSSimple, func(p *DNSPlan) { p.TTL = 0 }, "ttl", "from 1s"},
		"too long":                    {DNSSimple, func(p *DNSPlan) { p.TTL = 1 << 31 * time.Second }, "ttl", "is neither"},
		"too long for Cloudflare":     {DNSSimple, func(p *DNSPlan) { p.Backend, p.TTL = BackendCloudflare, 48*time.Hour }, "ttl", `"cloudflare" can live from 30s to 24h`},
		"too short for GoDaddy":       {DNSSimple, func(p *DNSPlan) { p.Backend = BackendGoDaddy }, "ttl", "from 10m"},
		"no backend":                  {DNSSimple, func(p *DNSPlan) { p.Backend = "" }, "backend", "--provider"},
		"no backend, no objects":      {DNSSimple, func(p *DNSPlan) { p.Backend, p.Endpoints, p.Primary = "", false, "" }, "", ""},
		"unknown backend":             {DNSWeighted, func(p *DNSPlan) { p.Backend, p.Open["backend"] = "", true }, "", ""},
		"a backend without policies":  {DNSWeighted, func(p *DNSPlan) { p.Backend = BackendGoogle }, "policy", `use the backend "aws"`},
		"the same, without objects":   {DNSWeighted, func(p *DNSPlan) { p.Backend, p.Endpoints = BackendWebhook, false }, "policy", "simple records"},
		"stranger's weight":           {DNSWeighted, func(p *DNSPlan) { p.Weights["north"] = 1 }, "weights.north", "It is on: east, west"},
		"stranger's target":           {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"north": {"203.0.113.1"}} }, "targets.north", "not on the cluster"},
		"stranger as primary":         {DNSFailover, func(p *DNSPlan) { p.Primary = "north" }, "primary", "not on the cluster"},
		"clusters are unknown":        {DNSWeighted, func(p *DNSPlan) { p.Clusters = nil; p.Weights["north"] = 1 }, "", ""},
		"no weight":                   {DNSWeighted, func(p *DNSPlan) { delete(p.Weights, "west") }, "weights", `none for "west"`},
		"no weights":                  {DNSWeighted, func(p *DNSPlan) { p.Weights = nil }, "weights", `none for "east"`},
		"unknown weights":             {DNSWeighted, func(p *DNSPlan) { p.Weights, p.Open["weights"] = nil, true }, "", ""},
		"negative weight":             {DNSWeighted, func(p *DNSPlan) { p.Weights["east"] = -1 }, "weights.east", "from 0 to 255"},
		"heavy":                       {DNSWeighted, func(p *DNSPlan) { p.Weights["east"] = 256 }, "weights.east", "256 is not"},
		"heavy elsewhere":             {DNSWeighted, func(p *DNSPlan) { p.Weights["east"], p.Backend, p.Endpoints = 256, "", false }, "", ""},
		"all zero":                    {DNSWeighted, func(p *DNSPlan) { p.Weights = map[string]int64{"east": 0, "west": 0} }, "weights", "same to every cluster"},
		"zero and unknown":            {DNSWeighted, func(p *DNSPlan) { p.Weights = map[string]int64{"east": 0, "west": 0}; p.Open["weights.west"] = true }, "", ""},
		"weights of a simple one":     {DNSSimple, func(p *DNSPlan) { p.Weights = map[string]int64{"east": 1} }, "weights", "does not look at `weights`"},
		"regions of a weighted one":   {DNSWeighted, func(p *DNSPlan) { p.Regions = map[string]string{"east": "us-east-1"} }, "regions", "does not look at"},
		"primary of a weighted one":   {DNSWeighted, func(p *DNSPlan) { p.Primary = "east" }, "primary", "does not look at"},
		"health of a simple one":      {DNSSimple, func(p *DNSPlan) { p.HealthChecks = map[string]string{"east": "x"} }, "health_checks", "does not look at"},
		"no region":                   {DNSLatency, func(p *DNSPlan) { delete(p.Regions, "west") }, "regions", `none for "west"`},
		"one region twice":            {DNSLatency, func(p *DNSPlan) { p.Regions["west"] = "us-east-1" }, "regions.west", "same region"},
		"no such region":              {DNSLatency, func(p *DNSPlan) { p.Regions["west"] = "US West" }, "regions.west", "not the name of a region"},
		"another cloud's region":      {DNSLatency, func(p *DNSPlan) { p.Regions["west"], p.Backend, p.Endpoints = "europe-west4", "", false }, "", ""},
		"simple without a home":       {DNSSimple, func(p *DNSPlan) { p.Primary = "" }, "primary", "one external-dns can own it"},
		"simple at home":              {DNSSimple, func(p *DNSPlan) { p.Primary, p.Clusters = "", []string{"east"} }, "", ""},
		"failover without a primary":  {DNSFailover, func(p *DNSPlan) { p.Primary = "" }, "primary", "Set `primary`"},
		"failover of one":             {DNSFailover, func(p *DNSPlan) { p.Clusters = []string{"east"} }, "policy", "on 1 clusters"},
		"failover of three":           {DNSFailover, func(p *DNSPlan) { p.Clusters = append(p.Clusters, "north") }, "policy", "on 3 clusters"},
		"failover of three elsewhere": {DNSFailover, func(p *DNSPlan) { p.Clusters, p.Backend, p.Endpoints = append(p.Clusters, "north"), "", false }, "", ""},
		"no target":                   {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {}} }, "targets.east", "Leave the cluster"},
		"bad target":                  {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"localhost"}} }, "targets.east", "neither an IP address nor"},
		"nobody's target":             {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"0.0.0.0"}} }, "targets.east", "others can reach"},
		"name and address":            {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"a.example.net", "203.0.113.1"}} }, "targets.east", "beside IP addresses"},
		"itself":                      {DNSWeighted, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"api.example.com"}} }, "targets.east", "the name itself"},
		"targets that do not fit":     {DNSSimple, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"a.example.net"}, "west": {"203.0.113.1"}} }, "targets", "can have no addresses"},
		"no load balancer":            {DNSWeighted, func(p *DNSPlan) { p.Balanced, p.Targets = false, map[string][]string{"east": {"203.0.113.1"}} }, "targets", `on cluster "west": the Service`},
		"no load balancer needed": {DNSWeighted, func(p *DNSPlan) {
			p.Balanced, p.Targets = false, map[string][]string{"east": {"203.0.113.1"}, "west": {"203.0.113.2"}}
		}, "", ""},
		"no load balancer, unknown": {DNSWeighted, func(p *DNSPlan) {
			p.Balanced, p.Targets = false, map[string][]string{"east": {"203.0.113.1"}, "west": nil}
			p.Open["targets.west"] = true
		}, "", ""},
		"no load balancer, all open":   {DNSWeighted, func(p *DNSPlan) { p.Balanced, p.Open["targets"] = false, true }, "", ""},
		"no id of a health check":      {DNSFailover, func(p *DNSPlan) { p.HealthChecks = map[string]string{"east": ""} }, "health_checks.east", "give the id"},
		"nothing tells who is healthy": {DNSFailover, func(p *DNSPlan) { p.Targets = map[string][]string{"east": {"203.0.113.1"}} }, "health_checks", "never fails over"},
		"a health check tells": {DNSFailover, func(p *DNSPlan) {
			p.Targets, p.HealthChecks = map[string][]string{"east": {"203.0.113.1"}}, map[string]string{"east": "hc"}
		}, "", ""},
		"long identifier": {DNSWeighted, func(p *DNSPlan) { p.Namespace = strings.Repeat("n", 63); p.Application = strings.Repeat("a", 62) }, "policy", "longer than 128"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := good(tc.policy)
			tc.change(&p)
			found := p.Problems()
			if tc.at == "" {
				if len(found) > 0 {
					t.Errorf("%+v", found)
				}
				return
			}
			if !slices.ContainsFunc(found, func(f DNSProblem) bool {
				at := f.Attribute
				if f.Key != "" {
					at += "." + f.Key
				}
				return at == tc.at && strings.Contains(f.Detail, tc.says) && f.Summary != ""
			}) {
				t.Errorf("nothing says %q of %s: %+v", tc.says, tc.at, found)
			}
		})
	}
}

// What a plan has let pass makes records, whatever of it: for every cluster,
// told apart, of the right type, and the same in any order.
func TestDNSPlansThatPassMakeRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4, rapid.ID).Draw(t, "clusters")
		slices.Sort(clusters)
		p := DNSPlan{
			DNS: DNS{
				Name: "api.example.com", TTL: time.Minute, Policy: rapid.SampledFrom(DNSPolicies()).Draw(t, "policy"),
				Backend: rapid.SampledFrom(append(DNSBackends(), "")).Draw(t, "backend"), Endpoints: rapid.Bool().Draw(t, "endpoints"),
				Weights: map[string]int64{}, Regions: map[string]string{}, Targets: map[string][]string{},
			},
			Namespace: "shop", Application: "api", Clusters: clusters,
		}
		for i, c := range clusters {
			p.Targets[c] = rapid.SliceOfN(rapid.SampledFrom([]string{"203.0.113.1", "203.0.113.2", "2001:db8::1", "a.example.net", "b.example.net"}), 1, 3).Draw(t, "targets")
			p.Weights[c] = rapid.Int64Range(0, 255).Draw(t, "weight")
			p.Regions[c] = fmt.Sprintf("eu-west-%d", i)
		}
		p.Primary = rapid.SampledFrom(clusters).Draw(t, "primary")
		if p.Policy != DNSWeighted {
			p.Weights = nil
		}
		if p.Policy != DNSLatency {
			p.Regions = nil
		}
		if p.Policy == DNSWeighted || p.Policy == DNSLatency {
			p.Primary = ""
		}
		if slices.ContainsFunc(p.Problems(), func(f DNSProblem) bool { return !f.Advice }) {
			return
		}
		records, err := p.Records("shop", "api", p.Targets)
		if err != nil {
			t.Fatalf("%+v passed: %v", p, err)
		}
		seen, has := map[string]bool{}, map[string]bool{}
		for _, r := range records {
			key := r.Name + r.Type + r.SetIdentifier
			if seen[key] || len(r.Values) == 0 || r.Type == DNSTypeCNAME && len(r.Values) != 1 || (r.SetIdentifier != "") != p.Policy.Routed() {
				t.Fatalf("%+v", records)
			}
			seen[key], has[r.Cluster] = true, true
		}
		if p.Policy.Routed() && !slices.Equal(slices.Sorted(maps.Keys(has)), clusters) {
			t.Fatalf("%v have records, want %v", has, clusters)
		}
		// Every record is in exactly one cluster's object.
		count := 0
		for _, c := range clusters {
			count += len(p.Of(records, c, clusters))
		}
		if count != len(records) && p.Home(clusters) != "" {
			t.Fatalf("%d of %d records are in an object", count, len(records))
		}
		if !slices.IsSortedFunc(records, DNSRecord.Compare) {
			t.Fatalf("not sorted: %+v", records)
		}
	})
}

func TestOnlyRoute53HasPolicies(t *testing.T) {
	for _, policy := range DNSPolicies() {
		if able := DNSBackendsFor(policy); policy.Routed() && !slices.Equal(able, []DNSBackend{BackendAWS}) || !policy.Routed() && len(able) != len(DNSBackends()) {
			t.Errorf("%s: %v", policy, able)
		}
	}
}
