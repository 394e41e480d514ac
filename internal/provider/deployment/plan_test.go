package deployment

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func deploymentPlanner(t *testing.T) plantest.Planner {
	return plannerOn(t, plantest.ClustersNamed("prod"))
}

func plannerOn(t *testing.T, run *session.Session) plantest.Planner {
	return plantest.New(t, "switchback_deployment", run, NewResource)
}

func TestPlanOfACreateKnowsTheName(t *testing.T) {
	p := deploymentPlanner(t).Plan(plantest.Deployment(), nil).OK()
	spec := release.Content{
		Application: "api", Version: "1.4.0", Image: "ghcr.io/acme/api:1.4.0",
		Container: release.Container{
			Ports: map[string]int32{"http": 8080, "admin": 9090}, Env: map[string]string{"LOG_LEVEL": "info"},
			Resources:      release.Resources{Requests: map[string]string{"cpu": "500m"}, Limits: map[string]string{"memory": "1Gi"}},
			ReadinessProbe: &release.Probe{HTTPGet: &release.HTTPGet{Path: "/readyz", Port: "http"}},
		},
	}.Normalize()
	name := spec.Name()
	p.Wants(plantest.Obj{
		"id": "shop/" + name, "name": name, "content_hash": spec.Hash(), "service_name": name,
		"internal_url": "http://" + name + ".shop.svc:8080",
		"version":      "1.4.0", "replicas": 1, "on_failure": "stop", "pod_security": "baseline", "clusters": []any{"prod"},
		"drift": []any{}, "status": plantest.AfterApply{}, "status_reason": plantest.AfterApply{}, "owner": plantest.AfterApply{},
		"created_at": plantest.AfterApply{}, "created_by": plantest.AfterApply{}, "durations": plantest.AfterApply{},
		"environment": nil, "timeouts": nil, "sidecars": nil,
	})
	p.WantReplace()
	if got := string(p.Private["application"]); got != `"shop/api"` {
		t.Errorf("private state has application %s", got)
	}
}

func TestPlanWithoutPortsHasNoService(t *testing.T) {
	deploymentPlanner(t).Plan(plantest.Obj{"application": "api", "namespace": "shop", "image": "api"}, nil).OK().
		Wants(plantest.Obj{"service_name": nil, "internal_url": nil, "version": "latest"})
}

func TestPlanOfNothingNewIsEmpty(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	p.Plan(plantest.Deployment(), prior).OK().WantNoChange(*prior)
}

func TestAnotherSpellingOfTheSameContentIsNoChange(t *testing.T) {
	p := deploymentPlanner(t)
	config := func(cpu, memory, scheme any) plantest.Obj {
		c := plantest.Deployment()
		c["container"] = plantest.Obj{
			"resources":       plantest.Obj{"requests": plantest.Obj{"cpu": cpu}, "limits": plantest.Obj{"memory": memory}},
			"readiness_probe": plantest.Obj{"http_get": plantest.Obj{"port": "8080", "scheme": scheme}},
			"env":             plantest.Obj{"A": "1", "NOTHING": nil},
		}
		return c
	}
	prior := p.Plan(config("0.5", "1Gi", nil), nil).State(plantest.Deployed)
	p.Plan(config("500m", "1024Mi", "HTTP"), prior).OK().WantNoChange(*prior)

	// Where Terraform does not allow to keep the prior value, it is a change in
	// place of that input alone.
	other := p.Plan(plantest.Deployment(plantest.Obj{"labels": plantest.Obj{}}), p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)).OK()
	other.WantReplace()
	other.Wants(plantest.Obj{"labels": plantest.Obj{}, "status": "started", "durations": plantest.Deployed["durations"], "owner": "token-1"})
}

// A patch is compared by what it means. It is hashed as it was typed first, so that
// name and id stay; beside a real change it is the configuration's.
func TestPatchIsComparedByMeaning(t *testing.T) {
	p := deploymentPlanner(t)
	config := func(patch, image string) plantest.Obj {
		return plantest.Deployment(plantest.Obj{"pod_template_patch": patch, "image": image})
	}
	const typed, other = "spec:\n  overhead: {cpu: 100m}\n", "# why\r\nspec: {\"overhead\": {\"cpu\": 0.1}}\r\n"
	first := p.Plan(config(typed, "ghcr.io/acme/api:1.4.0"), nil).OK()
	prior := first.State(plantest.Deployed)
	p.Plan(config(other, "ghcr.io/acme/api:1.4.0"), prior).OK().WantNoChange(*prior)

	bump := p.Plan(config(other, "ghcr.io/acme/api:1.5.0"), prior).OK()
	bump.WantReplace("content_hash", "image", "version")
	bump.Wants(plantest.Obj{"pod_template_patch": typed})
	p.Plan(config(other, "ghcr.io/acme/api:1.5.0"), nil).OK().Wants(plantest.Obj{"pod_template_patch": other})

	p.Plan(config("spec: {overhead: {cpu: 101m}}", "ghcr.io/acme/api:1.4.0"), prior).OK().WantReplace("content_hash", "pod_template_patch")
	p.Plan(plantest.Deployment(plantest.Obj{"pod_template_patch": plantest.AfterApply{}, "image": "ghcr.io/acme/api:1.4.0"}), prior).OK().WantReplace("content_hash", "pod_template_patch")
}

