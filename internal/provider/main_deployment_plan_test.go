package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

func mainAPI(changes ...obj) obj {
	config := obj{
		"application":   "api",
		"namespace":     "shop",
		"deployment_id": "shop/api-7f3c9a1e",
		"traffic":       obj{"service": obj{"ports": obj{"http": 80, "admin": 81}}},
	}
	for _, c := range changes {
		maps.Copy(config, c)
	}
	return config
}

var promoted = obj{
	"owner": "token-1", "status": "finalized", "promoted_at": "2026-01-01T00:00:00Z",
	"previous_deployment_id": "shop/api-0b8e4d27", "split": obj{"prod": obj{"api-7f3c9a1e": 100}},
}

func mainPlanner(t *testing.T) planner { return mainPlannerOn(t, clustersNamed("prod")) }

func mainPlannerOn(t *testing.T, run *session.Session) planner {
	return newPlanner(t, "switchback_main_deployment", run, NewMainDeploymentResource)
}

func service(change obj) obj {
	s := obj{"ports": obj{"http": 80}}
	maps.Copy(s, change)
	return obj{"traffic": obj{"service": s}}
}

func TestPlanOfAMainsCreate(t *testing.T) {
	p := mainPlanner(t).plan(mainAPI(), nil).ok()
	p.wants(obj{
		"id": "shop/api", "url": "http://api.shop.svc:80", "clusters": []any{"prod"}, "drain": "10s",
		"keep_previous": obj{"count": 1, "ttl": nil, "state": "started"},
		"drift":         []any{}, "owner": afterApply{}, "status": afterApply{}, "status_reason": afterApply{}, "previous_deployment_id": afterApply{},
		"split": afterApply{}, "promoted_at": afterApply{},
	})
	for attribute, want := range map[string]any{"name": "api", "type": "ClusterIP", "session_affinity": "None", "external_traffic_policy": nil} {
		if got := p.at("traffic", "service", attribute); got != want {
			t.Errorf("service %s is planned %v, want %v", attribute, got, want)
		}
	}
	if got := string(p.private["application"]); got != `"shop/api"` {
		t.Errorf("private state has application %s", got)
	}
	if len(p.diagnostics) > 0 {
		t.Errorf("diagnostics %q", diagnosticTexts(p.diagnostics))
	}
}

func TestPlanOfAMainWithUnknownInputs(t *testing.T) {
	p := mainPlanner(t)
	p.plan(mainAPI(obj{"deployment_id": afterApply{}}), nil).ok().wants(obj{"id": "shop/api", "url": "http://api.shop.svc:80"})
	p.plan(mainAPI(obj{"namespace": afterApply{}}), nil).ok().wants(obj{"id": afterApply{}, "url": afterApply{}})
	p.plan(mainAPI(obj{"traffic": afterApply{}}), nil).ok().wants(obj{"id": "shop/api", "url": afterApply{}})
	named := p.plan(mainAPI(service(obj{"ports": obj{"http": afterApply{}}})), nil).ok()
	named.wants(obj{"url": afterApply{}})
	if got := named.at("traffic", "service", "name"); got != "api" {
		t.Errorf("the Service's name is planned %v", got)
	}
}

func TestPlanOfAMainsNothingNewIsEmpty(t *testing.T) {
	p := mainPlanner(t)
	prior := p.plan(mainAPI(obj{"drain": "60s", "keep_previous": obj{"ttl": "120m"}}), nil).state(promoted)
	p.plan(mainAPI(obj{"drain": "1m", "keep_previous": obj{"ttl": "2h"}}), prior).ok().wantNoChange(*prior)

	rolledBack := maps.Clone(promoted)
	rolledBack["status"] = "rolled_back"
	prior = p.plan(mainAPI(), nil).state(rolledBack)
	p.plan(mainAPI(), prior).ok().wantNoChange(*prior)
}

func TestPlanOfAMainsUpdate(t *testing.T) {
	moving := obj{"split": afterApply{}, "previous_deployment_id": afterApply{}, "promoted_at": afterApply{}, "status": "finalized", "status_reason": afterApply{}}
	staying := obj{
		"split": promoted["split"], "previous_deployment_id": promoted["previous_deployment_id"], "promoted_at": promoted["promoted_at"],
		"status": "finalized", "status_reason": afterApply{},
	}
	untouched := maps.Clone(staying)
	untouched["status_reason"] = nil
	drift := []any{obj{"cluster": "prod", "object": "Service/api", "field": "spec.selector"}}
	tests := map[string]struct {
		prior, change, want obj
	}{
		"another deployment":   {change: obj{"deployment_id": "shop/api-0b8e4d27"}, want: moving},
		"unknown deployment":   {change: obj{"deployment_id": afterApply{}}, want: moving},
		"another port":         {change: service(obj{"ports": obj{"http": 8080}}), want: moving},
		"another cluster":      {change: obj{"clusters": []any{"prod", "spare"}}, want: moving},
		"drift":                {prior: obj{"drift": drift}, want: moving},
		"unfinished":           {prior: obj{"status": "finalizing"}, want: moving},
		"failed":               {prior: obj{"status": "failed"}, want: moving},
		"keep_previous":        {change: obj{"keep_previous": obj{"count": 0}}, want: staying},
		"drain":                {change: obj{"drain": "20s"}, want: staying},
		"timeouts":             {change: obj{"timeouts": obj{"update": "5m"}}, want: untouched},
		"keep_previous is {}":  {change: obj{"keep_previous": obj{}}, want: untouched},
		"keep_previous.ttl":    {change: obj{"keep_previous": obj{"ttl": "48h"}}, want: staying},
		"keep_previous.state":  {change: obj{"keep_previous": obj{"state": "stopped"}}, want: staying},
		"nothing but the name": {change: service(obj{"name": "api", "ports": obj{"http": 80, "admin": 81}}), want: untouched},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlannerOn(t, clustersNamed("prod", "spare"))
			fill := maps.Clone(promoted)
			maps.Copy(fill, test.prior)
			prior := p.plan(mainAPI(obj{"clusters": []any{"prod"}}), nil).state(fill)
			got := p.plan(mainAPI(obj{"clusters": []any{"prod"}}, test.change), prior).ok()
			got.wantReplace()
			got.wants(test.want)
			got.wants(obj{"owner": "token-1", "drift": []any{}, "id": "shop/api"})
		})
	}
}

