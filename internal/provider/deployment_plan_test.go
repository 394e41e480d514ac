package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// api is a deployment; with changes on top.
func api(changes ...obj) obj {
	config := obj{
		"application": "api",
		"namespace":   "shop",
		"image":       "ghcr.io/acme/api:1.4.0",
		"container": obj{
			"ports":           obj{"http": 8080, "admin": 9090},
			"env":             obj{"LOG_LEVEL": "info"},
			"resources":       obj{"requests": obj{"cpu": "0.5"}, "limits": obj{"memory": "1Gi"}},
			"readiness_probe": obj{"http_get": obj{"path": "/readyz", "port": "http"}},
		},
	}
	for _, c := range changes {
		maps.Copy(config, c)
	}
	return config
}

// applied is what fills a plan's unknown values.
var applied = obj{"owner": "token-1", "status": "started", "created_at": "2026-01-01T00:00:00Z", "created_by": "ci", "durations": obj{"total": 4, "startup": 3, "queue": nil, "build": nil, "image_pull": nil, "clusters": nil}}

func deploymentPlanner(t *testing.T) planner { return plannerOn(t, clustersNamed("prod")) }

func plannerOn(t *testing.T, run *session.Session) planner {
	return newPlanner(t, "switchback_deployment", run, NewDeploymentResource)
}

func TestPlanOfACreateKnowsTheName(t *testing.T) {
	p := deploymentPlanner(t).plan(api(), nil).ok()
	spec := release.Content{
		Application: "api", Version: "1.4.0", Image: "ghcr.io/acme/api:1.4.0",
		Container: release.Container{
			Ports: map[string]int32{"http": 8080, "admin": 9090}, Env: map[string]string{"LOG_LEVEL": "info"},
			Resources:      release.Resources{Requests: map[string]string{"cpu": "500m"}, Limits: map[string]string{"memory": "1Gi"}},
			ReadinessProbe: &release.Probe{HTTPGet: &release.HTTPGet{Path: "/readyz", Port: "http"}},
		},
	}.Normalize()
	name := spec.Name()
	p.wants(obj{
		"id": "shop/" + name, "name": name, "content_hash": spec.Hash(), "service_name": name,
		"internal_url": "http://" + name + ".shop.svc:8080",
		"version":      "1.4.0", "replicas": 1, "on_failure": "stop", "pod_security": "baseline", "clusters": []any{"prod"},
		"drift": []any{}, "status": afterApply{}, "status_reason": afterApply{}, "owner": afterApply{},
		"created_at": afterApply{}, "created_by": afterApply{}, "durations": afterApply{},
		"environment": nil, "timeouts": nil, "sidecars": nil,
	})
	p.wantReplace()
	if got := string(p.private["application"]); got != `"shop/api"` {
		t.Errorf("private state has application %s", got)
	}
}

func TestPlanWithoutPortsHasNoService(t *testing.T) {
	deploymentPlanner(t).plan(obj{"application": "api", "namespace": "shop", "image": "api"}, nil).ok().
		wants(obj{"service_name": nil, "internal_url": nil, "version": "latest"})
}

func TestPlanOfNothingNewIsEmpty(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.plan(api(), nil).state(applied)
	p.plan(api(), prior).ok().wantNoChange(*prior)
}

func TestAnotherSpellingOfTheSameContentIsNoChange(t *testing.T) {
	p := deploymentPlanner(t)
	config := func(cpu, memory, scheme any) obj {
		c := api()
		c["container"] = obj{
			"resources":       obj{"requests": obj{"cpu": cpu}, "limits": obj{"memory": memory}},
			"readiness_probe": obj{"http_get": obj{"port": "8080", "scheme": scheme}},
			"env":             obj{"A": "1", "NOTHING": nil},
		}
		return c
	}
	prior := p.plan(config("0.5", "1Gi", nil), nil).state(applied)
	p.plan(config("500m", "1024Mi", "HTTP"), prior).ok().wantNoChange(*prior)

	// Where Terraform does not allow to keep the prior value, it is a change in
	// place of that input alone.
	other := p.plan(api(obj{"labels": obj{}}), p.plan(api(), nil).state(applied)).ok()
	other.wantReplace()
	other.wants(obj{"labels": obj{}, "status": "started", "durations": applied["durations"], "owner": "token-1"})
}

