package maindeployment

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

func mainPlanner(t *testing.T) plantest.Planner {
	return mainPlannerOn(t, plantest.ClustersNamed("prod"))
}

func mainPlannerOn(t *testing.T, run *session.Session) plantest.Planner {
	return plantest.New(t, "switchback_main_deployment", run, NewResource)
}

func service(change plantest.Obj) plantest.Obj {
	s := plantest.Obj{"ports": plantest.Obj{"http": 80}}
	maps.Copy(s, change)
	return plantest.Obj{"traffic": plantest.Obj{"service": s}}
}

func TestPlanOfAMainsCreate(t *testing.T) {
	p := mainPlanner(t).Plan(plantest.Main(), nil).OK()
	p.Wants(plantest.Obj{
		"id": "shop/api", "url": "http://api.shop.svc:80", "clusters": []any{"prod"}, "drain": "10s",
		"keep_previous": plantest.Obj{"count": 1, "ttl": nil, "state": "started"},
		"drift":         []any{}, "owner": plantest.AfterApply{}, "status": plantest.AfterApply{}, "status_reason": plantest.AfterApply{}, "previous_deployment_id": plantest.AfterApply{},
		"split": plantest.AfterApply{}, "promoted_at": plantest.AfterApply{},
	})
	for attribute, want := range map[string]any{"name": "api", "type": "ClusterIP", "session_affinity": "None", "external_traffic_policy": nil} {
		if got := p.At("traffic", "service", attribute); got != want {
			t.Errorf("service %s is planned %v, want %v", attribute, got, want)
		}
	}
	if got := string(p.Private["application"]); got != `"shop/api"` {
		t.Errorf("private state has application %s", got)
	}
	if len(p.Diagnostics) > 0 {
		t.Errorf("diagnostics %q", plantest.DiagnosticTexts(p.Diagnostics))
	}
}

func TestPlanOfAMainWithUnknownInputs(t *testing.T) {
	p := mainPlanner(t)
	p.Plan(plantest.Main(plantest.Obj{"deployment_id": plantest.AfterApply{}}), nil).OK().Wants(plantest.Obj{"id": "shop/api", "url": "http://api.shop.svc:80"})
	p.Plan(plantest.Main(plantest.Obj{"namespace": plantest.AfterApply{}}), nil).OK().Wants(plantest.Obj{"id": plantest.AfterApply{}, "url": plantest.AfterApply{}})
	p.Plan(plantest.Main(plantest.Obj{"traffic": plantest.AfterApply{}}), nil).OK().Wants(plantest.Obj{"id": "shop/api", "url": plantest.AfterApply{}})
	named := p.Plan(plantest.Main(service(plantest.Obj{"ports": plantest.Obj{"http": plantest.AfterApply{}}})), nil).OK()
	named.Wants(plantest.Obj{"url": plantest.AfterApply{}})
	if got := named.At("traffic", "service", "name"); got != "api" {
		t.Errorf("the Service's name is planned %v", got)
	}
}

func TestPlanOfAMainsNothingNewIsEmpty(t *testing.T) {
	p := mainPlanner(t)
	prior := p.Plan(plantest.Main(plantest.Obj{"drain": "60s", "keep_previous": plantest.Obj{"ttl": "120m"}}), nil).State(plantest.Promoted)
	p.Plan(plantest.Main(plantest.Obj{"drain": "1m", "keep_previous": plantest.Obj{"ttl": "2h"}}), prior).OK().WantNoChange(*prior)

	rolledBack := maps.Clone(plantest.Promoted)
	rolledBack["status"] = "rolled_back"
	prior = p.Plan(plantest.Main(), nil).State(rolledBack)
	p.Plan(plantest.Main(), prior).OK().WantNoChange(*prior)
}