func TestOnlyApplicationAndNamespaceReplaceAMain(t *testing.T) {
	p := mainPlanner(t)
	prior := p.plan(mainAPI(), nil).state(promoted)
	for _, attribute := range []string{"application", "namespace"} {
		got := p.plan(mainAPI(obj{attribute: "web", "deployment_id": afterApply{}}), prior).ok()
		got.wantReplace(attribute)
		got.wants(obj{"owner": afterApply{}, "status": afterApply{}, "split": afterApply{}})
	}
	for name, a := range mainDeploymentSchema(t.Context()).Attributes {
		replaces := strings.Contains(a.GetMarkdownDescription(), "A change makes a new")
		if want := name == "application" || name == "namespace"; replaces != want {
			t.Errorf("%s: the description says that a change replaces: %v", name, replaces)
		}
	}
}

func TestPlanToDestroyAMainIsMarked(t *testing.T) {
	p := mainPlanner(t)
	got := p.destroy(p.plan(mainAPI(), nil).state(promoted)).ok()
	if string(got.private["destroy"]) != "true" {
		t.Errorf("private state of a plan to destroy: %q", got.private)
	}
}

func TestLoadBalancersDelayIsToldOnce(t *testing.T) {
	p := mainPlanner(t)
	local := service(obj{"type": "LoadBalancer", "external_traffic_policy": "Local"})
	got := p.plan(mainAPI(local), nil).ok()
	if texts := diagnosticTexts(got.diagnostics); !slices.Equal(texts, []string{"traffic.service.external_traffic_policy: Load balancer follows with a delay of its own"}) {
		t.Errorf("diagnostics %q", texts)
	}
	again := p.plan(mainAPI(local, obj{"deployment_id": afterApply{}}), got.state(promoted)).ok()
	if len(again.diagnostics) > 0 {
		t.Errorf("told again on update: %q", diagnosticTexts(again.diagnostics))
	}
}

func TestMainIsValidated(t *testing.T) {
	const id = "deployment_id: "
	const svc = "traffic.service."
	tests := map[string]struct {
		change obj
		want   []string
	}{
		"valid":                  {},
		"not an id":              {obj{"deployment_id": "api"}, []string{id + "Invalid deployment id"}},
		"not a release's name":   {obj{"deployment_id": "shop/api"}, []string{id + "Invalid deployment id"}},
		"another namespace":      {obj{"deployment_id": "other/api-7f3c9a1e"}, []string{id + "Deployment of another namespace"}},
		"another application":    {obj{"deployment_id": "shop/web-7f3c9a1e"}, []string{id + "Deployment of another application"}},
		"unknown id":             {obj{"deployment_id": afterApply{}}, nil},
		"unknown application":    {obj{"application": afterApply{}, "deployment_id": "shop/web-7f3c9a1e"}, nil},
		"application":            {obj{"application": "Api", "deployment_id": afterApply{}}, []string{"application: Invalid Attribute Value Match"}},
		"no ports":               {service(obj{"ports": obj{}}), []string{svc + "ports: Invalid Attribute Value"}},
		"port number":            {service(obj{"ports": obj{"http": 70000}}), []string{svc + "ports.http: Invalid Attribute Value"}},
		"port name":              {service(obj{"ports": obj{"a_b": 80}}), []string{svc + "ports.a_b: Invalid Attribute Value Match"}},
		"headless":               {service(obj{"type": "Headless"}), []string{svc + "type: Service type cannot be switched"}},
		"external name":          {service(obj{"type": "ExternalName"}), []string{svc + "type: Service type cannot be switched"}},
		"no such type":           {service(obj{"type": "clusterip"}), []string{svc + "type: Unknown Service type"}},
		"class without balancer": {service(obj{"load_balancer_class": "x"}), []string{svc + "load_balancer_class: Load balancer class without a load balancer"}},
		"policy without outside": {service(obj{"external_traffic_policy": "Local"}), []string{svc + "external_traffic_policy: External traffic policy without external traffic"}},
		"unknown type":           {service(obj{"type": afterApply{}, "external_traffic_policy": "Local"}), nil},
		"unknown traffic":        {obj{"traffic": afterApply{}}, nil},
		"drain":                  {obj{"drain": "soon"}, []string{"drain: Invalid duration"}},
		"negative drain":         {obj{"drain": "-1s"}, []string{"drain: Invalid duration"}},
		"keep too many":          {obj{"keep_previous": obj{"count": 21}}, []string{"keep_previous.count: Invalid Attribute Value"}},
		"keep for no time":       {obj{"keep_previous": obj{"ttl": "0s"}}, []string{"keep_previous.ttl: Invalid duration"}},
		"keep for days":          {obj{"keep_previous": obj{"ttl": "2d"}}, []string{"keep_previous.ttl: Invalid duration"}},
		"keep suspended":         {obj{"keep_previous": obj{"state": "paused"}}, []string{"keep_previous.state: Invalid Attribute Value Match"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mainPlanner(t).validate(mainAPI(test.change)); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}
