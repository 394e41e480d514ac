package deployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestPlanOfStops: what may end in a pause is not known at plan; a pause itself is no
// change of anything.
func TestPlanOfStops(t *testing.T) {
	stops := func(stop plantest.Obj) plantest.Obj {
		return plantest.Obj{"strategy": "rolling", "rolling_update": plantest.Obj{"pause_at": []any{stop}}}
	}
	at := stops(plantest.Obj{"percent": 50, "pause": "10m"})
	open := plantest.Obj{"status": plantest.AfterApply{}, "status_reason": plantest.AfterApply{}, "cluster_status": plantest.AfterApply{}}
	paused := appliedOn(plantest.Obj{"a": "paused"})
	paused["status"], paused["status_reason"] = "paused", "50 %"
	due := appliedOn(plantest.Obj{"a": "restarting"})
	due["status"], due["status_reason"] = "restarting", "it goes on"
	for name, test := range map[string]struct {
		prior, before, change, want plantest.Obj
	}{
		"another content":             {before: at, change: plantest.Obj{"labels": plantest.Obj{"a": "b"}}, want: open},
		"another content, not known":  {before: at, change: plantest.Obj{"labels": plantest.Obj{"a": plantest.AfterApply{}}}, want: open},
		"another content, no stops":   {before: plantest.Obj{"strategy": "rolling"}, change: plantest.Obj{"labels": plantest.Obj{"a": "b"}}, want: plantest.Obj{"status": "started"}},
		"replicas":                    {before: at, change: plantest.Obj{"replicas": 2}, want: plantest.Obj{"status": "started"}},
		"stops":                       {before: plantest.Obj{"strategy": "rolling"}, change: at, want: plantest.Obj{"status": "started"}},
		"nothing, in a pause":         {prior: paused, before: at, want: plantest.Obj{"status": "paused", "status_reason": "50 %"}},
		"another spelling, in one":    {prior: paused, before: at, change: stops(plantest.Obj{"percent": 50, "pause": "600s"}), want: plantest.Obj{"status": "paused"}},
		"another pause, in one":       {prior: paused, before: at, change: stops(plantest.Obj{"percent": 50, "pause": "1m"}), want: open},
		"replicas, in a pause":        {prior: paused, before: at, change: plantest.Obj{"replicas": 2}, want: open},
		"timeouts, in a pause":        {prior: paused, before: at, change: plantest.Obj{"timeouts": plantest.Obj{"update": "5m"}}, want: open},
		"no stops any more, in one":   {prior: paused, before: at, change: plantest.Obj{"rolling_update": nil}, want: open},
		"nothing, its pause is over":  {prior: due, before: at, want: open},
		"nothing, without more stops": {prior: due, before: plantest.Obj{"strategy": "rolling"}, want: plantest.Obj{"status": "started"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, plantest.ClustersNamed("a"))
			config := plantest.Deployment(plantest.Obj{"clusters": []any{"a"}}, test.before)
			fill := test.prior
			if fill == nil {
				fill = appliedOn(plantest.Obj{"a": "started"})
			}
			prior := p.Plan(config, nil).State(fill)
			maps.Copy(config, test.change)
			got := p.Plan(config, prior).OK()
			got.WantReplace()
			got.Wants(test.want)
		})
	}
}

func TestStopsAreRefusedAtPlan(t *testing.T) {
	for name, test := range map[string]struct {
		stops []any
		want  string
	}{
		"none":             {[]any{}, "rolling_update.pause_at: Invalid Attribute Value"},
		"no percent":       {[]any{plantest.Obj{"pause": "1m"}}, "rolling_update.pause_at.0.percent: Attribute is missing"},
		"0 %":              {[]any{plantest.Obj{"percent": 0, "pause": "1m"}}, "rolling_update.pause_at.0.percent: Invalid Attribute Value"},
		"100 %":            {[]any{plantest.Obj{"percent": 100, "pause": "1m"}}, "rolling_update.pause_at.0.percent: Invalid Attribute Value"},
		"no pause":         {[]any{plantest.Obj{"percent": 50, "pause": "soon"}}, "rolling_update.pause_at.0.pause: Invalid duration"},
		"no time":          {[]any{plantest.Obj{"percent": 50, "pause": "0s"}}, "rolling_update.pause_at.0.pause: Invalid duration"},
		"no such gate":     {[]any{plantest.Obj{"percent": 50, "gate": "maybe"}}, "rolling_update.pause_at.0.gate: Invalid Attribute Value Match"},
		"nothing said":     {[]any{plantest.Obj{"percent": 50}}, "rolling_update.pause_at.0: Attribute is missing"},
		"they do not grow": {[]any{plantest.Obj{"percent": 50, "pause": "1m"}, plantest.Obj{"percent": 50, "pause": "1m"}}, "rolling_update.pause_at.1.percent: Shares do not grow"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, plantest.ClustersNamed("a"))
			config := plantest.Deployment(plantest.Obj{"clusters": []any{"a"}, "strategy": "rolling", "rolling_update": plantest.Obj{"pause_at": test.stops}})
			got := p.Validate(config)
			if len(got) == 0 {
				got = plantest.DiagnosticTexts(p.Plan(config, nil).Diagnostics)
			}
			if !slices.Equal(got, []string{test.want}) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}
