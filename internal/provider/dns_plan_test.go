package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// nameAPI is a `dns` on the clusters east and west, whose addresses are given.
func nameAPI(changes ...obj) obj {
	dns := obj{
		"name": "api.example.com", "policy": "weighted", "backend": "aws", "weights": obj{"east": 90, "west": 10},
		"targets": obj{"east": []any{"203.0.113.10"}, "west": []any{"203.0.113.20"}},
	}
	for _, c := range changes {
		maps.Copy(dns, c)
	}
	return obj{"clusters": []any{"east", "west"}, "dns": dns}
}

func namePlanner(t *testing.T) planner {
	return mainPlannerOn(t, clustersNamed("east", "north", "west"))
}

func recordOf(cluster, address string, weight int) obj {
	return obj{
		"cluster": cluster, "name": "api.example.com", "type": "A", "ttl": 60, "values": []any{address}, "set_identifier": "shop/api/" + cluster,
		"weight": weight, "region": nil, "failover": nil, "health_check_id": nil,
	}
}

func TestPlanOfAName(t *testing.T) {
	balanced := service(obj{"type": "LoadBalancer"})
	tests := map[string]struct {
		change obj
		want   any
	}{
		"given addresses":          {nameAPI(), []any{recordOf("east", "203.0.113.10", 90), recordOf("west", "203.0.113.20", 10)}},
		"no name":                  {obj{}, []any{}},
		"an unknown address":       {nameAPI(obj{"targets": obj{"east": []any{"203.0.113.10"}, "west": []any{afterApply{}}}}), afterApply{}},
		"an unknown health check":  {nameAPI(obj{"health_checks": obj{"east": afterApply{}}}), afterApply{}},
		"unknown as a whole":       {obj{"clusters": []any{"east", "west"}, "dns": afterApply{}}, afterApply{}},
		"unknown clusters":         {obj{"clusters": afterApply{}, "dns": nameAPI()["dns"]}, afterApply{}},
		"the load balancers' ones": {mergedObj(balanced, nameAPI(obj{"targets": nil})), afterApply{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			change := mergedObj(obj{"clusters": []any{"east", "west"}}, tc.change)
			p := namePlanner(t).plan(mainAPI(change), nil).ok()
			p.wants(obj{"dns_records": tc.want})
			if len(p.diagnostics) > 0 {
				t.Errorf("%q", diagnosticTexts(p.diagnostics))
			}
		})
	}
}

func mergedObj(objs ...obj) obj {
	all := obj{}
	for _, o := range objs {
		maps.Copy(all, o)
	}
	return all
}

// A change of the name is one in place, of which everything is known that the
// configuration says.
func TestPlanOfANamesChange(t *testing.T) {
	p := namePlanner(t)
	fill := maps.Clone(promoted)
	prior := p.plan(mainAPI(nameAPI(obj{"ttl": "60s"})), nil).state(fill)
	p.plan(mainAPI(nameAPI(obj{"ttl": "1m"})), prior).ok().wantNoChange(*prior)
	changed := p.plan(mainAPI(nameAPI(obj{"weights": obj{"east": 50, "west": 50}})), prior).ok()
	changed.wantReplace()
	changed.wants(obj{
		"status": "finalized", "status_reason": afterApply{}, "split": promoted["split"], "previous_deployment_id": promoted["previous_deployment_id"],
		"dns_records": []any{recordOf("east", "203.0.113.10", 50), recordOf("west", "203.0.113.20", 50)},
	})
	p.plan(mainAPI(obj{"clusters": []any{"east", "west"}}), prior).ok().wants(obj{"dns_records": []any{}, "status": "finalized"})

	other := p.plan(mainAPI(nameAPI(obj{"policy": "latency", "weights": nil, "regions": obj{"east": "us-east-1", "west": "us-west-2"}})), prior).ok()
	if texts := diagnosticTexts(other.diagnostics); len(texts) != 1 || !strings.Contains(texts[0], "DNS policy changes under one name") {
		t.Errorf("%q", texts)
	}

	// The load balancers' addresses stay what the refresh has seen.
	balanced := mergedObj(service(obj{"type": "LoadBalancer"}), nameAPI(obj{"targets": nil}))
	fill["dns_records"] = []any{recordOf("east", "203.0.113.77", 90)}
	prior = p.plan(mainAPI(balanced), nil).state(fill)
	p.plan(mainAPI(balanced), prior).ok().wantNoChange(*prior)
}

