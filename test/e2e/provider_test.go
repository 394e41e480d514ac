//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// commandTimeout ends a command of the CLI that hangs.
const commandTimeout = 5 * time.Minute

// selectorLabel is what Services select a release's pods by.
const selectorLabel = "switchback.dev/deployment"

// built is what every workspace on a cluster needs.
type built struct {
	cli string // the path of the terraform or tofu
	dir string // with the provider
	err error
}

var providers struct {
	sync.Mutex
	of map[*testnode.Cluster]built
}

// provider builds the provider for the workspaces of a cluster, once. It is in
// the cluster's directory, so that it goes with it, however that ends.
func provider(t testing.TB, c *testnode.Cluster) built {
	t.Helper()
	providers.Lock()
	defer providers.Unlock()
	b, ok := providers.of[c]
	if !ok {
		b = buildProvider(context.Background(), filepath.Join(c.Dir, "provider"))
		if providers.of == nil {
			providers.of = map[*testnode.Cluster]built{}
		}
		providers.of[c] = b
	}
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b
}

func buildProvider(ctx context.Context, dir string) built {
	root, err := devtools.Root()
	if err != nil {
		return built{err: err}
	}
	command := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "terraform-provider-switchback"), ".")
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return built{err: fmt.Errorf("build the provider: %w\n%s", err, output)}
	}
	cli, err := devtools.TerraformCLI(ctx, os.Stderr)
	return built{cli: cli.Path, dir: dir, err: err}
}

// config is a configuration with one application: a deployment, and a main
// deployment that points at it. The zero value of a field is its default.
type config struct {
	application string            // web
	version     string            // empty: no resources at all
	image       string            // the test application of that version
	replicas    int               // 2
	port        int               // 8080
	probe       string            // path of the readiness probe: /readyz; "none": there is none
	env         map[string]string // of the container
	keep        int               // keep_previous.count: 0
	keepLines   string            // more of keep_previous
	drain       string            // the provider's
	noMain      bool              // only the deployment
	adopt       bool              // the address is a Service that was there before
	target      string            // main's deployment_id, where it is not the deployment's

	// More lines of HCL in the three blocks.
	container, deployment, main string
}

func (c config) name() string { return orDefault(c.application, "web") }

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// text is the configuration for a namespace.
func (c config) text(namespace, kubeconfig string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  config_path = %q
}
`, kubeconfig)
	if c.version == "" {
		return b.String()
	}
	fmt.Fprintf(&b, `
resource "switchback_deployment" "app" {
  application = %q
  namespace   = %q
  version     = %q
  image       = %q
  replicas    = %d
  container = {
    ports = { http = %d }
%s  }
%s
  lifecycle {
    create_before_destroy = true
  }
}
`, c.name(), namespace, c.version, orDefault(c.image, testnode.AppImage(c.version)), orDefault(c.replicas, 2),
		orDefault(c.port, 8080), c.containerLines(), c.deployment)
	if c.noMain {
		return b.String()
	}
	target := "switchback_deployment.app.id"
	if c.target != "" {
		target = strconv.Quote(c.target)
	}
	drain := ""
	if c.drain != "" {
		drain = fmt.Sprintf("drain = %q", c.drain)
	}
	service := "ports = { http = 80 }"
	if c.adopt {
		service = "adopt = true"
	}
	fmt.Fprintf(&b, `
