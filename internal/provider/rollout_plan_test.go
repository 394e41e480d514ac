package provider

import (
	"maps"
	"slices"
	"testing"
)

// appliedOn is applied, with how it ended on each cluster.
func appliedOn(statuses obj) obj {
	fill := maps.Clone(applied)
	all := obj{}
	for name, status := range statuses {
		all[name] = obj{"status": status}
	}
	fill["cluster_status"] = all
	return fill
}

// What a rollout that continues may end in is not known at plan, wherever it
// does something; what is only about how it is done is no change of anything.
func TestPlanOfARollout(t *testing.T) {
	fine := obj{"a": "started", "b": "started"}
	broken := appliedOn(obj{"a": "started", "b": "start_error"})
	broken["status"], broken["status_reason"] = "start_error", "ImagePullBackOff"
	asIs := obj{"status": "started", "status_reason": nil, "cluster_status": obj{"a": obj{"status": "started", "message": nil}, "b": obj{"status": "started", "message": nil}}}
	open := obj{"status": afterApply{}, "status_reason": afterApply{}, "cluster_status": afterApply{}}
	goes := obj{"rollout": obj{"on_failure": "continue"}}
	for name, test := range map[string]struct {
		prior, before, change, want obj
	}{
		"replicas, all or none":     {change: obj{"replicas": 2}, want: asIs},
		"replicas, continuing":      {before: goes, change: obj{"replicas": 2}, want: open},
		"replicas, not known":       {change: obj{"replicas": 2, "rollout": obj{"on_failure": afterApply{}}}, want: open},
		"labels in place":           {before: obj{"rollout": goes["rollout"], "strategy": "rolling"}, change: obj{"labels": obj{"a": "b"}}, want: open},
		"nothing, continuing":       {before: goes, want: asIs},
		"the rollout itself":        {change: goes, want: asIs},
		"no rollout any more":       {before: goes, change: obj{"rollout": nil}, want: asIs},
		"another spelling":          {before: goes, change: obj{"container": obj{"resources": obj{"requests": obj{"cpu": "500m"}}}}, want: asIs},
		"timeouts, continuing":      {before: goes, change: obj{"timeouts": obj{"update": "5m"}}, want: asIs},
		"abandoning":                {before: goes, change: obj{"abandon_unreachable": true}, want: asIs},
		"not well, all or none":     {prior: broken, want: obj{"status": "started", "status_reason": afterApply{}, "cluster_status": afterApply{}}},
		"not well, continuing":      {prior: broken, before: goes, want: open},
		"a cluster more, all":       {change: obj{"clusters": []any{"a", "b", "c"}}, want: obj{"status": "started", "cluster_status": afterApply{}}},
		"a cluster more, continues": {before: goes, change: obj{"clusters": []any{"a", "b", "c"}}, want: open},
	} {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, clustersNamed("a", "b", "c"))
			config := api(obj{"clusters": []any{"a", "b"}, "container": obj{"resources": obj{"requests": obj{"cpu": "0.5"}}}}, test.before)
			fill := test.prior
			if fill == nil {
				fill = appliedOn(fine)
			}
			prior := p.plan(config, nil).state(fill)
			maps.Copy(config, test.change)
			got := p.plan(config, prior).ok()
			got.wantReplace()
			got.wants(test.want)
			got.wants(obj{"owner": "token-1", "drift": []any{}})
		})
	}
}

func TestRolloutIsRefusedAtPlan(t *testing.T) {
	three := []any{"a", "b", "c"}
	for name, test := range map[string]struct {
		rollout obj
		want    string
	}{
		"max_parallel":  {obj{"max_parallel": 0}, "rollout.max_parallel: Invalid Attribute Value"},
		"bake":          {obj{"bake": "0s", "max_parallel": 1}, "rollout.bake: Invalid duration"},
		"on_failure":    {obj{"on_failure": "ignore"}, "rollout.on_failure: Invalid Attribute Value Match"},
		"quorum":        {obj{"quorum": 0, "on_failure": "continue"}, "rollout.quorum: Invalid Attribute Value"},
		"order":         {obj{"order": []any{}}, "rollout.order: Invalid Attribute Value"},
		"a stranger":    {obj{"order": []any{"x"}}, "rollout.order.0: Cluster is not one of the resource's"},
		"quorum alone":  {obj{"quorum": 2}, "rollout.quorum: Quorum without a rollout that continues"},
		"quorum of all": {obj{"quorum": 4, "on_failure": "continue"}, "rollout.quorum: Quorum cannot be reached"},
		"bake for none": {obj{"bake": "5m"}, "rollout.bake: Nothing follows the bake"},
		"bake too long": {obj{"bake": "5m", "max_parallel": 1}, "rollout.bake: Bake takes longer than the whole may"},
	} {
		t.Run(name, func(t *testing.T) {
			p, config := plannerOn(t, clustersNamed("a", "b", "c")), api(obj{"clusters": three, "rollout": test.rollout})
			got := p.validate(config)
			if len(got) == 0 {
				got = diagnosticTexts(p.plan(config, nil).diagnostics)
			}
			if !slices.Equal(got, []string{test.want}) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}
