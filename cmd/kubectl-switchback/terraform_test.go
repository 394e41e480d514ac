package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	_ "github.com/switchback-dev/terraform-provider-switchback/internal/provider" // built by a command: a result that Go has cached is not one of another provider
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// built is the provider that a real terraform or tofu runs.
var built testcli.Provider

// asPlugin lets this program be the plugin, which kubectl starts.
const asPlugin = "SWITCHBACK_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" {
		main() // does not return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kubectl-switchback-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		built, err = testcli.Build(context.Background(), filepath.Join(dir, "provider"), testcli.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl-switchback:", err)
		return 1
	}
	return testcluster.Run(m)
}

// shop is an application that Terraform releases, and somebody at a terminal steers.
type shop struct {
	*testing.T
	cluster   *testcluster.Cluster
	namespace string
	w         *testcli.Workspace
}

// canary are lines by which the traffic moves by shares.
const canary = `
  canary  = { steps = [{ weight = 25, gate = "manual" }] }`

func (s *shop) config(version, keep, more string) {
	s.Helper()
	gateway := ""
	if more != "" {
		gateway = `gateway = { parent_refs = [{ name = "public" }], hostnames = ["api.example.com"] }`
	}
	s.w.Write(s.T, "main.tf", fmt.Sprintf(`
provider "switchback" {
  config_path = %[1]q
}
resource "switchback_deployment" "api" {
  application = "api"
  namespace   = %[2]q
  image       = "demo/api:%[3]s"
  environment = "keeps-%[4]s"
  container   = { ports = { http = 8080 } }
  lifecycle { create_before_destroy = true }
}
resource "switchback_main_deployment" "api" {
  application   = "api"
  namespace     = %[2]q
  deployment_id = switchback_deployment.api.id
  drain         = "1s"
  keep_previous = { count = %[4]s }
  traffic = {
    service = { ports = { http = 80 } }
    %[6]s
  }%[5]s
}
`, s.cluster.KubeconfigPath, s.namespace, version, keep, more, gateway))
}

// terraform runs a command of the CLI, which must succeed.
func (s *shop) terraform(args ...string) testcli.Messages {
	s.Helper()
	x := s.w.Start(s.T, append(args, "-json", "-no-color", "-input=false")...)
	if err := x.Wait(); err != nil {
		s.Fatalf("%v: %v\n%s", args, err, x.Output())
	}
	return x.Messages()
}

func (s *shop) apply() { s.Helper(); s.terraform("apply", "-auto-approve") }

// warned fails the test unless a plan, or an apply, has warned so.
func (s *shop) warned(of testcli.Messages, texts ...string) {
	s.Helper()
	var all strings.Builder
	for _, d := range of.Diagnostics() {
		fmt.Fprintf(&all, "%s: %s\n%s\n", d.Severity, d.Summary, d.Detail)
	}
	for _, text := range texts {
		if !strings.Contains(all.String(), text) {
			s.Fatalf("no %q in\n%s", text, all.String())
		}
	}
}

// planned are what a plan changes, by the resources' addresses; and all that it says.
func (s *shop) planned(want map[string]string) testcli.Messages {
	s.Helper()
	said := s.terraform("plan")
	got := map[string]string{}
	for address, actions := range said.Actions() {
		got[address] = strings.Join(actions, ",")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Fatalf("it plans %v, want %v", got, want)
	}
	return said
}

// kubectl runs a command of the plugin, which must succeed.
func (s *shop) kubectl(args ...string) {
	s.Helper()
	var out, errs bytes.Buffer
	exit := terminal.Run(s.Context(), "test", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errs}, append(args, "--yes", "--kubeconfig", s.cluster.KubeconfigPath, "-n", s.namespace))
	if exit != terminal.ExitDone {
		s.Fatalf("%v ended with %d\n%s\n%s", args, exit, out.String(), errs.String())
	}
}

func nameOf(version string) string {
	return release.Content{
		Application: "api", Version: version, Image: "demo/api:" + version,
		Container: release.Container{Ports: map[string]int32{"http": 8080}}, PodSecurity: release.PodSecurityBaseline,
	}.Normalize().Name()
}

func (s *shop) wantPods(version string, want int32) {
	s.Helper()
	d, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Get(s.Context(), nameOf(version), metav1.GetOptions{})
	if err != nil || *d.Spec.Replicas != want {
		s.Fatalf("%s shall have %d pods, and is %+v: %v", version, want, d.Spec.Replicas, err)
	}
}

func (s *shop) wantMain(version string) {
	s.Helper()
	svc, err := s.cluster.Client().CoreV1().Services(s.namespace).Get(s.Context(), "api", metav1.GetOptions{})
	if err != nil || svc.Spec.Selector[release.LabelDeployment] != nameOf(version) {
		s.Fatalf("%s shall have the traffic, which is with %v: %v", version, svc.Spec.Selector, err)
	}
}

// way are the steps of a way back, by what it takes.
func (s *shop) way(with string) []terminal.Step {
	s.Helper()
	var out, errs bytes.Buffer
	exit := terminal.Run(s.Context(), "test", genericiooptions.IOStreams{Out: &out, ErrOut: &errs}, []string{"runbook", "api", "-o", "json", "--kubeconfig", s.cluster.KubeconfigPath, "-n", s.namespace})
	var book terminal.Runbook
	if err := json.Unmarshal(out.Bytes(), &book); err != nil || exit != terminal.ExitDone {
		s.Fatalf("the runbook ended with %d: %v\n%s\n%s", exit, err, out.String(), errs.String())
	}
	i := slices.IndexFunc(book.Ways, func(w terminal.Way) bool { return w.With == with })
	if i < 0 {
		s.Fatalf("it has no way with %s:\n%s", with, out.String())
	}
	return book.Ways[i].Steps
}

