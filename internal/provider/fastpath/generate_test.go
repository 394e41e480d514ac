package fastpath_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

type obj = plantest.Obj

// menu is what an attribute is drawn from; nil leaves it out.
type menu map[string][]any

// kind is a resource, with what is drawn of it. What is odd may be an error, or not
// be known, and is no configuration that a state comes from.
type kind struct {
	typeName   string
	base       obj
	usual, odd menu
	filled     obj  // computed attributes of a state at its goal
	states     menu // and of those that are not, or not sure to be
}

var (
	rollouts = []any{nil, nil, nil, obj{"on_failure": "continue"}, obj{"on_failure": "abort", "max_parallel": 1}}
	drifts   = []any{nil, []any{}, []any{obj{"cluster": "prod", "object": "Deployment/api-7f3c9a1e", "field": "spec.replicas", "expected": "2", "actual": "5", "manager": "kubectl"}}}
	reasons  = []any{nil, nil, "ImagePullBackOff"}
	both     = []any{"prod", "lab"}

	refusals = []any{nil, obj{"deployment_id": "shop/api-7f3c9a1e", "by": "alice", "at": "2026-01-01T00:00:00Z", "reason": "alice asked to go back", "retry_token": nil}}
)

func kinds() []kind { return []kind{aDeployment(), aMain(), aGroup()} }

func aDeployment() kind {
	fine := obj{"prod": obj{"status": "started", "message": nil}}
	return kind{
		typeName: "switchback_deployment",
		base:     plantest.Deployment(),
		usual: menu{
			"replicas": {nil, nil, 1, 3}, "desired_state": {nil, nil, "started", "stopped"}, "strategy": {nil, nil, "blue_green", "rolling"},
			"version": {nil, nil, "1.4.0", "v9"}, "labels": {nil, obj{"team": "a", "tier": "b"}}, "restart_triggers": {nil, obj{"at": "noon"}},
			"rollout": rollouts, "health": {nil, nil, obj{"progress_deadline": "5m"}}, "timeouts": {nil, nil, obj{"create": "20m", "update": "20m"}},
			"autoscaling": {nil, nil, obj{"min": 2, "max": 4, "cpu": 80}}, "on_failure": {nil, "keep"}, "abandon_unreachable": {nil, nil, true, false},
			"clusters": {nil, []any{"prod"}, both}, "pod_security": {nil, "restricted"}, "duration_budget": {nil, nil, obj{"total": "1m"}},
		},
		odd: menu{
			"image": {plantest.AfterApply{}, "ghcr.io/acme/api:1.5.0", "ghcr.io/acme/api@sha256:" + zeros}, "clusters": {[]any{"nowhere"}, plantest.AfterApply{}},
			"health": {obj{"progress_deadline": "3h"}}, "rollout": {obj{"bake": "3h", "max_parallel": 1}, plantest.AfterApply{}}, "namespace": {"other"}, "timeouts": {obj{"update": "1m"}},
		},
		filled: obj{"owner": "token-1", "status": "started", "created_at": "2026-01-01T00:00:00Z", "created_by": "ci", "durations": plantest.Deployed["durations"], "cluster_status": fine, "drift": []any{}},
		states: menu{
			"status": texts(release.Statuses()), "status_reason": reasons, "drift": drifts, "cluster_status": {nil, fine, obj{"prod": obj{"status": "start_error", "message": "it crashed"}}},
			"version": {"1.4.0", "an older default"}, "replicas": {1, 5}, "id": {"shop/api-7f3c9a1e"}, "desired_state": {nil}, "content_hash": {"00"},
		},
	}
}

