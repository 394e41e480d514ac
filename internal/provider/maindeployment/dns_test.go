package maindeployment

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// nameAPI is a `dns` on the clusters east and west, whose addresses are given.
func nameAPI(changes ...plantest.Obj) plantest.Obj {
	dns := plantest.Obj{
		"name": "api.example.com", "policy": "weighted", "backend": "aws", "weights": plantest.Obj{"east": 90, "west": 10},
		"targets": plantest.Obj{"east": []any{"203.0.113.10"}, "west": []any{"203.0.113.20"}},
	}
	for _, c := range changes {
		maps.Copy(dns, c)
	}
	return plantest.Obj{"clusters": []any{"east", "west"}, "dns": dns}
}

func namePlanner(t *testing.T) plantest.Planner {
	return mainPlannerOn(t, plantest.ClustersNamed("east", "north", "west"))
}

func recordOf(cluster, address string, weight int) plantest.Obj {
	return plantest.Obj{
		"cluster": cluster, "name": "api.example.com", "type": "A", "ttl": 60, "values": []any{address}, "set_identifier": "shop/api/" + cluster,
		"weight": weight, "region": nil, "failover": nil, "health_check_id": nil,
	}
}

func TestPlanOfAName(t *testing.T) {
	balanced := service(plantest.Obj{"type": "LoadBalancer"})
	tests := map[string]struct {
		change plantest.Obj
		want   any
	}{
		"given addresses":          {nameAPI(), []any{recordOf("east", "203.0.113.10", 90), recordOf("west", "203.0.113.20", 10)}},
		"no name":                  {plantest.Obj{}, []any{}},
		"an unknown address":       {nameAPI(plantest.Obj{"targets": plantest.Obj{"east": []any{"203.0.113.10"}, "west": []any{plantest.AfterApply{}}}}), plantest.AfterApply{}},
		"an unknown health check":  {nameAPI(plantest.Obj{"health_checks": plantest.Obj{"east": plantest.AfterApply{}}}), plantest.AfterApply{}},
		"unknown as a whole":       {plantest.Obj{"clusters": []any{"east", "west"}, "dns": plantest.AfterApply{}}, plantest.AfterApply{}},
		"unknown clusters":         {plantest.Obj{"clusters": plantest.AfterApply{}, "dns": nameAPI()["dns"]}, plantest.AfterApply{}},
		"the load balancers' ones": {mergedObj(balanced, nameAPI(plantest.Obj{"targets": nil})), plantest.AfterApply{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			change := mergedObj(plantest.Obj{"clusters": []any{"east", "west"}}, tc.change)
			p := namePlanner(t).Plan(plantest.Main(change), nil).OK()
			p.Wants(plantest.Obj{"dns_records": tc.want})
			if len(p.Diagnostics) > 0 {
				t.Errorf("%q", plantest.DiagnosticTexts(p.Diagnostics))
			}
		})
	}
}

func mergedObj(objs ...plantest.Obj) plantest.Obj {
	all := plantest.Obj{}
	for _, o := range objs {
		maps.Copy(all, o)
	}
	return all
}

// A change of the name is one in place, of which everything is known that the
// configuration says.
func TestPlanOfANamesChange(t *testing.T) {
	p := namePlanner(t)
	fill := maps.Clone(plantest.Promoted)
	prior := p.Plan(plantest.Main(nameAPI(plantest.Obj{"ttl": "60s"})), nil).State(fill)
	p.Plan(plantest.Main(nameAPI(plantest.Obj{"ttl": "1m"})), prior).OK().WantNoChange(*prior)
	changed := p.Plan(plantest.Main(nameAPI(plantest.Obj{"weights": plantest.Obj{"east": 50, "west": 50}})), prior).OK()
	changed.WantReplace()
	changed.Wants(plantest.Obj{
		"status": "finalized", "status_reason": plantest.AfterApply{}, "split": plantest.Promoted["split"], "previous_deployment_id": plantest.Promoted["previous_deployment_id"],
		"dns_records": []any{recordOf("east", "203.0.113.10", 50), recordOf("west", "203.0.113.20", 50)},
	})
	p.Plan(plantest.Main(plantest.Obj{"clusters": []any{"east", "west"}}), prior).OK().Wants(plantest.Obj{"dns_records": []any{}, "status": "finalized"})

	other := p.Plan(plantest.Main(nameAPI(plantest.Obj{"policy": "latency", "weights": nil, "regions": plantest.Obj{"east": "us-east-1", "west": "us-west-2"}})), prior).OK()
	if texts := plantest.DiagnosticTexts(other.Diagnostics); len(texts) != 1 || !strings.Contains(texts[0], "DNS policy changes under one name") {
		t.Errorf("%q", texts)
	}

	// The load balancers' addresses stay what the refresh has seen.
	balanced := mergedObj(service(plantest.Obj{"type": "LoadBalancer"}), nameAPI(plantest.Obj{"targets": nil}))
	fill["dns_records"] = []any{recordOf("east", "203.0.113.77", 90)}
	prior = p.Plan(plantest.Main(balanced), nil).State(fill)
	p.Plan(plantest.Main(balanced), prior).OK().WantNoChange(*prior)
}