func TestReplacementNamesTheInputsThatCauseIt(t *testing.T) {
	container := func(change func(c obj)) obj {
		c := maps.Clone(api()["container"].(obj))
		change(c)
		return obj{"container": c}
	}
	tests := map[string]struct {
		change obj
		want   []string
	}{
		"image":     {obj{"image": "ghcr.io/acme/api:1.5.0"}, []string{"content_hash", "image", "version"}},
		"version":   {obj{"version": "v2"}, []string{"content_hash", "version"}},
		"triggers":  {obj{"triggers": obj{"again": "1"}}, []string{"content_hash", "triggers"}},
		"namespace": {obj{"namespace": "other"}, []string{"namespace"}},
		"application": {
			obj{"application": "web"}, []string{"application", "content_hash"},
		},
		"one variable": {
			container(func(c obj) { c["env"] = obj{"LOG_LEVEL": "debug"} }), []string{"container.env", "content_hash"},
		},
		"a probe's path": {
			container(func(c obj) { c["readiness_probe"] = obj{"http_get": obj{"path": "/", "port": "http"}} }),
			[]string{"container.readiness_probe.http_get.path", "content_hash"},
		},
		"no container": {obj{"container": nil}, []string{"container", "content_hash"}},
		// A spelling beside a real change is not to blame, but is shown as it is.
		"pod_security": {obj{"pod_security": "none"}, []string{"content_hash", "pod_security"}},
		"unknown image": {
			obj{"image": afterApply{}}, []string{"content_hash", "image", "version"},
		},
		"unknown variable": {
			container(func(c obj) { c["env"] = obj{"LOG_LEVEL": afterApply{}} }), []string{"container.env", "content_hash"},
		},
		"unknown container": {obj{"container": afterApply{}}, []string{"container", "content_hash"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := deploymentPlanner(t)
			prior := p.plan(api(), nil).state(applied)
			got := p.plan(api(test.change), prior).ok()
			got.wantReplace(test.want...)
			got.wants(obj{"owner": afterApply{}, "status": afterApply{}, "durations": afterApply{}, "created_at": afterApply{}, "drift": []any{}})
			if got.at("id") == valueAt(t, *prior, "id") {
				t.Errorf("the plan keeps the id %v", got.at("id"))
			}
			if strings.HasPrefix(name, "unknown") {
				got.wants(obj{"id": afterApply{}, "name": afterApply{}, "content_hash": afterApply{}, "service_name": afterApply{}, "internal_url": afterApply{}})
			}
		})
	}
}

func TestUnknownNamespaceLeavesTheNameKnown(t *testing.T) {
	p := deploymentPlanner(t).plan(api(obj{"namespace": afterApply{}}), nil).ok()
	p.wants(obj{"id": afterApply{}, "internal_url": afterApply{}})
	if name, ok := p.at("name").(string); !ok || p.at("service_name") != name {
		t.Errorf("name is planned %v, service_name %v", p.at("name"), p.at("service_name"))
	}
}

func TestUnknownInputsOutsideTheContentReplaceNothing(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.plan(api(), nil).state(applied)
	got := p.plan(api(obj{"replicas": afterApply{}, "ignore_drift": []any{afterApply{}}, "environment": afterApply{}}), prior).ok()
	got.wantReplace()
	got.wants(obj{"id": valueAt(t, *prior, "id")})
}

func TestReplicasAloneLeaveDependentsAlone(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.plan(api(), nil).state(applied)
	got := p.plan(api(obj{"replicas": 5}), prior).ok()
	got.wantReplace()
	got.wants(obj{"replicas": 5})
	for name, was := range valuesOf(t, *prior) {
		if name != "replicas" {
			got.wants(obj{name: was})
		}
	}
}

func TestWhatIsNotWellIsPlannedToBe(t *testing.T) {
	drift := []any{obj{"cluster": "prod", "object": "Deployment/api", "field": "spec.replicas"}}
	tests := map[string]struct {
		prior, config obj
	}{
		"failed":            {prior: obj{"status": "start_error"}},
		"cancelled":         {prior: obj{"status": "cancelled"}},
		"no status":         {prior: obj{"status": nil}},
		"drift":             {prior: obj{"drift": drift}},
		"stopped by others": {prior: obj{"status": "stopped"}},
		"restarting":        {prior: obj{"status": "restarting"}},
		"another cluster":   {config: obj{"clusters": []any{"prod", "spare"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, clustersNamed("prod", "spare"))
			config := api(obj{"clusters": []any{"prod"}})
			fill := maps.Clone(applied)
			maps.Copy(fill, test.prior)
			prior := p.plan(config, nil).state(fill)
			maps.Copy(config, test.config)
			got := p.plan(config, prior).ok()
			got.wantReplace()
			got.wants(obj{
				"status": "started", "status_reason": afterApply{}, "durations": afterApply{}, "drift": []any{},
				"owner": "token-1", "created_by": "ci", "id": valueAt(t, *prior, "id"),
			})
		})
	}
}

func TestDefaultVersionFollowsTheImage(t *testing.T) {
	p := deploymentPlanner(t)
	// Without `version` the content follows from the rest, whatever was there before.
	prior := p.plan(api(obj{"version": "special"}), nil).state(applied)
	got := p.plan(api(), prior).ok()
	got.wants(obj{"version": "1.4.0"})
	got.wantReplace("content_hash", "version")
}