func TestReplacementNamesTheInputsThatCauseIt(t *testing.T) {
	container := func(change func(c plantest.Obj)) plantest.Obj {
		c := maps.Clone(plantest.Deployment()["container"].(plantest.Obj))
		change(c)
		return plantest.Obj{"container": c}
	}
	tests := map[string]struct {
		change plantest.Obj
		want   []string
	}{
		"image":     {plantest.Obj{"image": "ghcr.io/acme/api:1.5.0"}, []string{"content_hash", "image", "version"}},
		"version":   {plantest.Obj{"version": "v2"}, []string{"content_hash", "version"}},
		"triggers":  {plantest.Obj{"triggers": plantest.Obj{"again": "1"}}, []string{"content_hash", "triggers"}},
		"namespace": {plantest.Obj{"namespace": "other"}, []string{"namespace"}},
		"application": {
			plantest.Obj{"application": "web"}, []string{"application", "content_hash"},
		},
		"one variable": {
			container(func(c plantest.Obj) { c["env"] = plantest.Obj{"LOG_LEVEL": "debug"} }), []string{"container.env", "content_hash"},
		},
		"a probe's path": {
			container(func(c plantest.Obj) {
				c["readiness_probe"] = plantest.Obj{"http_get": plantest.Obj{"path": "/", "port": "http"}}
			}),
			[]string{"container.readiness_probe.http_get.path", "content_hash"},
		},
		"no container": {plantest.Obj{"container": nil}, []string{"container", "content_hash"}},
		// A spelling beside a real change is not to blame, but is shown as it is.
		"pod_security": {plantest.Obj{"pod_security": "none"}, []string{"content_hash", "pod_security"}},
		"unknown image": {
			plantest.Obj{"image": plantest.AfterApply{}}, []string{"content_hash", "image", "version"},
		},
		"unknown variable": {
			container(func(c plantest.Obj) { c["env"] = plantest.Obj{"LOG_LEVEL": plantest.AfterApply{}} }), []string{"container.env", "content_hash"},
		},
		"unknown container": {plantest.Obj{"container": plantest.AfterApply{}}, []string{"container", "content_hash"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := deploymentPlanner(t)
			prior := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
			got := p.Plan(plantest.Deployment(test.change), prior).OK()
			got.WantReplace(test.want...)
			got.Wants(plantest.Obj{"owner": plantest.AfterApply{}, "status": plantest.AfterApply{}, "durations": plantest.AfterApply{}, "created_at": plantest.AfterApply{}, "drift": []any{}})
			if got.At("id") == plantest.ValueAt(t, *prior, "id") {
				t.Errorf("the plan keeps the id %v", got.At("id"))
			}
			if strings.HasPrefix(name, "unknown") {
				got.Wants(plantest.Obj{"id": plantest.AfterApply{}, "name": plantest.AfterApply{}, "content_hash": plantest.AfterApply{}, "service_name": plantest.AfterApply{}, "internal_url": plantest.AfterApply{}})
			}
		})
	}
}

func TestUnknownNamespaceLeavesTheNameKnown(t *testing.T) {
	p := deploymentPlanner(t).Plan(plantest.Deployment(plantest.Obj{"namespace": plantest.AfterApply{}}), nil).OK()
	p.Wants(plantest.Obj{"id": plantest.AfterApply{}, "internal_url": plantest.AfterApply{}})
	if name, ok := p.At("name").(string); !ok || p.At("service_name") != name {
		t.Errorf("name is planned %v, service_name %v", p.At("name"), p.At("service_name"))
	}
}

func TestUnknownInputsOutsideTheContentReplaceNothing(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	got := p.Plan(plantest.Deployment(plantest.Obj{"replicas": plantest.AfterApply{}, "ignore_drift": []any{plantest.AfterApply{}}, "environment": plantest.AfterApply{}}), prior).OK()
	got.WantReplace()
	got.Wants(plantest.Obj{"id": plantest.ValueAt(t, *prior, "id")})
}

