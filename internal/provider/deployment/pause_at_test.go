package deployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

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

// TestPausesThatOutlastTheApply are told of where they, or the time for them, are typed, and
// where a plan would come to them.
func TestPausesThatOutlastTheApply(t *testing.T) {
	stops := func(pause string) plantest.Obj {
		return plantest.Obj{"strategy": "rolling", "rolling_update": plantest.Obj{"pause_at": []any{plantest.Obj{"percent": 25, "pause": pause}, plantest.Obj{"percent": 50, "pause": pause}}}}
	}
	update := func(limit any) plantest.Obj { return plantest.Obj{"timeouts": plantest.Obj{"update": limit}} }
	with := func(parts ...plantest.Obj) plantest.Obj {
		all := plantest.Obj{}
		for _, part := range parts {
			maps.Copy(all, part)
		}
		return all
	}
	relabelled := plantest.Obj{"labels": plantest.Obj{"a": "b"}}
	for name, test := range map[string]struct {
		before, change plantest.Obj // before nil: it is created
		warns          bool
	}{
		"created":                     {change: with(stops("10m"), update("15m")), warns: true},
		"created, with room":          {change: with(stops("10m"), update("30m"))},
		"another content":             {before: with(stops("10m"), update("15m")), change: relabelled, warns: true},
		"just as long":                {before: with(stops("10m"), update("20m")), change: relabelled, warns: true},
		"a little room":               {before: with(stops("10m"), update("21m")), change: relabelled},
		"nothing typed":               {before: stops("10m"), change: relabelled},
		"only a create":               {before: with(stops("10m"), plantest.Obj{"timeouts": plantest.Obj{"create": "1m"}}), change: relabelled},
		"a time that is not known":    {before: stops("10m"), change: with(relabelled, update(plantest.AfterApply{}))},
		"longer pauses":               {before: with(stops("1m"), update("15m")), change: stops("10m"), warns: true},
		"less time":                   {before: with(stops("10m"), update("30m")), change: update("15m"), warns: true},
		"no stops":                    {before: with(plantest.Obj{"strategy": "rolling"}, update("1m")), change: relabelled},
		"what replaces no pods":       {before: with(stops("10m"), update("15m")), change: plantest.Obj{"replicas": 2}},
		"as before, without a change": {before: with(stops("10m"), update("15m"))},
	} {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, plantest.ClustersNamed("a"))
			config := plantest.Deployment(with(plantest.Obj{"clusters": []any{"a"}}, test.before))
			var prior *tftypes.Value
			if test.before != nil {
				prior = p.Plan(config, nil).State(appliedOn(plantest.Obj{"a": "started"}))
			}
			maps.Copy(config, test.change)
			got := p.Plan(config, prior).OK()
			at := slices.Index(plantest.DiagnosticTexts(got.Diagnostics), "timeouts.update: Pauses outlast the apply")
			if (at >= 0) != test.warns {
				t.Errorf("it says %q", plantest.DiagnosticTexts(got.Diagnostics))
			}
		})
	}
}
