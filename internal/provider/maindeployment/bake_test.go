package maindeployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestBakeMustFit: what could never come to its end in its time is refused, on
// the attribute that says so; what is not known yet passes.
func TestBakeMustFit(t *testing.T) {
	t.Parallel()
	const bake, between = "bake: Bake takes longer than the operation may", "rollout.bake: Bake takes longer than the operation may"
	hours := plantest.Obj{"timeouts": plantest.Obj{"create": "2h", "update": "2h"}}
	batches := func(bake string) plantest.Obj {
		return plantest.Obj{"clusters": []any{"a", "b", "c"}, "rollout": plantest.Obj{"max_parallel": 1, "bake": bake}}
	}
	tests := map[string]struct {
		changes []plantest.Obj
		want    []string
	}{
		"fits":                              {[]plantest.Obj{{"bake": "9m"}}, nil},
		"as long as the default":            {[]plantest.Obj{{"bake": "10m"}}, []string{bake}},
		"fits into raised timeouts":         {[]plantest.Obj{{"bake": "1h"}, hours}, nil},
		"only create is raised":             {[]plantest.Obj{{"bake": "1h", "timeouts": plantest.Obj{"create": "2h"}}}, []string{bake}},
		"only update is raised":             {[]plantest.Obj{{"bake": "1h", "timeouts": plantest.Obj{"update": "2h"}}}, []string{bake}},
		"not known":                         {[]plantest.Obj{{"bake": plantest.AfterApply{}}}, nil},
		"timeouts not known":                {[]plantest.Obj{{"bake": "1h", "timeouts": plantest.Obj{"create": plantest.AfterApply{}}}}, nil},
		"between batches":                   {[]plantest.Obj{{"bake": "1m"}, batches("4m")}, nil},
		"between batches, together":         {[]plantest.Obj{{"bake": "2m"}, batches("4m")}, []string{between}},
		"between batches, too long":         {[]plantest.Obj{batches("5m")}, []string{between}},
		"between batches, raised":           {[]plantest.Obj{batches("30m"), hours}, nil},
		"between batches, and itself":       {[]plantest.Obj{{"bake": "11m"}, batches("1m")}, []string{bake}},
		"between batches, clusters unknown": {[]plantest.Obj{batches("5m"), {"clusters": plantest.AfterApply{}}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlannerOn(t, plantest.ClustersNamed("a", "b", "c"))
			changes := append([]plantest.Obj{{"clusters": []any{"a"}}}, test.changes...)
			if got := plantest.DiagnosticTexts(p.Plan(plantest.Main(changes...), nil).Diagnostics); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}

// TestRolloutOfAMainIsChecked: the attribute is wired to its checks.
func TestRolloutOfAMainIsChecked(t *testing.T) {
	t.Parallel()
	p := mainPlannerOn(t, plantest.ClustersNamed("a", "b"))
	for want, rollout := range map[string]plantest.Obj{
		"rollout.order.0: Cluster is not one of the resource's":   {"order": []any{"x"}},
		"rollout.quorum: Quorum cannot be reached":                {"on_failure": "continue", "quorum": 3},
		"rollout.quorum: Quorum without a rollout that continues": {"quorum": 1},
		"rollout.bake: Nothing follows the bake":                  {"bake": "1m"},
	} {
		if got := plantest.DiagnosticTexts(p.Plan(plantest.Main(plantest.Obj{"clusters": []any{"a", "b"}, "rollout": rollout}), nil).Diagnostics); !slices.Equal(got, []string{want}) {
			t.Errorf("diagnostics %q, want %q", got, want)
		}
	}
	for want, change := range map[string]plantest.Obj{
		"rollout.max_parallel: Invalid Attribute Value":     {"rollout": plantest.Obj{"max_parallel": 0}},
		"rollout.on_failure: Invalid Attribute Value Match": {"rollout": plantest.Obj{"on_failure": "hope"}},
		"rollout.bake: Invalid duration":                    {"rollout": plantest.Obj{"bake": "soon"}},
		"bake: Invalid duration":                            {"bake": "-1s"},
	} {
		if got := p.Validate(plantest.Main(plantest.Obj{"clusters": []any{"a", "b"}}, change)); !slices.Equal(got, []string{want}) {
			t.Errorf("diagnostics %q, want %q", got, want)
		}
	}
}

// TestPlanOfHowAMainMoves: what says how traffic moves moves nothing, and where a
// rollout may end without some clusters, its end is not planned.
func TestPlanOfHowAMainMoves(t *testing.T) {
	t.Parallel()
	statuses := plantest.Obj{"prod": plantest.Obj{"status": "finalized", "message": nil}}
	untouched := plantest.Obj{"status": "finalized", "status_reason": nil, "split": plantest.Promoted["split"], "cluster_status": statuses}
	continues := plantest.Obj{"rollout": plantest.Obj{"on_failure": "continue"}}
	tests := map[string]struct {
		prior  plantest.Obj
		change []plantest.Obj
		want   plantest.Obj
	}{
		"bake":                            {change: []plantest.Obj{{"bake": "1m"}}, want: untouched},
		"retry_token":                     {change: []plantest.Obj{{"retry_token": "again"}}, want: untouched},
		"rollout":                         {change: []plantest.Obj{continues}, want: untouched},
		"another deployment":              {change: []plantest.Obj{{"deployment_id": "shop/api-0b8e4d27"}}, want: plantest.Obj{"status": "finalized", "cluster_status": plantest.AfterApply{}}},
		"another deployment, it may not":  {change: []plantest.Obj{{"deployment_id": "shop/api-0b8e4d27"}, continues}, want: plantest.Obj{"status": plantest.AfterApply{}, "cluster_status": plantest.AfterApply{}}},
		"some clusters are left, go on":   {prior: plantest.Obj{"status": "running"}, change: []plantest.Obj{continues}, want: plantest.Obj{"status": plantest.AfterApply{}, "cluster_status": plantest.AfterApply{}, "split": plantest.AfterApply{}}},
		"some clusters are left, abort":   {prior: plantest.Obj{"status": "running"}, want: plantest.Obj{"status": "finalized", "cluster_status": plantest.AfterApply{}, "split": plantest.AfterApply{}}},
		"taken back, and left like that":  {prior: plantest.Obj{"status": "rolled_back"}, want: plantest.Obj{"status": "rolled_back", "cluster_status": statuses}},
		"nothing to go back to, go on":    {prior: plantest.Obj{"status": "failed"}, want: plantest.Obj{"status": "finalized", "cluster_status": plantest.AfterApply{}}},
		"the same time in another format": {change: []plantest.Obj{{"bake": "60s"}}, want: untouched},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlanner(t)
			fill := maps.Clone(plantest.Promoted)
			fill["cluster_status"] = statuses
			maps.Copy(fill, test.prior)
			prior := p.Plan(plantest.Main(), nil).State(fill)
			got := p.Plan(plantest.Main(test.change...), prior).OK()
			got.WantReplace()
			got.Wants(test.want)
		})
	}
}