func TestReplicasAloneLeaveDependentsAlone(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	got := p.Plan(plantest.Deployment(plantest.Obj{"replicas": 5}), prior).OK()
	got.WantReplace()
	got.Wants(plantest.Obj{"replicas": 5})
	for name, was := range plantest.ValuesOf(t, *prior) {
		if name != "replicas" {
			got.Wants(plantest.Obj{name: was})
		}
	}
}

func TestWhatIsNotWellIsPlannedToBe(t *testing.T) {
	drift := []any{plantest.Obj{"cluster": "prod", "object": "Deployment/api", "field": "spec.replicas"}}
	tests := map[string]struct {
		prior, config plantest.Obj
	}{
		"failed":            {prior: plantest.Obj{"status": "start_error"}},
		"cancelled":         {prior: plantest.Obj{"status": "cancelled"}},
		"no status":         {prior: plantest.Obj{"status": nil}},
		"drift":             {prior: plantest.Obj{"drift": drift}},
		"stopped by others": {prior: plantest.Obj{"status": "stopped"}},
		"restarting":        {prior: plantest.Obj{"status": "restarting"}},
		"another cluster":   {config: plantest.Obj{"clusters": []any{"prod", "spare"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := plannerOn(t, plantest.ClustersNamed("prod", "spare"))
			config := plantest.Deployment(plantest.Obj{"clusters": []any{"prod"}})
			fill := maps.Clone(plantest.Deployed)
			maps.Copy(fill, test.prior)
			prior := p.Plan(config, nil).State(fill)
			maps.Copy(config, test.config)
			got := p.Plan(config, prior).OK()
			got.WantReplace()
			got.Wants(plantest.Obj{
				"status": "started", "status_reason": plantest.AfterApply{}, "durations": plantest.AfterApply{}, "drift": []any{},
				"owner": "token-1", "created_by": "ci", "id": plantest.ValueAt(t, *prior, "id"),
			})
		})
	}
}

func TestDefaultVersionFollowsTheImage(t *testing.T) {
	p := deploymentPlanner(t)
	// Without `version` the content follows from the rest, whatever was there before.
	prior := p.Plan(plantest.Deployment(plantest.Obj{"version": "special"}), nil).State(plantest.Deployed)
	got := p.Plan(plantest.Deployment(), prior).OK()
	got.Wants(plantest.Obj{"version": "1.4.0"})
	got.WantReplace("content_hash", "version")
}

func TestPlanToDestroyIsMarked(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	got := p.Destroy(prior).OK()
	if string(got.Private["destroy"]) != "true" {
		t.Errorf("private state of a plan to destroy: %q", got.Private)
	}

	// A destroy that failed leaves its mark in private state.
	if again := p.PlanAgain(plantest.Deployment(), prior, got.Private).OK(); again.Private["destroy"] != nil {
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
		"the only one":                  {run: plantest.ClustersNamed("prod"), want: []any{"prod"}},
		"one of two":                    {run: plantest.ClustersNamed("b", "a"), config: []any{"a"}, want: []any{"a"}},
		"none of two":                   {run: plantest.ClustersNamed("b", "a"), diagnostic: `clusters: Clusters must be named`},
		"one that is not there":         {run: plantest.ClustersNamed("b", "a"), config: []any{"c"}, diagnostic: "clusters.{}: Unknown cluster"},
		"unknown name":                  {run: plantest.ClustersNamed("b", "a"), config: []any{plantest.AfterApply{}}, want: []any{plantest.AfterApply{}}},
		"unknown provider":              {run: plantest.ClustersUnknown(), want: plantest.AfterApply{}},
		"unknown provider, one is said": {run: plantest.ClustersUnknown(), config: []any{"c"}, want: []any{"c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plannerOn(t, test.run).Plan(plantest.Deployment(plantest.Obj{"clusters": test.config}), nil)
			if test.diagnostic != "" {
				if texts := plantest.DiagnosticTexts(got.Diagnostics); !slices.Equal(texts, []string{test.diagnostic}) {
					t.Fatalf("diagnostics %q", texts)
				}
				if d := got.Diagnostics[0].Detail; !strings.Contains(d, `"a", "b"`) {
					t.Errorf("the detail does not list the clusters: %s", d)
				}
				return
			}
			got.OK().Wants(plantest.Obj{"clusters": test.want})
		})
	}

	p := plannerOn(t, plantest.ClustersUnknown())
	prior := deploymentPlanner(t).Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	p.Plan(plantest.Deployment(), prior).OK().WantNoChange(*prior)
}

func TestAdviceIsGivenOnCreateOnly(t *testing.T) {
	p := deploymentPlanner(t)
	bare := plantest.Deployment(plantest.Obj{"container": plantest.Obj{"ports": plantest.Obj{"http": 80}}})
	got := p.Plan(bare, nil).OK()
	texts := plantest.DiagnosticTexts(got.Diagnostics)
	if !slices.Contains(texts, "container.readiness_probe: No readiness probe") {
		t.Errorf("warnings of a create: %q", texts)
	}
	for _, d := range got.Diagnostics {
		if d.Severity != tfprotov6.DiagnosticSeverityWarning {
			t.Errorf("%s is not a warning", d.Summary)
		}
	}
	prior := got.State(plantest.Deployed)
	bare["replicas"] = 3
	if texts := plantest.DiagnosticTexts(p.Plan(bare, prior).OK().Diagnostics); texts != nil {
		t.Errorf("warnings of an update: %q", texts)
	}
}

func TestConfigurationIsValidatedAsFarAsItIsKnown(t *testing.T) {
	container := func(c plantest.Obj) plantest.Obj { return plantest.Obj{"container": c} }
	tests := map[string]struct {
		change plantest.Obj
		want   []string
	}{
		"valid":                 {},
		"application":           {plantest.Obj{"application": "Api"}, []string{"application: Invalid application name"}},
		"namespace":             {plantest.Obj{"namespace": "a/b"}, []string{"namespace: Invalid namespace"}},
		"image":                 {plantest.Obj{"image": "UPPER"}, []string{"image: Invalid image reference"}},
		"replicas":              {plantest.Obj{"replicas": 0}, []string{"replicas: Invalid Attribute Value"}},
		"pod_security":          {plantest.Obj{"pod_security": "some"}, []string{"pod_security: Invalid Attribute Value Match"}},
		"on_failure":            {plantest.Obj{"on_failure": "pray"}, []string{"on_failure: Invalid Attribute Value Match"}},
		"no clusters":           {plantest.Obj{"clusters": []any{}}, []string{"clusters: Invalid Attribute Value"}},
		"map key":               {container(plantest.Obj{"env": plantest.Obj{"1 2": "x"}}), []string{"container.env.1 2: Invalid variable name"}},
		"nested":                {container(plantest.Obj{"resources": plantest.Obj{"requests": plantest.Obj{"cpu": "lots"}}}), []string{"container.resources.requests.cpu: Invalid quantity"}},
		"list":                  {plantest.Obj{"sidecars": []any{plantest.Obj{"name": "a b", "image": "x"}}}, []string{"sidecars.0.name: Invalid container name"}},
		"null in a list":        {container(plantest.Obj{"args": []any{"a", nil}}), []string{"container.args: Null List Value"}},
		"null in a map":         {container(plantest.Obj{"env": plantest.Obj{"A": nil}}), nil},
		"autoscaling bounds":    {scaledBy(plantest.Obj{"min": 3, "max": 2, "cpu": 50}), []string{"autoscaling.max: Bounds contradict each other"}},
		"autoscaling from zero": {scaledBy(plantest.Obj{"min": 0, "max": 2, "cpu": 50}), []string{"autoscaling.min: Too few pods"}},
		"no autoscaling target": {scaledBy(plantest.Obj{"min": 1, "max": 2}), []string{"autoscaling: No autoscaling target"}},
		"target of no request":  {scaledBy(plantest.Obj{"min": 1, "max": 2, "memory": 50}), []string{"autoscaling.memory: Autoscaling target without a request"}},
		"unknown bound":         {scaledBy(plantest.Obj{"min": 3, "max": plantest.AfterApply{}, "memory": 50}), nil},
		"more than max":         {scaledBy(plantest.Obj{"min": 1, "max": 2, "cpu": 50}, 5), []string{"replicas: More replicas than autoscaling allows"}},
		"unknown image":         {plantest.Obj{"image": plantest.AfterApply{}}, nil},
		"unknown variable":      {container(plantest.Obj{"env": plantest.Obj{"A": plantest.AfterApply{}}}), nil},
		"unknown quantity":      {container(plantest.Obj{"resources": plantest.Obj{"requests": plantest.Obj{"cpu": plantest.AfterApply{}}}}), nil},
		"unknown source":        {container(plantest.Obj{"env_from": []any{plantest.Obj{"config_map": plantest.AfterApply{}, "secret": "x"}}}), nil},
		"unknown port name":     {container(plantest.Obj{"liveness_probe": plantest.Obj{"tcp_socket": plantest.Obj{"port": plantest.AfterApply{}}}}), nil},
		"unknown ports":         {container(plantest.Obj{"ports": plantest.AfterApply{}, "liveness_probe": plantest.Obj{"tcp_socket": plantest.Obj{"port": "http"}}}), nil},
		"unknown beside wrong":  {plantest.Obj{"image": plantest.AfterApply{}, "application": "Api"}, []string{"application: Invalid application name"}},
		"unknown replicas":      {plantest.Obj{"replicas": plantest.AfterApply{}, "application": "Api"}, []string{"application: Invalid application name"}},
		"unknown drift ignored": {plantest.Obj{"ignore_drift": []any{plantest.AfterApply{}}, "application": "Api"}, []string{"application: Invalid application name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := deploymentPlanner(t).Validate(plantest.Deployment(test.change)); !slices.Equal(got, test.want) {
				t.Errorf("diagnostics %q, want %q", got, test.want)
			}
		})
	}
}