func TestPlanToDestroyIsMarked(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.plan(api(), nil).state(applied)
	got := p.destroy(prior).ok()
	if string(got.private["destroy"]) != "true" {
		t.Errorf("private state of a plan to destroy: %q", got.private)
	}

	// A destroy that failed leaves its mark in private state.
	if again := p.planAgain(api(), prior, got.private).ok(); again.private["destroy"] != nil {
		t.Error("another plan carries the mark of a destroy")
	}
}

func TestClustersAreCheckedAgainstTheProvider(t *testing.T) {
	tests := map[string]struct {
		run        *session.Session
		config     any
		want       any
		diagnostic string
	}{
		"the only one":                  {run: clustersNamed("prod"), want: []any{"prod"}},
		"one of two":                    {run: clustersNamed("b", "a"), config: []any{"a"}, want: []any{"a"}},
		"none of two":                   {run: clustersNamed("b", "a"), diagnostic: `clusters: Clusters must be named`},
		"one that is not there":         {run: clustersNamed("b", "a"), config: []any{"c"}, diagnostic: "clusters.{}: Unknown cluster"},
		"unknown name":                  {run: clustersNamed("b", "a"), config: []any{afterApply{}}, want: []any{afterApply{}}},
		"unknown provider":              {run: clustersUnknown(), want: afterApply{}},
		"unknown provider, one is said": {run: clustersUnknown(), config: []any{"c"}, want: []any{"c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plannerOn(t, test.run).plan(api(obj{"clusters": test.config}), nil)
			if test.diagnostic != "" {
				if texts := diagnosticTexts(got.diagnostics); !slices.Equal(texts, []string{test.diagnostic}) {
					t.Fatalf("diagnostics %q", texts)
				}
				if d := got.diagnostics[0].Detail; !strings.Contains(d, `"a", "b"`) {
					t.Errorf("the detail does not list the clusters: %s", d)
				}
				return
			}
			got.ok().wants(obj{"clusters": test.want})
		})
	}

	p := plannerOn(t, clustersUnknown())
	prior := deploymentPlanner(t).plan(api(), nil).state(applied)
	p.plan(api(), prior).ok().wantNoChange(*prior)
}

func TestAdviceIsGivenOnCreateOnly(t *testing.T) {
	p := deploymentPlanner(t)
	bare := api(obj{"container": obj{"ports": obj{"http": 80}}})
	got := p.plan(bare, nil).ok()
	texts := diagnosticTexts(got.diagnostics)
	if !slices.Contains(texts, "container.readiness_probe: No readiness probe") {
		t.Errorf("warnings of a create: %q", texts)
	}
	for _, d := range got.diagnostics {
		if d.Severity != tfprotov6.DiagnosticSeverityWarning {
			t.Errorf("%s is not a warning", d.Summary)
		}
	}
	prior := got.state(applied)
	bare["replicas"] = 3
	if texts := diagnosticTexts(p.plan(bare, prior).ok().diagnostics); texts != nil {
		t.Errorf("warnings of an update: %q", texts)
	}
}

