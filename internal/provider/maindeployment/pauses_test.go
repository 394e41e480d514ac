package maindeployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestPausesThatOutlastTheApply: an apply that will end in a pause for lack of time is told
// ahead, where somebody has typed the time, and something is going to be shared.
func TestPausesThatOutlastTheApply(t *testing.T) {
	planner := mainPlanner(t)
	route := onRoute(nil)
	with := func(all ...plantest.Obj) plantest.Obj {
		made := maps.Clone(route)
		for _, one := range all {
			maps.Copy(made, one)
		}
		return made
	}
	steps := func(pauses ...string) plantest.Obj {
		var list []any
		for i, pause := range pauses {
			list = append(list, plantest.Obj{"weight": 10 * (i + 1), "pause": pause})
		}
		return plantest.Obj{"canary": plantest.Obj{"steps": list}}
	}
	update := func(text any) plantest.Obj { return plantest.Obj{"timeouts": plantest.Obj{"update": text}} }
	bake, another := plantest.Obj{"bake": "3m"}, plantest.Obj{"deployment_id": "shop/api-0b8e4d27"}
	for name, tt := range map[string]struct {
		config, change plantest.Obj
		warns          bool
	}{
		"another version":          {config: with(steps("10m", "10m"), update("15m")), change: another, warns: true},
		"just as long":             {config: with(steps("10m", "10m"), update("20m")), change: another, warns: true},
		"a little room":            {config: with(steps("10m", "10m"), update("21m")), change: another},
		"with its bake":            {config: with(steps("10m", "10m"), bake, update("23m")), change: another, warns: true},
		"nothing typed":            {config: with(steps("10h")), change: another},
		"a time that is not known": {config: with(steps("10h")), change: plantest.Obj{"deployment_id": another["deployment_id"], "timeouts": plantest.Obj{"update": plantest.AfterApply{}}}},
		"nothing is shared":        {config: with(steps("10m", "10m"), update("15m")), change: plantest.Obj{"drain": "20s"}},
	} {
		t.Run(name, func(t *testing.T) {
			prior := planner.Plan(plantest.Main(tt.config), nil).State(plantest.Promoted)
			got := planner.Plan(plantest.Main(tt.config, tt.change), prior).OK()
			texts := plantest.DiagnosticTexts(got.Diagnostics)
			if slices.Contains(texts, "timeouts.update: Pauses outlast the apply") != tt.warns {
				t.Errorf("it says %q", texts)
			}
		})
	}
}