// shell runs lines in a shell that has kubectl with this plugin, and answers yes.
func (s *shop) shell(lines ...string) {
	s.Helper()
	kubectl, err := devtools.Devnode.Build(s.Context(), os.Stderr)
	if err != nil {
		s.Fatal(err)
	}
	self, err := os.Executable()
	dir := s.TempDir()
	plugin := "#!/bin/sh\n" + asPlugin + "=1 exec '" + self + "' \"$@\"\n"
	err = errors.Join(err, os.Symlink(kubectl, filepath.Join(dir, "kubectl")), os.WriteFile(filepath.Join(dir, "kubectl-switchback"), []byte(plugin), 0o700)) //nolint:gosec // a program
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range lines {
		command := exec.CommandContext(s.Context(), "sh", "-c", line)
		command.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		command.Stdin = strings.NewReader("yes\n")
		if output, err := command.CombinedOutput(); err != nil {
			s.Fatalf("%s: %v\n%s", line, err, output)
		}
	}
}

// unrelated are changes of something else, of both resources.
var unrelated = map[string]string{"switchback_deployment.api": "update", "switchback_main_deployment.api": "update"}

// TestNextApplyLeavesWhatATerminalHasDone: what somebody has done at a terminal is told by
// Terraform's next plan in plain words, and an apply of something else does not undo it.
func TestNextApplyLeavesWhatATerminalHasDone(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := &shop{T: t, cluster: c, namespace: c.Namespace(t), w: testcli.New(t, built)}
	s.config("v1", "1", "")
	s.apply()
	s.config("v2", "1", "")
	s.apply()

	const told = "Application is stopped"
	s.kubectl("stop", "api", "--reason", "night")
	s.warned(s.planned(nil), told, "it was stopped by ", "(night), and not by a configuration", "`kubectl switchback start api --namespace "+s.namespace+"`")
	s.config("v2", "2", "")
	s.warned(s.planned(unrelated), told)
	s.apply()
	s.wantPods("v2", 0)
	s.warned(s.planned(nil), told, "(night)")
	s.config("v3", "2", "")
	s.apply() // nor does another version
	s.wantPods("v3", 0)
	s.wantMain("v3")
	s.warned(s.planned(nil), told, "(night)")
	s.kubectl("start", "api", "--reason", "morning")
	s.wantPods("v3", 1)
	for _, d := range s.planned(nil).Diagnostics() {
		if d.Summary == told {
			t.Errorf("of what was started again, it says %s", d.Detail)
		}
	}

	s.kubectl("restart", "api")
	s.planned(nil)
	s.kubectl("rollback", "api", "--reason", "5xx")
	s.wantMain("v2")
	s.warned(s.planned(nil), "Deployment was taken back before", "asked to go back: 5xx")
	s.config("v3", "1", "")
	s.apply()
	s.wantMain("v2")
}

// TestNextApplyLeavesACanaryThatIsHeld where it is.
func TestNextApplyLeavesACanaryThatIsHeld(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := &shop{T: t, cluster: c, namespace: c.Namespace(t), w: testcli.New(t, built)}
	c.HTTPRoutes(t)
	c.DataPlane(t, s.namespace, "httproutes")
	s.config("v1", "1", canary)
	s.apply()
	s.config("v2", "1", canary)
	s.apply()
	s.kubectl("hold", "api", "--reason", "odd latency")
	held := []string{"Promotion is held", "held by ", "(odd latency)", "kubectl switchback resume api"}
	s.warned(s.planned(nil), held...)
	s.config("v2", "2", canary)
	s.warned(s.planned(unrelated), held...)
	s.apply()
	s.wantMain("v1")
	s.warned(s.planned(nil), held...)
	s.kubectl("promote", "api", "--full", "--reason", "v1 is on fire")
	s.wantMain("v2")
	s.planned(nil)
}

// TestRunbookLines: what a runbook prints goes back, as it stands there: by Terraform, by the
// plugin behind kubectl, and by kubectl alone.
func TestRunbookLines(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := &shop{T: t, cluster: c, namespace: c.Namespace(t), w: testcli.New(t, built)}
	released := func() {
		t.Helper()
		s.config("v2", "1", "")
		s.apply()
		s.wantMain("v2")
	}
	back := func() {
		t.Helper()
		s.wantMain("v1")
	}
	s.config("v1", "1", "")
	s.apply()

	released()
	byTerraform := s.way("terraform")
	if len(byTerraform) != 3 || fmt.Sprint(byTerraform[0].Lines) != "[terraform apply]" || !strings.Contains(byTerraform[0].Says, "so that the version is v1, and apply") {
		t.Fatalf("by Terraform, it is %+v", byTerraform)
	}
	s.config("v1", "1", "")
	s.apply()
	back()
	s.planned(nil)

	released()
	lines := s.way("terraform")[1].Lines
	if len(lines) != 2 || lines[1] != "terraform apply" {
		t.Fatalf("to point at the former release, it is %q", lines)
	}
	s.config("v2", "1", "")
	path := filepath.Join(s.w.Dir, "main.tf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(text, []byte("deployment_id = switchback_deployment.api.id"), []byte(lines[0]), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.apply()
	back()
	s.planned(nil)

	released()
	plugin := s.way("kubectl switchback")
	if len(plugin) != 1 {
		t.Fatalf("by the plugin, it is %+v", plugin)
	}
	s.shell(plugin[0].Lines...)
	back()
	s.warned(s.planned(nil), "Deployment was taken back before")

	s.kubectl("retry", "api")
	released()
	for _, step := range s.way("kubectl") {
		s.shell(step.Lines...)
	}
	back()
}