// What does not fit together is refused where it was written, before anything
// is planned where the configuration alone tells.
func TestRefusedNames(t *testing.T) {
	tests := map[string]struct {
		change plantest.Obj
		want   []string
	}{
		"weight of a stranger":      {nameAPI(plantest.Obj{"weights": plantest.Obj{"east": 90, "west": 5, "north": 5}}), []string{"dns.weights.north: Unknown cluster"}},
		"no weight":                 {nameAPI(plantest.Obj{"weights": plantest.Obj{"east": 90}}), []string{"dns.weights: Cluster is missing"}},
		"heavy":                     {nameAPI(plantest.Obj{"weights": plantest.Obj{"east": 900, "west": 1}}), []string{"dns.weights.east: Invalid weight"}},
		"policy without a backend":  {nameAPI(plantest.Obj{"backend": "cloudflare"}), []string{"dns.policy: DNS backend has no such policy"}},
		"no backend":                {nameAPI(plantest.Obj{"backend": nil}), []string{"dns.backend: DNS backend is missing"}},
		"no such backend":           {nameAPI(plantest.Obj{"backend": "bind"}), []string{"dns.backend: Invalid Attribute Value Match"}},
		"no such policy":            {nameAPI(plantest.Obj{"policy": "random"}), []string{"dns.policy: Invalid Attribute Value Match"}},
		"no region":                 {nameAPI(plantest.Obj{"policy": "latency", "weights": nil}), []string{"dns.regions: Cluster is missing"}},
		"no primary":                {nameAPI(plantest.Obj{"policy": "failover", "weights": nil}), []string{"dns.primary: Primary is missing"}},
		"ttl":                       {nameAPI(plantest.Obj{"ttl": "1500ms"}), []string{"dns.ttl: Invalid TTL"}},
		"no ttl":                    {nameAPI(plantest.Obj{"ttl": "soon"}), []string{"dns.ttl: Invalid duration"}},
		"name":                      {nameAPI(plantest.Obj{"name": "api"}), []string{"dns.name: Invalid DNS name"}},
		"target":                    {nameAPI(plantest.Obj{"targets": plantest.Obj{"east": []any{"here"}, "west": []any{"203.0.113.20"}}}), []string{"dns.targets.east: Invalid target"}},
		"no load balancer":          {nameAPI(plantest.Obj{"targets": nil}), []string{"dns.targets: Targets are missing"}},
		"no load balancer in sight": {mergedObj(service(plantest.Obj{"type": "NodePort"}), nameAPI(plantest.Obj{"targets": nil})), []string{"dns.targets: Targets are missing"}},
		"good":                      {nameAPI(), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if texts := namePlanner(t).Validate(plantest.Main(tc.change)); !slices.Equal(texts, tc.want) {
				t.Errorf("%q, want %q", texts, tc.want)
			}
		})
	}
	// The default cluster is known only when it is planned.
	p := mainPlannerOn(t, plantest.ClustersNamed("prod")).Plan(plantest.Main(plantest.Obj{"dns": nameAPI()["dns"]}), nil)
	if texts := plantest.DiagnosticTexts(p.Diagnostics); !slices.Contains(texts, "dns.weights.east: Unknown cluster") || !slices.Contains(texts, "dns.weights: Cluster is missing") {
		t.Errorf("%q", texts)
	}
	p = namePlanner(t).Plan(plantest.Main(nameAPI(plantest.Obj{"policy": "failover", "weights": nil, "primary": "east"})), nil).OK()
	if texts := plantest.DiagnosticTexts(p.Diagnostics); !slices.Equal(texts, []string{"dns.health_checks: Nothing tells whether the primary is healthy"}) {
		t.Errorf("%q", texts)
	}
}
