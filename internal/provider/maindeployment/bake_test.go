package maindeployment

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// TestBakeMustFit: what could never come to its end in its time is refused, on
// the attribute that says so; what is not known yet passes.
func TestBakeMustFit(t *testing.T) {
	t.Parallel()
	const bake, between = "bake: Bake takes longer than the operation may", "rollout.bake: Bake takes longer than the operation may"
	limits := func(create, update any) plantest.Obj {
		return plantest.Obj{"timeouts": plantest.Obj{"create": create, "update": update}}
	}
	hours, minutes := limits("2h", "2h"), limits("10m", "10m")
	batches := func(bake string) plantest.Obj {
		return plantest.Obj{"clusters": []any{"a", "b", "c"}, "rollout": plantest.Obj{"max_parallel": 1, "bake": bake}}
	}
	tests := map[string]struct {
		changes []plantest.Obj
		want    []string
	}{
		"fits":                              {[]plantest.Obj{{"bake": "9m"}, minutes}, nil},
		"as long as it may take":            {[]plantest.Obj{{"bake": "10m"}, minutes}, []string{bake}},
		"nothing is typed":                  {[]plantest.Obj{{"bake": "1h"}}, nil},
		"fits into raised timeouts":         {[]plantest.Obj{{"bake": "1h"}, hours}, nil},
		"only create is raised":             {[]plantest.Obj{{"bake": "1h"}, limits("2h", "10m")}, []string{bake}},
		"only update is raised":             {[]plantest.Obj{{"bake": "1h"}, limits("10m", "2h")}, []string{bake}},
		"only create is typed":              {[]plantest.Obj{{"bake": "1h"}, limits("10m", nil)}, []string{bake}},
		"only update is typed":              {[]plantest.Obj{{"bake": "1h"}, limits(nil, "10m")}, []string{bake}},
		"not known":                         {[]plantest.Obj{{"bake": plantest.AfterApply{}}}, nil},
		"timeouts not known":                {[]plantest.Obj{{"bake": "1h", "timeouts": plantest.Obj{"create": plantest.AfterApply{}}}}, nil},
		"between batches":                   {[]plantest.Obj{{"bake": "1m"}, batches("4m"), minutes}, nil},
		"between batches, together":         {[]plantest.Obj{{"bake": "2m"}, batches("4m"), minutes}, []string{between}},
		"between batches, too long":         {[]plantest.Obj{batches("5m"), minutes}, []string{between}},
		"between batches, raised":           {[]plantest.Obj{batches("30m"), hours}, nil},
		"between batches, and itself":       {[]plantest.Obj{{"bake": "11m"}, batches("1m"), minutes}, []string{bake}},
		"between batches, nothing is typed": {[]plantest.Obj{batches("30m")}, nil},
		"between batches, clusters unknown": {[]plantest.Obj{batches("5m"), minutes, {"clusters": plantest.AfterApply{}}}, nil},
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

// TestTimeByDefault: an apply has ten minutes, and the time in which it only watches.
func TestTimeByDefault(t *testing.T) {
	t.Parallel()
	steps := plantest.Obj{"canary": plantest.Obj{"steps": []any{plantest.Obj{"weight": 10, "pause": "2h"}, plantest.Obj{"weight": 50, "pause": "1h"}}}}
	batches := plantest.Obj{"clusters": []any{"a", "b", "c"}, "rollout": plantest.Obj{"max_parallel": 1, "bake": "5m"}}
	for want, changes := range map[time.Duration][]plantest.Obj{
		0:                            {},
		15 * time.Minute:             {{"bake": "15m"}},
		3 * time.Hour:                {steps},
		3*time.Hour + 15*time.Minute: {steps, {"bake": "15m"}},
		10 * time.Minute:             {batches},                                                                                                   // between three batches
		30 * time.Minute:             {batches, {"canary": plantest.Obj{"steps": []any{plantest.Obj{"weight": 10}, plantest.Obj{"weight": 50}}}}}, // of each of three shares
	} {
		planned := mainPlannerOn(t, plantest.ClustersNamed("a", "b", "c")).Plan(plantest.Main(append([]plantest.Obj{onRoute(nil), {"clusters": []any{"a"}}}, changes...)...), nil).OK()
		var m model
		state := tfsdk.State{Schema: mainDeploymentSchema(t.Context()), Raw: planned.Value()}
		if diags := state.Get(t.Context(), &m); diags.HasError() {
			t.Fatal(diags)
		}
		var diags diag.Diagnostics
		if got := m.defaultLimit(t.Context(), &diags); got != attrs.DefaultTimeout+want || diags.HasError() {
			t.Errorf("%v: it has %s, want %s more than %s", changes, got, want, attrs.DefaultTimeout)
		}
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
