package provider_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func output(name, value string) string {
	return block(fmt.Sprintf("output %q", name), []string{"value = " + value})
}

func TestAccFirstReleaseIsKnownAtPlan(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	name, id := nameOf("v1"), l.namespace+"/"+nameOf("v1")
	config := l.config(l.deployment(), l.main(),
		output("id", theDeployment+".id"), output("name", theDeployment+".name"), output("internal_url", theDeployment+".internal_url"),
		output("hash", theDeployment+".content_hash"), output("url", theMain+".url"), output("main", theMain+".deployment_id"), output("owner", theDeployment+".owner"))
	w.write(config)
	r := w.plan()
	r.wantActions(theDeployment, "create", theMain, "create")
	for output, want := range map[string]any{
		"id": id, "name": name, "internal_url": fmt.Sprintf("http://%s.%s.svc:8080", name, l.namespace),
		"url": fmt.Sprintf("http://api.%s.svc:80", l.namespace), "main": id, "owner": nil,
	} {
		r.wantPlannedOutput(output, want)
	}
	hash, known := r.plannedValue(theDeployment, "content_hash")
	if !known || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(fmt.Sprint(hash)) {
		t.Errorf("the hash is planned %v", hash)
	}
	r.wantPlannedOutput("hash", hash)

	w.apply(config)
	w.wantState(theDeployment, "status", "started", "service_name", name, "version", "v1", "drift", []any{})
	w.wantState(theMain, "status", "finalized", "previous_deployment_id", nil, "split", map[string]any{"default": map[string]any{name: 100}})
	for address, attributes := range map[string][]string{theDeployment: {"created_at", "created_by"}, theMain: {"promoted_at"}} {
		state, _ := w.attributes(address)
		for _, attribute := range attributes {
			if state[attribute] == nil {
				t.Errorf("%s of %s is null", attribute, address)
			}
		}
	}
	l.wantMain(name)
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccVersionBumpPlansOneMove(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string) string { return l.config(l.deployment(image(tag), createFirst), l.main()) }
	w.apply(config("v1"))
	w.wantNoChanges()
	r := w.apply(config("v2"))
	r.wantActions(theDeployment, "replace", theMain, "update")
	r.wantPlanned(theMain, "deployment_id", l.namespace+"/"+nameOf("v2"))
	r.wantPlanned(theMain, "previous_deployment_id", nil)
	w.wantNoChanges()
	// The plan to go back shows the old id.
	r = w.apply(config("v1"))
	r.wantPlanned(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccInPlaceChangesLeaveDependentsAlone(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	w.apply(l.config(l.deployment(), l.main()))
	w.wantNoChanges()
	changed := func(check func(), lines ...string) {
		t.Helper()
		w.apply(l.config(l.deployment(lines...), l.main())).wantActions(theDeployment, "update")
		check()
		watch.NeverEmpty(t)
		w.wantNoChanges()
	}
	pods := func(count int) func() { return func() { l.wantPods(nameOf("v1"), count) } }
	changed(pods(3), "replicas = 3")
	changed(func() { l.eventuallyPods(nameOf("v1"), 1) }, "replicas = 1")
	changed(func() {
		if got := l.workload(nameOf("v1")).Labels["switchback.dev/environment"]; got != "staging" {
			t.Errorf("the environment's label is %q", got)
		}
	}, `environment = "staging"`)
	changed(pods(1), `environment = "staging"`, `on_failure = "keep"`, `timeouts = { create = "3m" }`, `ignore_drift = ["spec.paused"]`)
	w.destroy()
	l.wantNothingLeft()
}

func TestAccAnotherSpellingIsNoChange(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(cpu, memory string, main ...string) string {
		resources := fmt.Sprintf(`container = { ports = { http = 8080 }, resources = { requests = { cpu = %q, memory = %q } } }`, cpu, memory)
		return l.config(l.deployment(resources, createFirst), l.main(main...))
	}
	w.apply(config("0.5", "1Gi", `drain = "1s"`))
	w.wantNoChanges()
	w.apply(config("500m", "1024Mi", `drain = "1000ms"`)).wantActions()
	w.wantNoChanges()
	r := w.apply(config("501m", "1Gi"))
	if !slices.Equal(r.actions[theDeployment], []string{"replace"}) {
		t.Errorf("another request for processors is planned as %v", r.actions)
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccImport(t *testing.T) {
	t.Parallel()
	const container = `container = {
    ports      = { http = 8080, admin = 9090 }
    command    = ["/bin/api"]
    args       = ["--verbose", ""]
    env        = { LEVEL = "info", EMPTY = "" }
    secret_env = { PASSWORD = { name = "db", key = "password", optional = true } }
    env_from   = [{ config_map = "settings", prefix = "S_", optional = true }]
    resources  = { requests = { cpu = "100m", memory = "128Mi" }, limits = { memory = "256Mi" } }
    readiness_probe = { http_get = { path = "/readyz", port = "http", headers = { X-Probe = "1" } }, period_seconds = 5 }
    liveness_probe  = { tcp_socket = { port = "admin" }, initial_delay_seconds = 3 }
    startup_probe   = { exec = { command = ["true"] } }
    volume_mounts   = { "/cache" = { volume = "cache" }, "/etc/x" = { volume = "x", read_only = true }, "/etc/key" = { volume = "keys", sub_path = "key.pem" } }
    security_context = { run_as_user = 1000, read_only_root_filesystem = true, capabilities = { drop = ["ALL"] } }
  }`
	const others = `version  = "1.4.0+build7"
  triggers = { again = "1" }
  replicas = 2
  environment = "staging"
  init_containers = [{ name = "migrate", image = "demo/migrate:v1", command = ["migrate"] }]
  sidecars        = [{ name = "proxy", image = "demo/proxy:v1", ports = { metrics = 9100 } }]
  volumes = {
    cache = { empty_dir = { size_limit = "1Gi" } }
    x     = { config_map = { name = "settings", optional = true } }
    keys  = { secret = { name = "keys", items = { "tls.key" = "key.pem" }, optional = true } }
  }
  image_pull_secrets = ["registry"]
  service_account_name = "default"
  node_selector = { type = "kwok" }
  tolerations        = [{ key = "spot", operator = "Exists", effect = "NoSchedule" }]
  termination_grace_period_seconds = 45
  labels      = { team = "shop" }
  annotations = { "example.com/note" = "hello" }
  pod_security = "restricted"
  pod_template_patch = <<-EOT
    spec:
      hostname: api
      dnsConfig:
        options: [{name: ndots, value: "2"}]
  EOT
`
	tests := map[string]struct{ deployment, main []string }{
		"little": {},
		"everything": {
			deployment: []string{container, others},
			main: []string{
				`traffic = { service = { name = "web", ports = { http = 80, admin = 81 }, type = "LoadBalancer", load_balancer_class = "example.com/lb", session_affinity = "ClientIP", external_traffic_policy = "Local", annotations = { "example.com/lb" = "internal" } } }`,
				keepPrevious(3),
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			config := l.config(l.deployment(test.deployment...), l.main(test.main...))
			w, imported := l.inProcess(), l.workspace()
			w.apply(config)
			w.wantNoChanges()
			w.refresh()
			deployment, _ := w.attributes(theDeployment)
			imported.write(config)
			imported.do("import", "-input=false", "-no-color", theDeployment, deployment["id"].(string))
			imported.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
			for _, address := range []string{theDeployment, theMain} {
				made, _ := w.attributes(address)
				found, _ := imported.attributes(address)
				delete(made, "plan_summary") // what a plan said is of that state alone
				delete(found, "plan_summary")
				if diff := cmp.Diff(made, found); diff != "" {
					t.Errorf("%s is imported with what is marked by +\n%s", address, diff)
				}
			}
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// After an import nothing is planned, and the next change works: the tokens
// are those of the records.
func TestAccImportPlansNothing(t *testing.T) {
	l := newLab(t)
	first, w := l.inProcess(), l.inProcess()
	container := `container = { ports = { http = 8080 }, env = { LEVEL = "info" }, readiness_probe = { http_get = { path = "/", port = "http" } } }`
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), container, createFirst, "replicas = 2"), l.main(keepPrevious(2)))
	}
	first.apply(config("v1"))
	state, _ := first.attributes(theDeployment)
	w.throughCLI().apply(config("v1")+fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\nimport {\n  to = %s\n  id = %q\n}\n", theDeployment, state["id"], theMain, l.namespace+"/api")).wantActions(theDeployment, "import", theMain, "import")
	w.write(config("v1"))
	w.wantNoChanges()
	w.apply(config("v2"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccImportOfWhatIsNotThere(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	w.write(l.config(l.deployment(), l.main()))
	for address, id := range map[string]string{theDeployment: l.namespace + "/" + nameOf("v1"), theMain: l.namespace + "/api"} {
		if code, text := w.exec("import", "-input=false", "-no-color", address, id); code == 0 || !regexp.MustCompile(`(?i)non-existent|does not exist`).MatchString(text) {
			t.Errorf("import of %s: exit code %d\n%s", id, code, text)
		}
	}
	for _, bad := range []string{"api", l.namespace + "/api", ""} {
		if code, text := w.exec("import", "-input=false", "-no-color", theDeployment, bad); code == 0 {
			t.Errorf("import of %q succeeded\n%s", bad, text)
		}
	}
}