// What is to be stopped is planned to be that, in place, and nothing else is.
func TestPlanOfDesiredState(t *testing.T) {
	p := deploymentPlanner(t)
	started := p.Plan(plantest.Deployment(), nil).State(plantest.Deployed)
	stopped := plantest.Deployment(plantest.Obj{"desired_state": "stopped"})
	id := plantest.ValueAt(t, *started, "id")

	got := p.Plan(stopped, started).OK()
	got.WantReplace()
	got.Wants(plantest.Obj{"desired_state": "stopped", "status": "stopped", "status_reason": plantest.AfterApply{}, "replicas": 1, "id": id})

	fill := maps.Clone(plantest.Deployed)
	fill["status"] = "stopped"
	prior := p.Plan(stopped, nil).State(fill)
	p.Plan(stopped, prior).OK().WantNoChange(*prior)
	p.Plan(plantest.Deployment(plantest.Obj{"desired_state": "stopped", "replicas": 4}), prior).OK().Wants(plantest.Obj{"status": "stopped", "replicas": 4})
	// Its application may be stopped, too: then it stays without pods.
	p.Plan(plantest.Deployment(), prior).OK().Wants(plantest.Obj{"desired_state": "started", "status": plantest.AfterApply{}, "id": id})
	p.Plan(plantest.Deployment(plantest.Obj{"desired_state": plantest.AfterApply{}}), prior).OK().Wants(plantest.Obj{"desired_state": plantest.AfterApply{}, "status": plantest.AfterApply{}, "id": id})
	// What was cancelled is stopped for good.
	fill["status"] = "cancelled"
	cancelled := p.Plan(plantest.Deployment(), nil).State(fill)
	p.Plan(stopped, cancelled).OK().Wants(plantest.Obj{"status": "stopped"})
}

