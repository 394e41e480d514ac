package provider

import (
	"maps"
	"slices"
	"testing"
)

// TestBakeMustFit: what could never come to its end in its time is refused, on
// the attribute that says so; what is not known yet passes.
func TestBakeMustFit(t *testing.T) {
	t.Parallel()
	const bake, between = "bake: Bake takes longer than the operation may", "rollout.bake: Bake takes longer than the operation may"
	hours := obj{"timeouts": obj{"create": "2h", "update": "2h"}}
	batches := func(bake string) obj {
		return obj{"clusters": []any{"a", "b", "c"}, "rollout": obj{"max_parallel": 1, "bake": bake}}
	}
	tests := map[string]struct {
		changes []obj
		want    []string
	}{
		"fits":                              {[]obj{{"bake": "9m"}}, nil},
		"as long as the default":            {[]obj{{"bake": "10m"}}, []string{bake}},
		"fits into raised timeouts":         {[]obj{{"bake": "1h"}, hours}, nil},
		"only create is raised":             {[]obj{{"bake": "1h", "timeouts": obj{"create": "2h"}}}, []string{bake}},
		"only update is raised":             {[]obj{{"bake": "1h", "timeouts": obj{"update": "2h"}}}, []string{bake}},
		"not known":                         {[]obj{{"bake": afterApply{}}}, nil},
		"timeouts not known":                {[]obj{{"bake": "1h", "timeouts": obj{"create": afterApply{}}}}, nil},
		"between batches":                   {[]obj{{"bake": "1m"}, batches("4m")}, nil},
		"between batches, together":         {[]obj{{"bake": "2m"}, batches("4m")}, []string{between}},
		"between batches, too long":         {[]obj{batches("5m")}, []string{between}},
		"between batches, raised":           {[]obj{batches("30m"), hours}, nil},
		"between batches, and itself":       {[]obj{{"bake": "11m"}, batches("1m")}, []string{bake}},
		"between batches, clusters unknown": {[]obj{batches("5m"), {"clusters": afterApply{}}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlannerOn(t, clustersNamed("a", "b", "c"))
			changes := append([]obj{{"clusters": []any{"a"}}}, test.changes...)
			if got := diagnosticTexts(p.plan(mainAPI(changes...), nil).diagnostics); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}

// TestRolloutOfAMainIsChecked: the attribute is wired to its checks.
func TestRolloutOfAMainIsChecked(t *testing.T) {
	t.Parallel()
	p := mainPlannerOn(t, clustersNamed("a", "b"))
	for want, rollout := range map[string]obj{
		"rollout.order.0: Cluster is not one of the resource's":   {"order": []any{"x"}},
		"rollout.quorum: Quorum cannot be reached":                {"on_failure": "continue", "quorum": 3},
		"rollout.quorum: Quorum without a rollout that continues": {"quorum": 1},
		"rollout.bake: Nothing follows the bake":                  {"bake": "1m"},
	} {
		if got := diagnosticTexts(p.plan(mainAPI(obj{"clusters": []any{"a", "b"}, "rollout": rollout}), nil).diagnostics); !slices.Equal(got, []string{want}) {
			t.Errorf("diagnostics %q, want %q", got, want)
		}
	}
	for want, change := range map[string]obj{
		"rollout.max_parallel: Invalid Attribute Value":     {"rollout": obj{"max_parallel": 0}},
		"rollout.on_failure: Invalid Attribute Value Match": {"rollout": obj{"on_failure": "hope"}},
		"rollout.bake: Invalid duration":                    {"rollout": obj{"bake": "soon"}},
		"bake: Invalid duration":                            {"bake": "-1s"},
	} {
		if got := p.validate(mainAPI(obj{"clusters": []any{"a", "b"}}, change)); !slices.Equal(got, []string{want}) {
			t.Errorf("diagnostics %q, want %q", got, want)
		}
	}
}

// TestPlanOfHowAMainMoves: what says how traffic moves moves nothing, and where a
// rollout may end without some clusters, its end is not planned.
func TestPlanOfHowAMainMoves(t *testing.T) {
	t.Parallel()
	statuses := obj{"prod": obj{"status": "finalized", "message": nil}}
	untouched := obj{"status": "finalized", "status_reason": nil, "split": promoted["split"], "cluster_status": statuses}
	continues := obj{"rollout": obj{"on_failure": "continue"}}
	tests := map[string]struct {
		prior  obj
		change []obj
		want   obj
	}{
		"bake":                            {change: []obj{{"bake": "1m"}}, want: untouched},
		"retry_token":                     {change: []obj{{"retry_token": "again"}}, want: untouched},
		"rollout":                         {change: []obj{continues}, want: untouched},
		"another deployment":              {change: []obj{{"deployment_id": "shop/api-0b8e4d27"}}, want: obj{"status": "finalized", "cluster_status": afterApply{}}},
		"another deployment, it may not":  {change: []obj{{"deployment_id": "shop/api-0b8e4d27"}, continues}, want: obj{"status": afterApply{}, "cluster_status": afterApply{}}},
		"some clusters are left, go on":   {prior: obj{"status": "running"}, change: []obj{continues}, want: obj{"status": afterApply{}, "cluster_status": afterApply{}, "split": afterApply{}}},
		"some clusters are left, abort":   {prior: obj{"status": "running"}, want: obj{"status": "finalized", "cluster_status": afterApply{}, "split": afterApply{}}},
		"taken back, and left like that":  {prior: obj{"status": "rolled_back"}, want: obj{"status": "rolled_back", "cluster_status": statuses}},
		"nothing to go back to, go on":    {prior: obj{"status": "failed"}, want: obj{"status": "finalized", "cluster_status": afterApply{}}},
		"the same time in another format": {change: []obj{{"bake": "60s"}}, want: untouched},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := mainPlanner(t)
			fill := maps.Clone(promoted)
			fill["cluster_status"] = statuses
			maps.Copy(fill, test.prior)
			prior := p.plan(mainAPI(), nil).state(fill)
			got := p.plan(mainAPI(test.change...), prior).ok()
			got.wantReplace()
			got.wants(test.want)
		})
	}
}
