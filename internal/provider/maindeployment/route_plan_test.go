package maindeployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// onRoute is `traffic` with a route, of whose attributes some are others.
func onRoute(change plantest.Obj) plantest.Obj {
	gateway := plantest.Obj{"parent_refs": []any{plantest.Obj{"name": "public"}}}
	maps.Copy(gateway, change)
	made := service(nil)
	made["traffic"].(plantest.Obj)["gateway"] = gateway
	return made
}

// TestStepsAreRefusedAtTheirPlace: what cannot be meant is told at the very attribute.
func TestStepsAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	p := mainPlanner(t)
	step := func(attributes ...plantest.Obj) plantest.Obj {
		var list []any
		for _, one := range attributes {
			list = append(list, one)
		}
		return plantest.Obj{"steps": list}
	}
	type obj = plantest.Obj
	for name, tt := range map[string]struct {
		canary plantest.Obj
		want   string
	}{
		"too much":              {step(obj{"weight": 10}, obj{"weight": 101}), "canary.steps.1.weight: Invalid Attribute Value"},
		"too much at the end":   {step(obj{"weight": 10}, obj{"weight": 50}, obj{"weight": 110}), "canary.steps.2.weight: Invalid Attribute Value"},
		"too little":            {step(obj{"weight": -1}), "canary.steps.0.weight: Invalid Attribute Value"},
		"nothing":               {step(obj{"weight": 0}), "canary.steps.0.weight: Invalid Attribute Value"},
		"less than before":      {step(obj{"weight": 50}, obj{"weight": 20}), "canary.steps.1.weight: Shares do not grow"},
		"a negative pause":      {step(obj{"weight": 10}, obj{"weight": 50, "pause": "-5s"}), "canary.steps.1.pause: Invalid duration"},
		"no pause at all":       {step(obj{"weight": 10, "pause": "0s"}), "canary.steps.0.pause: Invalid duration"},
		"nobody's gate":         {step(obj{"weight": 10, "gate": "me"}), "canary.steps.0.gate: Invalid Attribute Value Match"},
		"an empty step":         {step(obj{}), "canary.steps.0.weight: Attribute is missing"},
		"no steps":              {step(), "canary.steps: Invalid Attribute Value"},
		"no pods":               {step(obj{"weight": 10, "replicas": 0}), "canary.steps.0.replicas: Invalid Attribute Value"},
		"pods of all of it":     {step(obj{"weight": 10}, obj{"weight": 100, "replicas": 2}), "canary.steps.1.replicas: Pods of all of the traffic are not chosen"},
		"a limit of too much":   {obj{"steps": []any{obj{"weight": 10}}, "max_weight": 101}, "canary.max_weight: Invalid Attribute Value"},
		"a limit of too little": {obj{"steps": []any{obj{"weight": 10}}, "max_weight": 0}, "canary.max_weight: Invalid Attribute Value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := p.Validate(plantest.Main(onRoute(nil), plantest.Obj{"canary": tt.canary})); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}

// TestRouteThatMayNotChange: what would leave a moment without a route that serves is
// refused, and so is what changes a route that shares the traffic.
func TestRouteThatMayNotChange(t *testing.T) {
	t.Parallel()
	p := mainPlanner(t)
	type obj = plantest.Obj
	named := func(kind, name string) obj { return onRoute(obj{"kind": kind, "name": name}) }
	another := obj{"deployment_id": "shop/api-0b8e4d27"}
	shared := obj{"split": obj{"prod": obj{"api-9f56c028": 90, "api-0b8e4d27": 10}}}
	const at = "traffic.gateway"
	for name, tt := range map[string]struct {
		was    obj
		state  obj // beside what a promotion leaves
		change []obj
		want   []string
	}{
		"its name":                      {named("HTTPRoute", "one"), nil, []obj{named("HTTPRoute", "two")}, nil},
		"its name, and the deployment":  {named("HTTPRoute", "one"), nil, []obj{named("HTTPRoute", "two"), another}, []string{at + ": Route changes together with the deployment"}},
		"its kind, and the deployment":  {named("HTTPRoute", "one"), nil, []obj{named("GRPCRoute", "one"), another}, []string{at + ": Route changes together with the deployment"}},
		"its host, and the deployment":  {named("HTTPRoute", "one"), nil, []obj{onRoute(obj{"kind": "HTTPRoute", "name": "one", "hostnames": []any{"a.example.com"}}), another}, nil},
		"a TCPRoute's name":             {named("TCPRoute", "one"), nil, []obj{named("TCPRoute", "two")}, []string{at + ".name: TCPRoute cannot be renamed"}},
		"a TCPRoute's name, and more":   {named("TCPRoute", "one"), nil, []obj{named("TCPRoute", "two"), another}, []string{at + ".name: TCPRoute cannot be renamed"}},
		"it comes with the deployment":  {service(nil), nil, []obj{onRoute(nil), another}, nil},
		"its host, in a pause":          {onRoute(nil), obj{"status": "paused"}, []obj{onRoute(obj{"hostnames": []any{"a.example.com"}})}, []string{at + ": Route changes while it shares the traffic"}},
		"it goes, in a pause":           {onRoute(nil), obj{"status": "paused"}, []obj{service(nil)}, []string{at + ": Route changes while it shares the traffic"}},
		"its host, with shares by hand": {onRoute(nil), obj{"status": "finalized"}, []obj{onRoute(obj{"hostnames": []any{"a.example.com"}})}, nil},
		"nothing of it, in a pause":     {onRoute(nil), obj{"status": "paused"}, []obj{{"drain": "20s"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill := maps.Clone(plantest.Promoted)
			if tt.state != nil {
				maps.Copy(fill, shared)
				maps.Copy(fill, tt.state)
			}
			prior := p.Plan(plantest.Main(tt.was), nil).State(fill)
			got := plantest.DiagnosticTexts(p.Plan(plantest.Main(append([]obj{tt.was}, tt.change...)...), prior).Diagnostics)
			if !slices.Equal(got, tt.want) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}
