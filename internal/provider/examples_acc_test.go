package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const examples = "../../examples"

// Every example is valid, which an apply asks first, can be applied as it stands,
// leaves nothing to do, and is destroyed without a trace. Modules are applied by
// those that use them. TestAccExampleEnvironments makes sure that all examples are
// formatted, too.
func TestAccExamples(t *testing.T) {
	for _, dir := range exampleDirs(t) {
		t.Run(dir, func(t *testing.T) {
			l := labFor(t, dir)
			w := l.workspace()
			l.must(os.CopyFS(w.Dir, os.DirFS(filepath.Join(examples, dir))))
			if !declaresProvider(t, w.Dir) {
				text, err := os.ReadFile(filepath.Join(examples, "provider", "provider.tf"))
				l.must(err)
				l.must(os.WriteFile(filepath.Join(w.Dir, "provider.tf"), text, 0o600))
			}
			w.Env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath, "TF_VAR_namespace=" + l.namespace}
			var more []*lab
			if dir == "many-clusters" {
				more = append(more, l.elsewhere(testcluster.Clusters(t, 2)[1]))
				w.Env = append(w.Env, fmt.Sprintf(`TF_VAR_kubeconfigs={"east":%q,"west":%q}`, l.cluster.KubeconfigPath, more[0].cluster.KubeconfigPath))
			}
			switch dir {
			case "adopt": // its Service is there before
				l.cluster.Legacy(t, l.namespace, "web", "demo/legacy:v0")
			case "services":
				l.cluster.Legacy(t, l.namespace, "orders", "demo/legacy:v0")
				w.Env = append(w.Env, "TF_VAR_bake=1s")
				w.useModules()
			case "adopt-route": // so is its route
				l.cluster.Legacy(t, l.namespace, "web", "demo/legacy:v0")
				l.makeRoute(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"shop"},"spec":{"parentRefs":[{"name":"public"}],"rules":[{"name":"web","backendRefs":[{"name":"web","port":80}]}]}}`)
				w.Env = append(w.Env, "TF_VAR_pause=1s")
			case "canary", "canary-group", "tcp":
				w.Env = append(w.Env, "TF_VAR_pause=1s")
			}
			if strings.HasPrefix(dir, "actions") && !w.knows(actions) {
				return
			}
			if identity := filepath.Join(w.Dir, "import-by-identity.tf"); exists(identity) {
				// There is nothing to import before the example is applied.
				w.knows(importByIdentity)
				l.must(os.Remove(identity))
			}
			w.do("apply", "-auto-approve", "-input=false", "-no-color")
			w.wantNoChanges()
			if len(more) > 0 {
				w.wantState("switchback_deployment.web", "clusters", []any{"east", "west"}, "status", "started")
			}
			if next, ok := canaries[dir]; ok {
				next(w)
			}
			w.destroy()
			for _, l := range append(more, l) {
				l.wantNothingLeft()
			}
		})
	}
}

// labFor is a lab for an example: with a gateway, where it needs one.
func labFor(t *testing.T, example string) *lab {
	t.Helper()
	if canaries[example] == nil && example != "preview" {
		return newLab(t)
	}
	c := testcluster.Routed(t, 1)[0]
	c.Routes(t, "tcproutes")
	return onGateway(t, c, "tcproutes")
}

// canaries are the examples whose second version gets a share first, and what they say of
// it: as a reader tries them.
var canaries = map[string]func(*workspace){
	"canary":       func(w *workspace) { w.nextVersion("web", "1.28", "finalized", 100) },
	"adopt-route":  func(w *workspace) { w.nextVersion("web", "1.28", "finalized", 100) },
	"canary-group": func(w *workspace) { w.nextVersionOfGroup("1.28", "api", "web") },
	"tcp":          func(w *workspace) { w.nextVersion("cache", "1.6.40", "finalized", 100) },
	"cohort": func(w *workspace) {
		w.nextVersion("web", "1.28", "paused", 10)
		w.nextVersion("web", "1.28", "finalized", 100, "-var", "max_weight=100")
	},
}

// nextVersion applies another version of an example's application, which ends with so
// many percent of the traffic.
func (w *workspace) nextVersion(resource, version, status string, percent int, more ...string) {
	w.t.Helper()
	more = append(more, "-var", "app_version="+version)
	w.do(append([]string{"apply", "-auto-approve", "-input=false", "-no-color"}, more...)...)
	main, _ := w.attributes("switchback_main_deployment." + resource)
	made, _ := w.attributes("switchback_deployment." + resource)
	name, _ := made["name"].(string)
	split, _ := main["split"].(map[string]any)["default"].(map[string]any)
	if got := fmt.Sprint(split[name]); got != fmt.Sprint(percent) || main["status"] != status {
		w.t.Errorf("%s ends as %v with %v, not as %s with %d %%", version, main["status"], main["split"], status, percent)
	}
	if code, text := w.exec(append([]string{"plan", "-detailed-exitcode", "-input=false", "-no-color"}, more...)...); code != 0 {
		w.t.Errorf("the plan after it ends with %d\n%s", code, text)
	}
}

// nextVersionOfGroup applies another version of an example's group, whose members end with
// all of the traffic.
func (w *workspace) nextVersionOfGroup(version string, members ...string) {
	w.t.Helper()
	w.do("apply", "-auto-approve", "-input=false", "-no-color", "-var", "app_version="+version)
	w.wantState(theGroup, "status", "finalized")
	for _, name := range members {
		made, _ := w.attributes(fmt.Sprintf("switchback_deployment.shop[%q]", name))
		to, _ := made["name"].(string)
		w.wantMember(name, "deployment_id", made["id"], "status", "finalized", "split", shares(to, 100))
	}
	if code, text := w.exec("plan", "-detailed-exitcode", "-input=false", "-no-color", "-var", "app_version="+version); code != 0 {
		w.t.Errorf("the plan after it ends with %d\n%s", code, text)
	}
}

// The module with a canary gives a version the shares that it is called with, and says
// which values it does not take. It has no provider, and is called by this test alone.
func TestAccExampleModuleCanary(t *testing.T) {
	l := onGateway(t, testcluster.Routed(t, 1)[0])
	w := l.workspace()
	config := func(tag, values string) {
		text := fmt.Sprintf(`terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  config_path = %q
}
module "web" {
  source        = "../modules/canary"
  application   = "web"
  namespace     = %q
  image         = "docker.io/library/nginx"
  app_version   = %q
  ports         = { http = 80 }
  gateways      = [{ name = "public", namespace = "gateway" }]
  hostnames     = ["web.example.com"]
  %s
}
output "main" { value = module.web.main }
output "split" { value = module.web.split }
output "status" { value = module.web.status.main }
`, l.cluster.KubeconfigPath, l.namespace, tag, values)
		l.must(os.WriteFile(filepath.Join(w.Dir, "main.tf"), []byte(text), 0o600))
	}
	config("1.28", "steps = []")
	w.useModules()
	for _, step := range []struct{ tag, values, status, shares string }{
		{"1.28", `steps = []`, `"finalized"`, "100"}, // no canary at all
		{"1.29", `steps = [{ weight = 10, gate = "manual" }, { weight = 50, pause = "1s" }]`, `"paused"`, "90 10"},
		{"1.29", `steps = [{ weight = 10 }, { weight = 50, pause = "1s" }]
  max_weight = 50`, `"paused"`, "50 50"},
		{"1.28", `bake = "1s"`, `"finalized"`, "100"}, // back, in one step
	} {
		config(step.tag, step.values)
		w.do("apply", "-auto-approve", "-input=false", "-no-color")
		var split struct{ Default map[string]int }
		l.must(json.Unmarshal([]byte(w.output("split")), &split))
		shares := slices.Sorted(maps.Values(split.Default))
		slices.Reverse(shares)
		if got := strings.Trim(fmt.Sprint(shares), "[]"); w.output("status") != step.status || got != step.shares {
			t.Errorf("%s with %s ends as %s with %s", step.tag, step.values, w.output("status"), got)
		}
		w.wantNoChanges()
	}
	for _, bad := range []struct{ values, tells string }{
		{`steps = [{ weight = 50 }, { weight = 10 }]`, "Each step gives the new version more"},
		{`steps = [{ weight = 0 }]`, "from 1 to 100"},
		{`max_weight = 101`, "from 1 to 100"},
		{`route_kind = "UDPRoute"`, "an HTTPRoute, a GRPCRoute or a TCPRoute"},
	} {
		config("1.29", bad.values)
		if code, text := w.exec("plan", "-input=false", "-no-color"); code == 0 || !strings.Contains(strings.Join(strings.Fields(text), " "), bad.tells) {
			t.Errorf("%s: exit code %d\n%s", bad.values, code, text)
		}
	}
	config("1.28", "steps = []")
	w.destroy()
	l.wantNothingLeft()
}

// useModules moves the workspace's configuration to beside a copy of the modules,
// where it looks for them.
func (w *workspace) useModules() {
	w.t.Helper()
	root := w.t.TempDir()
	dir := filepath.Join(root, "configuration")
	if err := errors.Join(os.CopyFS(filepath.Join(root, "modules"), os.DirFS(filepath.Join(examples, "modules"))), os.CopyFS(dir, os.DirFS(w.Dir))); err != nil {
		w.t.Fatal(err)
	}
	w.Dir = dir
	w.do("get", "-no-color")
}

// The tests that an example brings along pass by themselves: with a mocked
// provider, there is no cluster.
func TestAccExamplesOfTests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*", "tests", "*.tftest.hcl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found no tests: %v", err)
	}
	for _, file := range files {
		dir := filepath.Dir(filepath.Dir(file))
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			if err := os.CopyFS(w.Dir, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if text := w.do("test", "-no-color"); !strings.Contains(text, " 0 failed") {
				t.Errorf("it says\n%s", text)
			}
		})
	}
}

// elsewhere is the lab's namespace on another cluster.
func (l *lab) elsewhere(c *testcluster.Cluster) *lab {
	l.t.Helper()
	there := &lab{t: l.t, cluster: c, namespace: l.namespace}
	there.makeNamespace()
	return there
}

// Queries are no configuration: they stand in files of their own. What they
// ask for need not be there.
func TestAccExamplesOfQueries(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "list-resources", "*", "*.tfquery.hcl"))
	if err != nil || len(files) < 2 {
		t.Fatalf("found only the queries %v: %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			l := newLab(t)
			w := l.workspace()
			for _, from := range []string{file, filepath.Join(examples, "provider", "provider.tf")} {
				text, err := os.ReadFile(from)
				l.must(err)
				l.must(os.WriteFile(filepath.Join(w.Dir, filepath.Base(from)), text, 0o600))
			}
			w.Env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath}
			cli, err := terraformCLI()
			l.must(err)
			if code, text := w.exec("query", "-no-color"); (code == 0) != can(t, cli, queries) {
				t.Errorf("exit code %d\n%s", code, text)
			}
		})
	}
}

// output is one of the state's, as JSON.
func (w *workspace) output(name string) string {
	w.t.Helper()
	var state struct {
		Outputs map[string]struct{ Value json.RawMessage }
	}
	if err := json.Unmarshal([]byte(w.stateText()), &state); err != nil {
		w.t.Fatal(err)
	}
	if state.Outputs[name].Value == nil {
		w.t.Fatalf("the state has no output %s", name)
	}
	return string(state.Outputs[name].Value)
}

// knows says whether the CLI at hand has the feature that the workspace's
// configuration needs. It fails the test unless the CLI thinks so too.
func (w *workspace) knows(f feature) bool {
	w.t.Helper()
	cli, err := terraformCLI()
	if err != nil {
		w.t.Fatal(err)
	}
	knows := can(w.t, cli, f)
	if code, text := w.exec("validate", "-no-color"); (code == 0) != knows {
		w.t.Errorf("%s: exit code %d, though the table of features says %v\n%s", f, code, knows, text)
	}
	return knows
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// exampleDirs are the directories with configurations.
func exampleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(examples), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path == "modules" || path == "environments" {
			return fs.SkipDir
		}
		if found, err := filepath.Glob(filepath.Join(examples, path, "*.tf")); err != nil || len(found) > 0 {
			dirs = append(dirs, path)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 4 {
		t.Fatalf("found only the examples %v", dirs)
	}
	return dirs
}

// declaresProvider says whether an example stands alone. The documentation of
// one resource does not repeat the provider's.
func declaresProvider(t *testing.T, dir string) bool {
	t.Helper()
	return exists(filepath.Join(dir, "main.tf")) || exists(filepath.Join(dir, "provider.tf"))
}

// One version goes through the environments as their README says: by a file
// that is copied from one to the next.
func TestAccExampleEnvironments(t *testing.T) {
	newLab(t) // a parallel test
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	environments := []string{"dev", "staging", "production"}
	const file = "release.auto.tfvars"
	labs, workspaces := map[string]*lab{}, map[string]*workspace{}
	for _, name := range environments {
		l := labOn(t, testcluster.Shared(t))
		w := l.workspace()
		w.Dir = filepath.Join(root, "environments", name)
		w.Env = []string{"TF_VAR_kubeconfig=" + l.cluster.KubeconfigPath, "TF_VAR_namespace=" + l.namespace}
		labs[name], workspaces[name] = l, w
		w.do("get", "-no-color")
		w.do("apply", "-auto-approve", "-input=false", "-no-color")
		w.wantNoChanges()
	}
	workspaces["dev"].do("fmt", "-check", "-diff", "-recursive", root)

	before := map[string]string{}
	for name, w := range workspaces {
		before[name] = w.output("main")
	}
	next := []byte("app_version = \"1.29\"\n")
	for i, name := range environments {
		w, watch := workspaces[name], labs[name].cluster.WatchMain(t, labs[name].namespace, "web")
		labs[name].must(os.WriteFile(filepath.Join(w.Dir, file), next, 0o600))
		w.do("apply", "-auto-approve", "-input=false", "-no-color")
		watch.NeverEmpty(t)
		w.wantNoChanges()
		for j, other := range environments {
			moved := workspaces[other].output("main") != before[other]
			if moved != (j <= i) {
				t.Errorf("after %s was released, that %s has moved is %t", name, other, moved)
			}
		}
		var err error
		next, err = os.ReadFile(filepath.Join(w.Dir, file))
		labs[name].must(err)
	}
	for name, w := range workspaces {
		w.destroy()
		labs[name].wantNothingLeft()
	}
}