// Triggers of a restart change in place, and what is measured is not known.
func TestPlanOfARestart(t *testing.T) {
	p := deploymentPlanner(t)
	prior := p.Plan(plantest.Deployment(plantest.Obj{"restart_triggers": plantest.Obj{"secret": "1"}}), nil).State(plantest.Deployed)
	id := plantest.ValueAt(t, *prior, "id")
	for name, triggers := range map[string]any{"others": plantest.Obj{"secret": "2"}, "none": nil, "unknown": plantest.Obj{"secret": plantest.AfterApply{}}} {
		t.Run(name, func(*testing.T) {
			got := p.Plan(plantest.Deployment(plantest.Obj{"restart_triggers": triggers}), prior).OK()
			got.WantReplace()
			got.Wants(plantest.Obj{"status": "started", "durations": plantest.AfterApply{}, "id": id})
		})
	}
	// Of what is stopped, nothing is restarted.
	fill := maps.Clone(plantest.Deployed)
	fill["status"] = "stopped"
	off := plantest.Obj{"desired_state": "stopped"}
	prior = p.Plan(plantest.Deployment(off), nil).State(fill)
	p.Plan(plantest.Deployment(off, plantest.Obj{"restart_triggers": plantest.Obj{"secret": "2"}}), prior).OK().Wants(plantest.Obj{"status": "stopped", "durations": plantest.ValueAt(t, *prior, "durations")})
}

// scaledBy is a configuration whose container requests CPU, and no memory.
func scaledBy(autoscaling plantest.Obj, replicas ...int) plantest.Obj {
	c := plantest.Obj{"autoscaling": autoscaling, "container": plantest.Obj{"resources": plantest.Obj{"requests": plantest.Obj{"cpu": "1"}}}}
	for _, n := range replicas {
		c["replicas"] = n
	}
	return c
}
