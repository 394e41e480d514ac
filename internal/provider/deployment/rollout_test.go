package deployment

import (
	"maps"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
)

// appliedOn is applied, with how it ended on each cluster.
func appliedOn(statuses plantest.Obj) plantest.Obj {
	fill := maps.Clone(plantest.Deployed)
	all := plantest.Obj{}
	for name, status := range statuses {
		all[name] = plantest.Obj{"status": status}
	}
	fill["cluster_status"] = all
	return fill
}

// What a rollout that continues may end in is not known at plan, wherever it
// does something; what is only about how it is done is no change of anything.
func TestPlanOfARollout(t *testing.T) {
	fine := plantest.Obj{"a": "started", "b": "started"}
	broken := appliedOn(plantest.Obj{"a": "started", "b": "start_error"})
	broken["status"], broken["status_reason"] = "start_error", "ImagePullBackOff"
	asIs := plantest.Obj{"status": "started", "status_reason": nil, "cluster_status": plantest.Obj{"a": plantest.Obj{"status": "started", "message": nil}, "b": plantest.Obj{"status": "started", "message": nil}}}
	open := plantest.Obj{"status": plantest.AfterApply{}, "status_reason": plantest.AfterApply{}, "cluster_status": plantest.AfterApply{}}
	goes := plantest.Obj{"rollout": plantest.Obj{"on_failure": "continue"}}
	for name, test := range map[string]struct {
		prior, before, change, want plantest.Obj
	}{
		"replicas, all or none":     {change: plantest.Obj{"replicas": 2}, want: asIs},
		"replicas, continuing":      {before: goes, change: plantest.Obj{"replicas": 2}, want: open},
		"replicas, not known":       {change: plantest.Obj{"replicas": 2, "rollout": plantest.Obj{"on_failure": plantest.AfterApply{}}}, want: open},
		"labels in place":           {before: plantest.Obj{"rollout": goes["rollout"], "strategy": "rolling"}, change: plantest.Obj{"labels": plantest.Obj{"a": "b"}}, want: open},
		"nothing, continuing":       {before: goes, want: asIs},
		"the rollout itself":        {change: goes, want: asIs},
		"no rollout any more":       {before: goes, change: plantest.Obj{"rollout": nil}, want: asIs},
		"another spelling":          {before: goes, change: plantest.Obj{"container": plantest.Obj{"resources": plantest.Obj{"requests": plantest.Obj{"cpu": "500m"}}}}, want: asIs},
		"timeouts, continuing":      {before: goes, change: plantest.Obj{"timeouts": plantest.Obj{"update": "5m"}}, want: asIs},
		"abandoning":                {before: goes, change: plantest.Obj{"abandon_unreachable": true}, want: asIs},
		"not well, all or none":     {prior: broken, want: plantest.Obj{"status": "started", "status_reason": plantest.AfterApply{}, "cluster_status": plantest.AfterApply{}}},
		"not well, continuing":      {prior: broken, before: goes, want: open},
		"a cluster more, all":       {change: plantest.Obj{"clusters": []any{"a", "b", "c"}}, want: plantest.Obj{"status": "started", "cluster_status": plantest.AfterApply{}}},
		"a cluster more, continues": {before: goes, change: plantest.Obj{"clusters": []any{"a", "b", "c"}}, want: open},
	} {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, plantest.ClustersNamed("a", "b", "c"))
			config := plantest.Deployment(plantest.Obj{"clusters": []any{"a", "b"}, "container": plantest.Obj{"resources": plantest.Obj{"requests": plantest.Obj{"cpu": "0.5"}}}}, test.before)
			fill := test.prior
			if fill == nil {
				fill = appliedOn(fine)
			}
			prior := p.Plan(config, nil).State(fill)
			maps.Copy(config, test.change)
			got := p.Plan(config, prior).OK()
			got.WantReplace()
			got.Wants(test.want)
			got.Wants(plantest.Obj{"owner": "token-1", "drift": []any{}})
		})
	}
}

func TestRolloutIsRefusedAtPlan(t *testing.T) {
	three := []any{"a", "b", "c"}
	for name, test := range map[string]struct {
		rollout plantest.Obj
		want    string
	}{
		"max_parallel":  {plantest.Obj{"max_parallel": 0}, "rollout.max_parallel: Invalid Attribute Value"},
		"bake":          {plantest.Obj{"bake": "0s", "max_parallel": 1}, "rollout.bake: Invalid duration"},
		"on_failure":    {plantest.Obj{"on_failure": "ignore"}, "rollout.on_failure: Invalid Attribute Value Match"},
		"quorum":        {plantest.Obj{"quorum": 0, "on_failure": "continue"}, "rollout.quorum: Invalid Attribute Value"},
		"order":         {plantest.Obj{"order": []any{}}, "rollout.order: Invalid Attribute Value"},
		"a stranger":    {plantest.Obj{"order": []any{"x"}}, "rollout.order.0: Cluster is not one of the resource's"},
		"quorum alone":  {plantest.Obj{"quorum": 2}, "rollout.quorum: Quorum without a rollout that continues"},
		"quorum of all": {plantest.Obj{"quorum": 4, "on_failure": "continue"}, "rollout.quorum: Quorum cannot be reached"},
		"bake for none": {plantest.Obj{"bake": "5m"}, "rollout.bake: Nothing follows the bake"},
		"bake too long": {plantest.Obj{"bake": "5m", "max_parallel": 1}, "rollout.bake: Bake takes longer than the whole may"},
	} {
		t.Run(name, func(t *testing.T) {
			p, config := plannerOn(t, plantest.ClustersNamed("a", "b", "c")), plantest.Deployment(plantest.Obj{"clusters": three, "rollout": test.rollout})
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