func TestPlanOfAMainsUpdate(t *testing.T) {
	moving := plantest.Obj{"split": plantest.AfterApply{}, "previous_deployment_id": plantest.AfterApply{}, "promoted_at": plantest.AfterApply{}, "status": "finalized", "status_reason": plantest.AfterApply{}}
	staying := plantest.Obj{
		"split": plantest.Promoted["split"], "previous_deployment_id": plantest.Promoted["previous_deployment_id"], "promoted_at": plantest.Promoted["promoted_at"],
		"status": "finalized", "status_reason": plantest.AfterApply{},
	}
	untouched := maps.Clone(staying)
	untouched["status_reason"] = nil
	drift := []any{plantest.Obj{"cluster": "prod", "object": "Service/api", "field": "spec.selector"}}
	tests := map[string]struct {
		prior, change, want plantest.Obj
	}{
		"another deployment":   {change: plantest.Obj{"deployment_id": "shop/api-0b8e4d27"}, want: moving},
		"unknown deployment":   {change: plantest.Obj{"deployment_id": plantest.AfterApply{}}, want: moving},
		"another port":         {change: service(plantest.Obj{"ports": plantest.Obj{"http": 8080}}), want: moving},
		"another cluster":      {change: plantest.Obj{"clusters": []any{"prod", "spare"}}, want: moving},
		"drift":                {prior: plantest.Obj{"drift": drift}, want: moving},
		"unfinished":           {prior: plantest.Obj{"status": "finalizing"}, want: moving},
		"failed":               {prior: plantest.Obj{"status": "failed"}, want: moving},
		"keep_previous":        {change: plantest.Obj{"keep_previous": plantest.Obj{"count": 0}}, want: staying},
		"drain":                {change: plantest.Obj{"drain": "20s"}, want: staying},
		"timeouts":             {change: plantest.Obj{"timeouts": plantest.Obj{"update": "5m"}}, want: untouched},
		"keep_previous is {}":  {change: plantest.Obj{"keep_previous": plantest.Obj{}}, want: untouched},
		"keep_previous.ttl":    {change: plantest.Obj{"keep_previous": plantest.Obj{"ttl": "48h"}}, want: staying},
		"keep_previous.state":  {change: plantest.Obj{"keep_previous": plantest.Obj{"state": "stopped"}}, want: staying},
		"nothing but the name": {change: service(plantest.Obj{"name": "api", "ports": plantest.Obj{"http": 80, "admin": 81}}), want: untouched},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlannerOn(t, plantest.ClustersNamed("prod", "spare"))
			fill := maps.Clone(plantest.Promoted)
			maps.Copy(fill, test.prior)
			prior := p.Plan(plantest.Main(plantest.Obj{"clusters": []any{"prod"}}), nil).State(fill)
			got := p.Plan(plantest.Main(plantest.Obj{"clusters": []any{"prod"}}, test.change), prior).OK()
			got.WantReplace()
			got.Wants(test.want)
			got.Wants(plantest.Obj{"owner": "token-1", "drift": []any{}, "id": "shop/api"})
		})
	}
}