func TestConfigurationIsValidatedAsFarAsItIsKnown(t *testing.T) {
	container := func(c obj) obj { return obj{"container": c} }
	tests := map[string]struct {
		change obj
		want   []string
	}{
		"valid":                 {},
		"application":           {obj{"application": "Api"}, []string{"application: Invalid application name"}},
		"namespace":             {obj{"namespace": "a/b"}, []string{"namespace: Invalid namespace"}},
		"image":                 {obj{"image": "UPPER"}, []string{"image: Invalid image reference"}},
		"replicas":              {obj{"replicas": 0}, []string{"replicas: Invalid Attribute Value"}},
		"pod_security":          {obj{"pod_security": "some"}, []string{"pod_security: Invalid Attribute Value Match"}},
		"on_failure":            {obj{"on_failure": "pray"}, []string{"on_failure: Invalid Attribute Value Match"}},
		"no clusters":           {obj{"clusters": []any{}}, []string{"clusters: Invalid Attribute Value"}},
		"map key":               {container(obj{"env": obj{"1 2": "x"}}), []string{"container.env.1 2: Invalid variable name"}},
		"nested":                {container(obj{"resources": obj{"requests": obj{"cpu": "lots"}}}), []string{"container.resources.requests.cpu: Invalid quantity"}},
		"list":                  {obj{"sidecars": []any{obj{"name": "a b", "image": "x"}}}, []string{"sidecars.0.name: Invalid container name"}},
		"null in a list":        {container(obj{"args": []any{"a", nil}}), []string{"container.args: Null List Value"}},
		"null in a map":         {container(obj{"env": obj{"A": nil}}), nil},
		"autoscaling bounds":    {scaledBy(obj{"min": 3, "max": 2, "cpu": 50}), []string{"autoscaling.max: Bounds contradict each other"}},
		"autoscaling from zero": {scaledBy(obj{"min": 0, "max": 2, "cpu": 50}), []string{"autoscaling.min: Too few pods"}},
		"no autoscaling target": {scaledBy(obj{"min": 1, "max": 2}), []string{"autoscaling: No autoscaling target"}},
		"target of no request":  {scaledBy(obj{"min": 1, "max": 2, "memory": 50}), []string{"autoscaling.memory: Autoscaling target without a request"}},
		"unknown bound":         {scaledBy(obj{"min": 3, "max": afterApply{}, "memory": 50}), nil},
		"more than max":         {scaledBy(obj{"min": 1, "max": 2, "cpu": 50}, 5), []string{"replicas: More replicas than autoscaling allows"}},
		"unknown image":         {obj{"image": afterApply{}}, nil},
		"unknown variable":      {container(obj{"env": obj{"A": afterApply{}}}), nil},
		"unknown quantity":      {container(obj{"resources": obj{"requests": obj{"cpu": afterApply{}}}}), nil},
		"unknown source":        {container(obj{"env_from": []any{obj{"config_map": afterApply{}, "secret": "x"}}}), nil},
		"unknown port name":     {container(obj{"liveness_probe": obj{"tcp_socket": obj{"port": afterApply{}}}}), nil},
		"unknown ports":         {container(obj{"ports": afterApply{}, "liveness_probe": obj{"tcp_socket": obj{"port": "http"}}}), nil},
		"unknown beside wrong":  {obj{"image": afterApply{}, "application": "Api"}, []string{"application: Invalid application name"}},
		"unknown replicas":      {obj{"replicas": afterApply{}, "application": "Api"}, []string{"application: Invalid application name"}},
		"unknown drift ignored": {obj{"ignore_drift": []any{afterApply{}}, "application": "Api"}, []string{"application: Invalid application name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := deploymentPlanner(t).validate(api(test.change)); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}

// What is to be stopped is planned to be that, in place, and nothing else is.
func TestPlanOfDesiredState(t *testing.T) {
	p := deploymentPlanner(t)
	started := p.plan(api(), nil).state(applied)
	stopped := api(obj{"desired_state": "stopped"})
	id := valueAt(t, *started, "id")

	got := p.plan(stopped, started).ok()
	got.wantReplace()
	got.wants(obj{"desired_state": "stopped", "status": "stopped", "status_reason": afterApply{}, "replicas": 1, "id": id})

	fill := maps.Clone(applied)
	fill["status"] = "stopped"
	prior := p.plan(stopped, nil).state(fill)
	p.plan(stopped, prior).ok().wantNoChange(*prior)
	p.plan(api(obj{"desired_state": "stopped", "replicas": 4}), prior).ok().wants(obj{"status": "stopped", "replicas": 4})
	p.plan(api(), prior).ok().wants(obj{"desired_state": "started", "status": "started", "id": id})
	p.plan(api(obj{"desired_state": afterApply{}}), prior).ok().wants(obj{"desired_state": afterApply{}, "status": afterApply{}, "id": id})
	// What was cancelled is stopped for good.
	fill["status"] = "cancelled"
	cancelled := p.plan(api(), nil).state(fill)
	p.plan(stopped, cancelled).ok().wants(obj{"status": "stopped"})
}

// Triggers of a restart change in place, and what is measured is not known.
func TestPlanOfARestart(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.plan(api(obj{"restart_triggers": obj{"secret": "1"}}), nil).state(applied)
	id := valueAt(t, *prior, "id")
	for name, triggers := range map[string]any{"others": obj{"secret": "2"}, "none": nil, "unknown": obj{"secret": afterApply{}}} {
		t.Run(name, func(*testing.T) {
			got := p.plan(api(obj{"restart_triggers": triggers}), prior).ok()
			got.wantReplace()
			got.wants(obj{"status": "started", "durations": afterApply{}, "id": id})
		})
	}
	// Of what is stopped, nothing is restarted.
	fill := maps.Clone(applied)
	fill["status"] = "stopped"
	off := obj{"desired_state": "stopped"}
	prior = p.plan(api(off), nil).state(fill)
	p.plan(api(off, obj{"restart_triggers": obj{"secret": "2"}}), prior).ok().wants(obj{"status": "stopped", "durations": valueAt(t, *prior, "durations")})
}

// scaledBy is a configuration whose container requests CPU, and no memory.
func scaledBy(autoscaling obj, replicas ...int) obj {
	c := obj{"autoscaling": autoscaling, "container": obj{"resources": obj{"requests": obj{"cpu": "1"}}}}
	for _, n := range replicas {
		c["replicas"] = n
	}
	return c
}