resource "switchback_main_deployment" "app" {
  application   = %q
  namespace     = %q
  deployment_id = %s
  traffic       = { service = { %s } }
  keep_previous = { count = %d%s }
  %s
%s
}
`, c.name(), namespace, target, service, c.keep, c.keepLines, drain, c.main)
	return b.String()
}

func (c config) containerLines() string {
	var b strings.Builder
	if probe := orDefault(c.probe, "/readyz"); probe != "none" {
		fmt.Fprintf(&b, "    readiness_probe = { http_get = { path = %q, port = \"http\" }, period_seconds = 1 }\n", probe)
	}
	if len(c.env) > 0 {
		b.WriteString("    env = {\n")
		for _, name := range slices.Sorted(maps.Keys(c.env)) {
			fmt.Fprintf(&b, "      %s = %q\n", name, c.env[name])
		}
		b.WriteString("    }\n")
	}
	if c.container != "" {
		b.WriteString(c.container + "\n")
	}
	return b.String()
}

// workspace is a working directory of the CLI, for one namespace.
type workspace struct {
	t          testing.TB
	cli        string
	dir        string
	cluster    *testnode.Cluster
	kubeconfig string   // whose account the provider uses; the administrator's
	env        []string // of every command
	namespace  string
}

// newWorkspace is a workspace on the shared cluster.
func newWorkspace(t testing.TB, namespace string) *workspace {
	t.Helper()
	return newWorkspaceOn(t, shared(t), namespace)
}

func newWorkspaceOn(t testing.TB, c *testnode.Cluster, namespace string) *workspace {
	t.Helper()
	b := provider(t, c)
	w := &workspace{t: t, cli: b.cli, dir: t.TempDir(), cluster: c, kubeconfig: c.KubeconfigPath, namespace: namespace}
	w.file("cli.tfrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"switchback-dev/switchback\" = %q\n  }\n  direct {}\n}\n", b.dir))
	return w
}

func (w *workspace) file(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// configure writes the configuration.
func (w *workspace) configure(c config) {
	w.t.Helper()
	w.file("main.tf", c.text(w.namespace, w.kubeconfig))
}

// apply applies a configuration and returns what the CLI said; the error has
// it, too.
func (w *workspace) apply(c config) (output string, err error) {
	w.t.Helper()
	return w.startApply(c).wait()
}

// mustApply fails the test unless it succeeds.
func (w *workspace) mustApply(c config) string {
	w.t.Helper()
	output, err := w.apply(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return output
}

// startApply does not wait for the end.
func (w *workspace) startApply(c config) *execution {
	w.t.Helper()
	w.configure(c)
	return w.start("apply", "-auto-approve", "-no-color", "-input=false")
}

// plan tells whether an apply would change anything.
func (w *workspace) plan(c config) (changes bool, output string, err error) {
	w.t.Helper()
	w.configure(c)
	x := w.start("plan", "-detailed-exitcode", "-no-color", "-input=false")
	output, err = x.wait()
	const withChanges = 2
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == withChanges {
		return true, output, nil
	}
	return false, output, err
}

// planIsEmpty fails the test if another apply would do anything.
func (w *workspace) planIsEmpty(c config) {
	w.t.Helper()
	changes, output, err := w.plan(c)
	if err != nil {
		w.t.Error(err)
	} else if changes {
		w.t.Errorf("the plan afterwards is not empty:\n%s", output)
	}
}

// destroy destroys everything in the state.
func (w *workspace) destroy() (output string, err error) {
	w.t.Helper()
	return w.start("destroy", "-auto-approve", "-no-color", "-input=false").wait()
}

// execution is a command of the CLI, in a process group of its own.
type execution struct {
	command *exec.Cmd
	began   time.Time

	mu     sync.Mutex
	output bytes.Buffer

	ended chan struct{}
	err   error // once it has ended
}

func (x *execution) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.output.Write(p)
}

// text is what it has said until now.
func (x *execution) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.output.String()
}

// start runs the CLI with any arguments. The test's end kills what is left.
func (w *workspace) start(args ...string) *execution {
	w.t.Helper()
	ctx, cancel := context.WithTimeoutCause(w.t.Context(), commandTimeout, fmt.Errorf("it had not ended after %s", commandTimeout))
	x := &execution{began: time.Now(), ended: make(chan struct{})}
	x.command = exec.CommandContext(ctx, w.cli, args...)
	x.command.Dir = w.dir
	x.command.Env = append(os.Environ(),
		"TF_CLI_CONFIG_FILE="+filepath.Join(w.dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=", "TF_LOG=")
	x.command.Env = append(x.command.Env, w.env...)
	x.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.command.Cancel = func() error { return syscall.Kill(-x.command.Process.Pid, syscall.SIGKILL) }
	x.command.WaitDelay = 10 * time.Second
	x.command.Stdout, x.command.Stderr = x, x
	if err := x.command.Start(); err != nil {
		cancel()
		w.t.Fatalf("start %s: %v", w.cli, err)
	}
	go func() {
		defer close(x.ended)
		defer cancel()
		if err := x.command.Wait(); err != nil {
			x.err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(w.cli), args[0], errors.Join(err, context.Cause(ctx)), x.text())
		}
	}()
	return x
}

// wait returns what the command said, at its end.
func (x *execution) wait() (output string, err error) {
	<-x.ended
	return x.text(), x.err
}

// attribute is a text attribute of the only instance of a resource type in the
// state; empty where there is no such instance.
func (w *workspace) attribute(resourceType, name string) string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	var state struct {
		Resources []struct {
			Type      string `json:"type"`
			Instances []struct {
				Deposed    string         `json:"deposed"`
				Attributes map[string]any `json:"attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	if err := errors.Join(err, json.Unmarshal(content, &state)); err != nil {
		w.t.Fatalf("read the state: %v", err)
	}
	for _, r := range state.Resources {
		for _, i := range r.Instances {
			if r.Type == resourceType && i.Deposed == "" {
				value, _ := i.Attributes[name].(string)
				return value
			}
		}
	}
	return ""
}

// release is the name of the deployment in the state.
func (w *workspace) release() string {
	w.t.Helper()
	return w.attribute("switchback_deployment", "name")
}

// service is the application's main Service.
func (w *workspace) service(c config) (*corev1.Service, error) {
	return w.cluster.Client().CoreV1().Services(w.namespace).Get(w.t.Context(), c.name(), metav1.GetOptions{})
}

// address is the URL of the application's main Service, which must be there.
func (w *workspace) address(c config) string {
	w.t.Helper()
	service, err := w.service(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return "http://" + service.Spec.ClusterIP
}

// mainIs is the release that the main Service selects.
func (w *workspace) mainIs(c config) string {
	w.t.Helper()
	service, err := w.service(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return service.Spec.Selector[selectorLabel]
}

// podsOf are the pods of a release that are not ending.
func (w *workspace) podsOf(release string) []corev1.Pod {
	w.t.Helper()
	list, err := w.cluster.Client().CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: selectorLabel + "=" + release})
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// newNamespace is a namespace on the shared cluster, for this test alone.
func newNamespace(t testing.TB) string {
	t.Helper()
	shared(t)
	return testcluster.Shared(t).Namespace(t)
}