func aMain() kind {
	service := func(changes obj) any {
		s := obj{"ports": obj{"http": 80, "admin": 81}}
		maps.Copy(s, changes)
		return obj{"service": s}
	}
	return kind{
		typeName: "switchback_main_deployment",
		base:     plantest.Main(),
		usual: menu{
			"traffic": {service(nil), service(obj{"name": "front"}), service(obj{"type": "LoadBalancer", "external_traffic_policy": "Local"}), obj{"service": obj{"adopt": true}}},
			"bake":    {nil, nil, "1m"}, "rollout": rollouts, "timeouts": {nil, nil, obj{"create": "20m", "update": "20m"}}, "drain": {nil, nil, "20s"}, "retry_token": {nil, "again"},
			"keep_previous": {nil, nil, obj{"count": 2}, obj{"state": "stopped", "ttl": "48h"}}, "abandon_unreachable": {nil, true}, "clusters": {nil, []any{"prod"}, both},
			"dns": {nil, nil, obj{"name": "api.acme.io", "endpoints": false, "targets": obj{"prod": []any{"10.0.0.1"}, "lab": []any{"10.0.0.2"}}}},
		},
		odd: menu{
			"deployment_id": {"shop/api-00000000", plantest.AfterApply{}}, "bake": {"3h"}, "clusters": {[]any{"nowhere"}}, "namespace": {"other"}, "traffic": {obj{"service": obj{"adopt": true, "name": "other"}}, plantest.AfterApply{}},
		},
		filled: obj{
			"owner": "token-1", "status": "finalized", "promoted_at": "2026-01-01T00:00:00Z", "drift": []any{}, "previous_deployment_id": "shop/api-0b8e4d27",
			"split": obj{"prod": obj{"api-7f3c9a1e": 100}}, "cluster_status": obj{"prod": obj{"status": "finalized", "message": nil}},
		},
		states: menu{
			"status": texts(release.MainStatuses()), "status_reason": reasons, "drift": drifts, "url": {nil, "http://elsewhere"}, "drain": {"10s", "20s"}, "deployment_id": {"shop/api-0b8e4d27"},
			"dns_records": {nil, []any{}}, "cluster_status": {nil, obj{"prod": obj{"status": "pending", "message": nil}}}, "id": {"shop/api", "shop/web"},
			"refused": refusals,
		},
	}
}

func aGroup() kind {
	member := func(name string, changes obj) obj {
		m := obj{"deployment_id": "shop/" + name + "-7f3c9a1e", "traffic": obj{"service": obj{"ports": obj{"http": 80}}}}
		maps.Copy(m, changes)
		return m
	}
	two := func(changes obj) any { return obj{"api": member("api", nil), "web": member("web", changes)} }
	return kind{
		typeName: "switchback_deployment_group",
		base:     obj{"name": "shop", "members": two(nil)},
		usual: menu{
			"members": {two(nil), two(obj{"after": []any{"api"}}), two(obj{"clusters": []any{"prod"}}), two(obj{"drain": "5s", "keep_previous": obj{"count": 2}})},
			"failure": {nil, nil, obj{"scope": "member"}, obj{}}, "drain": {nil, "20s"}, "retry_token": {nil, "again"}, "keep_previous": {nil, obj{"count": 0}}, "clusters": {nil, []any{"prod"}, both},
			"timeouts": {nil, obj{"update": "20m"}}, "abandon_unreachable": {nil, true},
			"canary": {nil, nil, obj{"steps": []any{obj{"weight": 10, "pause": "1m"}, obj{"weight": 50, "gate": "manual"}}}, obj{"steps": []any{obj{"weight": 10}}, "max_weight": 10, "mirror": obj{"percent": 20, "pause": "1m"}}},
		},
		odd: menu{
			"members":  {obj{"api": member("api", nil)}, obj{"api": member("api", nil), "two": member("api", nil)}, plantest.AfterApply{}, two(obj{"deployment_id": "shop/web-00000000"})},
			"clusters": {[]any{"nowhere"}}, "name": {"store"},
		},
		filled: obj{"owner": "token-1", "status": "finalized", "drift": []any{}},
		states: menu{"status": texts(release.MainStatuses()), "status_reason": reasons, "drift": drifts, "clusters": {nil, []any{"lab"}}, "id": {"other"}, "refused": refusals},
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func texts[S ~string](all []S) (out []any) {
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

// draw draws at most so many attributes of a menu, on top of what is there.
func (m menu) draw(t *rapid.T, what string, on obj, most int) obj {
	out, names := maps.Clone(on), slices.Sorted(maps.Keys(m))
	for range rapid.IntRange(0, most).Draw(t, what+": changes") {
		name := rapid.SampledFrom(names).Draw(t, what)
		out[name] = rapid.SampledFrom(m[name]).Draw(t, name)
	}
	return out
}