// What does not fit together is refused where it was written, before anything
// is planned where the configuration alone tells.
func TestRefusedNames(t *testing.T) {
	tests := map[string]struct {
		change obj
		want   []string
	}{
		"weight of a stranger":      {nameAPI(obj{"weights": obj{"east": 90, "west": 5, "north": 5}}), []string{"dns.weights.north: Unknown cluster"}},
		"no weight":                 {nameAPI(obj{"weights": obj{"east": 90}}), []string{"dns.weights: Cluster is missing"}},
		"heavy":                     {nameAPI(obj{"weights": obj{"east": 900, "west": 1}}), []string{"dns.weights.east: Invalid weight"}},
		"policy without a backend":  {nameAPI(obj{"backend": "cloudflare"}), []string{"dns.policy: DNS backend has no such policy"}},
		"no backend":                {nameAPI(obj{"backend": nil}), []string{"dns.backend: DNS backend is missing"}},
		"no such backend":           {nameAPI(obj{"backend": "bind"}), []string{"dns.backend: Invalid Attribute Value Match"}},
		"no such policy":            {nameAPI(obj{"policy": "random"}), []string{"dns.policy: Invalid Attribute Value Match"}},
		"no region":                 {nameAPI(obj{"policy": "latency", "weights": nil}), []string{"dns.regions: Cluster is missing"}},
		"no primary":                {nameAPI(obj{"policy": "failover", "weights": nil}), []string{"dns.primary: Primary is missing"}},
		"ttl":                       {nameAPI(obj{"ttl": "1500ms"}), []string{"dns.ttl: Invalid TTL"}},
		"no ttl":                    {nameAPI(obj{"ttl": "soon"}), []string{"dns.ttl: Invalid duration"}},
		"name":                      {nameAPI(obj{"name": "api"}), []string{"dns.name: Invalid DNS name"}},
		"target":                    {nameAPI(obj{"targets": obj{"east": []any{"here"}, "west": []any{"203.0.113.20"}}}), []string{"dns.targets.east: Invalid target"}},
		"no load balancer":          {nameAPI(obj{"targets": nil}), []string{"dns.targets: Targets are missing"}},
		"no load balancer in sight": {mergedObj(service(obj{"type": "NodePort"}), nameAPI(obj{"targets": nil})), []string{"dns.targets: Targets are missing"}},
		"good":                      {nameAPI(), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if texts := namePlanner(t).validate(mainAPI(tc.change)); !slices.Equal(texts, tc.want) {
				t.Errorf("%q, want %q", texts, tc.want)
			}
		})
	}
	// The default cluster is known only when it is planned.
	p := mainPlannerOn(t, clustersNamed("prod")).plan(mainAPI(obj{"dns": nameAPI()["dns"]}), nil)
	if texts := diagnosticTexts(p.diagnostics); !slices.Contains(texts, "dns.weights.east: Unknown cluster") || !slices.Contains(texts, "dns.weights: Cluster is missing") {
		t.Errorf("%q", texts)
	}
	p = namePlanner(t).plan(mainAPI(nameAPI(obj{"policy": "failover", "weights": nil, "primary": "east"})), nil).ok()
	if texts := diagnosticTexts(p.diagnostics); !slices.Equal(texts, []string{"dns.health_checks: Nothing tells whether the primary is healthy"}) {
		t.Errorf("%q", texts)
	}
}

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
			object, diags := attrs.DNSObject(t.Context(), want)
			got, ok := attrs.DNSOf(t.Context(), object, &diags)
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
	if diff := cmp.Diff(records, attrs.DNSRecordsOf(t.Context(), attrs.DNSRecordsValue(t.Context(), records, &diags), &diags)); diff != "" || diags.HasError() {
		t.Error(diff, diags)
	}
}
