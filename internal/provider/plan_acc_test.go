package provider_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// steps runs a test of terraform-plugin-testing in the lab: after every step
// it makes sure that the plan is empty, and at the end that nothing is left.
func (l *lab) steps(steps ...resource.TestStep) {
	l.t.Helper()
	resource.UnitTest(l.t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps:                    steps,
		CheckDestroy: func(*terraform.State) error {
			l.wantNothingLeft()
			return nil
		},
	})
}

func output(name, value string) string {
	return block(fmt.Sprintf("output %q", name), []string{"value = " + value})
}

func before(checks ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: checks}
}

func planned(address string, action plancheck.ResourceActionType) plancheck.PlanCheck {
	return plancheck.ExpectResourceAction(address, action)
}

func attribute(address, name string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(name), value)
}

func exact(format string, args ...any) knownvalue.Check {
	return knownvalue.StringExact(fmt.Sprintf(format, args...))
}

func TestAccFirstReleaseIsKnownAtPlan(t *testing.T) {
	l := newLab(t)
	name, id := nameOf("v1"), l.namespace+"/"+nameOf("v1")
	l.steps(resource.TestStep{
		Config: l.config(l.deployment(), l.main(),
			output("id", theDeployment+".id"), output("name", theDeployment+".name"), output("internal_url", theDeployment+".internal_url"),
			output("hash", theDeployment+".content_hash"), output("url", theMain+".url"), output("main", theMain+".deployment_id"), output("owner", theDeployment+".owner")),
		ConfigPlanChecks: before(
			planned(theDeployment, plancheck.ResourceActionCreate), planned(theMain, plancheck.ResourceActionCreate),
			plancheck.ExpectKnownOutputValue("id", exact("%s", id)),
			plancheck.ExpectKnownOutputValue("name", exact("%s", name)),
			plancheck.ExpectKnownOutputValue("hash", knownvalue.StringRegexp(regexp.MustCompile(`^[0-9a-f]{64}$`))),
			plancheck.ExpectKnownOutputValue("internal_url", exact("http://%s.%s.svc:8080", name, l.namespace)),
			plancheck.ExpectKnownOutputValue("url", exact("http://api.%s.svc:80", l.namespace)),
			plancheck.ExpectKnownOutputValue("main", exact("%s", id)),
			plancheck.ExpectUnknownOutputValue("owner"),
		),
		ConfigStateChecks: []statecheck.StateCheck{
			attribute(theDeployment, "status", exact("started")),
			attribute(theDeployment, "service_name", exact("%s", name)),
			attribute(theDeployment, "version", exact("v1")),
			attribute(theDeployment, "created_at", knownvalue.NotNull()),
			attribute(theDeployment, "created_by", knownvalue.NotNull()),
			attribute(theDeployment, "drift", knownvalue.ListSizeExact(0)),
			attribute(theMain, "status", exact("finalized")),
			attribute(theMain, "previous_deployment_id", knownvalue.Null()),
			attribute(theMain, "promoted_at", knownvalue.NotNull()),
			attribute(theMain, "split", knownvalue.MapExact(map[string]knownvalue.Check{
				"default": knownvalue.MapExact(map[string]knownvalue.Check{name: knownvalue.Int64Exact(100)}),
			})),
		},
		Check: func(*terraform.State) error {
			l.wantMain(name)
			return nil
		},
	})
}