func TestOnlyApplicationAndNamespaceReplaceAMain(t *testing.T) {
	p := mainPlanner(t)
	prior := p.Plan(plantest.Main(), nil).State(plantest.Promoted)
	for _, attribute := range []string{"application", "namespace"} {
		got := p.Plan(plantest.Main(plantest.Obj{attribute: "web", "deployment_id": plantest.AfterApply{}}), prior).OK()
		got.WantReplace(attribute)
		got.Wants(plantest.Obj{"owner": plantest.AfterApply{}, "status": plantest.AfterApply{}, "split": plantest.AfterApply{}})
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
	got := p.Destroy(p.Plan(plantest.Main(), nil).State(plantest.Promoted)).OK()
	if string(got.Private["destroy"]) != "true" {
		t.Errorf("private state of a plan to destroy: %q", got.Private)
	}
}

func TestLoadBalancersDelayIsToldOnce(t *testing.T) {
	p := mainPlanner(t)
	local := service(plantest.Obj{"type": "LoadBalancer", "external_traffic_policy": "Local"})
	got := p.Plan(plantest.Main(local), nil).OK()
	if texts := plantest.DiagnosticTexts(got.Diagnostics); !slices.Equal(texts, []string{"traffic.service.external_traffic_policy: Load balancer follows with a delay of its own"}) {
		t.Errorf("diagnostics %q", texts)
	}
	again := p.Plan(plantest.Main(local, plantest.Obj{"deployment_id": plantest.AfterApply{}}), got.State(plantest.Promoted)).OK()
	if len(again.Diagnostics) > 0 {
		t.Errorf("told again on update: %q", plantest.DiagnosticTexts(again.Diagnostics))
	}
}

// A plan refuses what is not a deployment of the application, on its attribute.
func TestMainPointsAtItsOwnApplication(t *testing.T) {
	const id = "deployment_id: "
	for name, test := range map[string]struct {
		change plantest.Obj
		want   []string
	}{
		"its own":              {},
		"not an id":            {plantest.Obj{"deployment_id": "api"}, []string{id + "Invalid deployment id"}},
		"not a release's name": {plantest.Obj{"deployment_id": "shop/api"}, []string{id + "Invalid deployment id"}},
		"another namespace":    {plantest.Obj{"deployment_id": "other/api-7f3c9a1e"}, []string{id + "Deployment of another namespace"}},
		"another application":  {plantest.Obj{"deployment_id": "shop/web-7f3c9a1e"}, []string{id + "Deployment of another application"}},
		"unknown id":           {plantest.Obj{"deployment_id": plantest.AfterApply{}}, nil},
		"unknown application":  {plantest.Obj{"application": plantest.AfterApply{}, "deployment_id": "shop/web-7f3c9a1e"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := mainPlanner(t)
			prior := p.Plan(plantest.Main(), nil).OK().State(plantest.Promoted)
			for what, prior := range map[string]*tftypes.Value{"create": nil, "change": prior} {
				if got := plantest.DiagnosticTexts(p.Plan(plantest.Main(test.change), prior).Diagnostics); !slices.Equal(got, test.want) {
					t.Errorf("%s: diagnostics %q, want %q", what, got, test.want)
				}
			}
		})
	}
}

func TestMainIsValidated(t *testing.T) {
	const svc = "traffic.service."
	tests := map[string]struct {
		change plantest.Obj
		want   []string
	}{
		"valid":                  {},
		"a mocked id":            {plantest.Obj{"deployment_id": "x7k2m0qp"}, nil}, // refused at plan, which a mocked provider is not asked for
		"application":            {plantest.Obj{"application": "Api", "deployment_id": plantest.AfterApply{}}, []string{"application: Invalid Attribute Value Match"}},
		"no ports":               {service(plantest.Obj{"ports": plantest.Obj{}}), []string{svc + "ports: Invalid Attribute Value"}},
		"port number":            {service(plantest.Obj{"ports": plantest.Obj{"http": 70000}}), []string{svc + "ports.http: Invalid Attribute Value"}},
		"port name":              {service(plantest.Obj{"ports": plantest.Obj{"a_b": 80}}), []string{svc + "ports.a_b: Invalid Attribute Value Match"}},
		"headless":               {service(plantest.Obj{"type": "Headless"}), []string{svc + "type: Service type cannot be switched"}},
		"external name":          {service(plantest.Obj{"type": "ExternalName"}), []string{svc + "type: Service type cannot be switched"}},
		"no such type":           {service(plantest.Obj{"type": "clusterip"}), []string{svc + "type: Unknown Service type"}},
		"class without balancer": {service(plantest.Obj{"load_balancer_class": "x"}), []string{svc + "load_balancer_class: Load balancer class without a load balancer"}},
		"policy without outside": {service(plantest.Obj{"external_traffic_policy": "Local"}), []string{svc + "external_traffic_policy: External traffic policy without external traffic"}},
		"unknown type":           {service(plantest.Obj{"type": plantest.AfterApply{}, "external_traffic_policy": "Local"}), nil},
		"unknown traffic":        {plantest.Obj{"traffic": plantest.AfterApply{}}, nil},
		"drain":                  {plantest.Obj{"drain": "soon"}, []string{"drain: Invalid duration"}},
		"negative drain":         {plantest.Obj{"drain": "-1s"}, []string{"drain: Invalid duration"}},
		"keep too many":          {plantest.Obj{"keep_previous": plantest.Obj{"count": 21}}, []string{"keep_previous.count: Invalid Attribute Value"}},
		"keep for no time":       {plantest.Obj{"keep_previous": plantest.Obj{"ttl": "0s"}}, []string{"keep_previous.ttl: Invalid duration"}},
		"keep for days":          {plantest.Obj{"keep_previous": plantest.Obj{"ttl": "2d"}}, []string{"keep_previous.ttl: Invalid duration"}},
		"keep suspended":         {plantest.Obj{"keep_previous": plantest.Obj{"state": "paused"}}, []string{"keep_previous.state: Invalid Attribute Value Match"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mainPlanner(t).Validate(plantest.Main(test.change)); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}

// TestPlanOfARefusedRelease: the traffic stays where it is until another release, or another
// token, is asked for. Everything else is planned.
func TestPlanOfARefusedRelease(t *testing.T) {
	planner := mainPlanner(t)
	left := plantest.Obj{"deployment_id": "shop/api-0b8e4d27", "by": "alice", "at": "2026-01-01T00:00:00Z", "reason": "alice asked to go back", "retry_token": "once"}
	state := maps.Clone(plantest.Promoted)
	state["refused"], state["status"] = left, "rolled_back"
	prior := planner.Plan(plantest.Main(), nil).State(state)
	plan := func(change plantest.Obj) plantest.Planned {
		return planner.Plan(plantest.Main(plantest.Obj{"deployment_id": "shop/api-0b8e4d27"}, change), prior)
	}
	warns := func(p plantest.Planned) bool {
		return slices.ContainsFunc(p.Diagnostics, func(d *tfprotov6.Diagnostic) bool {
			return d.Severity == tfprotov6.DiagnosticSeverityWarning && strings.Contains(d.Detail, "Alice asked to go back.") && strings.Contains(d.Detail, "stays with shop/api-7f3c9a1e")
		})
	}
	for name, tt := range map[string]struct {
		change plantest.Obj
		want   plantest.Obj
		stays  bool
	}{
		"as it is":             {change: nil, stays: true},
		"with the same token":  {change: plantest.Obj{"retry_token": "once"}, stays: true},
		"something else":       {change: plantest.Obj{"drain": "20s"}, want: plantest.Obj{"drain": "20s", "status": "finalized", "split": plantest.Promoted["split"]}, stays: true},
		"with another token":   {change: plantest.Obj{"retry_token": "again"}, want: plantest.Obj{"deployment_id": "shop/api-0b8e4d27", "refused": plantest.AfterApply{}, "split": plantest.AfterApply{}}},
		"another one":          {change: plantest.Obj{"deployment_id": "shop/api-11111111"}, want: plantest.Obj{"deployment_id": "shop/api-11111111", "refused": plantest.AfterApply{}}},
		"one that has no name": {change: plantest.Obj{"deployment_id": plantest.AfterApply{}}, want: plantest.Obj{"refused": plantest.AfterApply{}, "status": plantest.AfterApply{}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(tt.change).OK()
			if warns(p) != tt.stays {
				t.Errorf("it says %q", plantest.DiagnosticTexts(p.Diagnostics))
			}
			p.Wants(tt.want)
			if tt.stays {
				p.Wants(plantest.Obj{"deployment_id": "shop/api-7f3c9a1e"})
			}
			if tt.change == nil {
				p.WantNoChange(*prior)
			}
		})
	}
	p := plan(plantest.Obj{"retry_token": plantest.AfterApply{}})
	if texts := plantest.DiagnosticTexts(p.Diagnostics); !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "Retry token is not known") }) {
		t.Errorf("with a token that is not known, it says %q", texts)
	}
}