func TestAccVersionBumpPlansOneMove(t *testing.T) {
	l := newLab(t)
	config := func(tag string) string { return l.config(l.deployment(image(tag), createFirst), l.main()) }
	l.steps(
		resource.TestStep{Config: config("v1")},
		resource.TestStep{
			Config: config("v2"),
			ConfigPlanChecks: before(
				planned(theDeployment, plancheck.ResourceActionCreateBeforeDestroy), planned(theMain, plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(theMain, tfjsonpath.New("deployment_id"), exact("%s/%s", l.namespace, nameOf("v2"))),
				plancheck.ExpectUnknownValue(theMain, tfjsonpath.New("previous_deployment_id")),
			),
		},
		// The plan to go back shows the old id.
		resource.TestStep{
			Config: config("v1"),
			ConfigPlanChecks: before(
				plancheck.ExpectKnownValue(theMain, tfjsonpath.New("deployment_id"), exact("%s/%s", l.namespace, nameOf("v1"))),
			),
		},
	)
}

func TestAccInPlaceChangesLeaveDependentsAlone(t *testing.T) {
	l := newLab(t)
	watch := l.watchMain()
	step := func(check func(), lines ...string) resource.TestStep {
		return resource.TestStep{
			Config:           l.config(l.deployment(lines...), l.main()),
			ConfigPlanChecks: before(planned(theDeployment, plancheck.ResourceActionUpdate), planned(theMain, plancheck.ResourceActionNoop)),
			Check: func(*terraform.State) error {
				check()
				watch.NeverEmpty(t)
				return nil
			},
		}
	}
	pods := func(count int) func() { return func() { l.wantPods(nameOf("v1"), count) } }
	l.steps(
		resource.TestStep{Config: l.config(l.deployment(), l.main())},
		step(pods(3), "replicas = 3"),
		step(func() { l.eventuallyPods(nameOf("v1"), 1) }, "replicas = 1"),
		step(func() {
			if got := l.workload(nameOf("v1")).Labels["switchback.dev/environment"]; got != "staging" {
				t.Errorf("the environment's label is %q", got)
			}
		}, `environment = "staging"`),
		step(pods(1), `environment = "staging"`, `on_failure = "keep"`, `timeouts = { create = "3m" }`, `ignore_drift = ["spec.paused"]`),
	)
}

func TestAccAnotherSpellingIsNoChange(t *testing.T) {
	l := newLab(t)
	resources := func(cpu, memory string) string {
		return fmt.Sprintf(`container = { ports = { http = 8080 }, resources = { requests = { cpu = %q, memory = %q } } }`, cpu, memory)
	}
	same := before(plancheck.ExpectEmptyPlan())
	l.steps(
		resource.TestStep{Config: l.config(l.deployment(resources("0.5", "1Gi"), createFirst), l.main(`drain = "1s"`))},
		resource.TestStep{Config: l.config(l.deployment(resources("500m", "1024Mi"), createFirst), l.main(`drain = "1000ms"`)), ConfigPlanChecks: same},
		resource.TestStep{
			Config:           l.config(l.deployment(resources("501m", "1Gi"), createFirst), l.main()),
			ConfigPlanChecks: before(planned(theDeployment, plancheck.ResourceActionCreateBeforeDestroy)),
		},
	)
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
			id := func(s *terraform.State) (string, error) {
				return s.RootModule().Resources[theDeployment].Primary.ID, nil
			}
			l.steps(
				resource.TestStep{Config: config},
				resource.TestStep{ResourceName: theDeployment, ImportState: true, ImportStateIdFunc: id, ImportStateVerify: true},
				resource.TestStep{ResourceName: theMain, ImportState: true, ImportStateId: l.namespace + "/api", ImportStateVerify: true},
			)
		})
	}
}

// After an import nothing is planned, and the next change works: the tokens
// are those of the records.
func TestAccImportPlansNothing(t *testing.T) {
	l := newLab(t)
	first, w := l.workspace(), l.workspace()
	container := `container = { ports = { http = 8080 }, env = { LEVEL = "info" }, readiness_probe = { http_get = { path = "/", port = "http" } } }`
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), container, createFirst, "replicas = 2"), l.main(keepPrevious(2)))
	}
	first.apply(config("v1"))
	state, _ := first.attributes(theDeployment)
	w.apply(config("v1")+fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\nimport {\n  to = %s\n  id = %q\n}\n", theDeployment, state["id"], theMain, l.namespace+"/api")).wantActions(theDeployment, "import", theMain, "import")
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
