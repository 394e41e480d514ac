package faults_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	// providersEnv names the file in which provider processes write their ids.
	providersEnv = "SWITCHBACK_TEST_PROVIDERS"

	application = "api"
	ours        = "app.kubernetes.io/managed-by=switchback"

	// commandTimeout ends a command that hangs; every test that meets it fails.
	commandTimeout = 3 * time.Minute
)

// drain is short, and long enough to be told from none.
const drain = 600 * time.Millisecond

// config is what a test's configuration says.
type config struct {
	version  string // empty: no resources at all
	image    string // default: one whose pods become ready at once
	replicas int    // default: 2
	keep     int    // keep_previous.count
	noMain   bool   // only the deployment
	adopt    bool   // the address is a Service that was there before
	target   string // main's deployment_id, where it is not the deployment's
	serving  string // version of another deployment, which main points at
	more     string // lines of the deployment
	timeouts string // of the deployment
	mainTime string // timeouts of the main deployment
}

func (c config) text(namespace, kubeconfig string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
terraform {
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
	image := c.image
	if image == "" {
		image = "demo/api"
	}
	replicas := 2
	if c.replicas > 0 {
		replicas = c.replicas
	}
	target := "switchback_deployment.api.id"
	b.WriteString(deployment("api", namespace, c.version, image, replicas, timeouts(c.timeouts), c.more))
	if c.serving != "" {
		target = "switchback_deployment.serving.id"
		b.WriteString(deployment("serving", namespace, c.serving, "demo/api", replicas))
	}
	if c.noMain {
		return b.String()
	}
	if c.target != "" {
		target = strconv.Quote(c.target)
	}
	service := "ports = { http = 80 }"
	if c.adopt {
		service = "adopt = true"
	}
	fmt.Fprintf(&b, `
resource "switchback_main_deployment" "api" {
  application   = %q
  namespace     = %q
  deployment_id = %s
  traffic       = { service = { %s } }
  keep_previous = { count = %d }
  drain         = %q
  %s
}
`, application, namespace, target, service, c.keep, drain, timeouts(c.mainTime))
	return b.String()
}

// deployment is a deployment of the application.
func deployment(label, namespace, version, image string, replicas int, lines ...string) string {
	return fmt.Sprintf(`
resource "switchback_deployment" %q {
  application = %q
  namespace   = %q
  version     = %q
  image       = %q
  replicas    = %d
  container   = { ports = { http = 8080 } }
  %s
  lifecycle {
    create_before_destroy = true
  }
}
`, label, application, namespace, version, image+":"+version, replicas, strings.Join(lines, "\n  "))
}

func timeouts(entries string) string {
	if entries == "" {
		return ""
	}
	return "timeouts = { " + entries + " }"
}

// workspace is a Terraform working directory whose provider reaches a namespace
// of its own through a proxy of its own.
type workspace struct {
	t         *testing.T
	dir       string
	cluster   *testcluster.Cluster
	proxy     *testcluster.Proxy
	west      *testcluster.Proxy // to a second cluster; nil: there is one
	namespace string
	legacy    *corev1.Service // the address before it was adopted; nil: it is our own
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	c := testcluster.Shared(t)
	return newWorkspaceIn(t, c, c.Namespace(t))
}

func newWorkspaceIn(t *testing.T, c *testcluster.Cluster, namespace string) *workspace {
	t.Helper()
	w := &workspace{t: t, dir: t.TempDir(), cluster: c, proxy: c.Proxy(t), namespace: namespace}
	w.file("cli.tfrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"switchback-dev/switchback\" = %q\n  }\n  direct {}\n}\n", overrides))
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
	text := c.text(w.namespace, w.proxy.KubeconfigPath)
	if w.west != nil {
		text = w.onBoth(text)
	}
	w.file("main.tf", text)
}

// execution is one command of the CLI, in a process group of its own.
type execution struct {
	w       *workspace
	command *exec.Cmd
	ids     string // file with the ids of the provider processes

	mu     sync.Mutex
	output bytes.Buffer

	exited chan struct{}
	code   int // -1: ended by a signal
}

func (x *execution) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.output.Write(p)
}

func (x *execution) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.output.String()
}

// start runs the CLI. The test's end kills what is left of its process group.
func (w *workspace) start(args ...string) *execution {
	w.t.Helper()
	ids, err := os.CreateTemp(w.dir, "providers-")
	if err != nil {
		w.t.Fatal(err)
	}
	_ = ids.Close()
	x := &execution{w: w, ids: ids.Name(), exited: make(chan struct{})}
	x.command = exec.CommandContext(w.t.Context(), cli.Path, args...)
	x.command.Dir = w.dir
	x.command.Env = append(os.Environ(),
		"TF_CLI_CONFIG_FILE="+filepath.Join(w.dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"TF_CLI_ARGS=", "TF_LOG=", providersEnv+"="+x.ids)
	x.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.command.Cancel = func() error { return syscall.Kill(-x.command.Process.Pid, syscall.SIGKILL) }
	x.command.WaitDelay = 10 * time.Second
	x.command.Stdout, x.command.Stderr = x, x
	if err := x.command.Start(); err != nil {
		w.t.Fatalf("start %s: %v", cli.Path, err)
	}
	go func() {
		defer close(x.exited)
		_ = x.command.Wait()
		x.code = x.command.ProcessState.ExitCode()
	}()
	return x
}

// wait returns the exit code.
func (x *execution) wait() int {
	x.w.t.Helper()
	return x.waitFor(commandTimeout)
}

// waitFor is wait for at most so long: a bound on liveness, not on speed.
func (x *execution) waitFor(limit time.Duration) int {
	x.w.t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-x.exited:
		return x.code
	case <-timer.C:
		x.w.t.Fatalf("%v has not ended after %s:\n%s", x.command.Args[1:], limit, x.text())
		return 0
	}
}

// signal sends a signal to the CLI and its providers, as a terminal does.
func (x *execution) signal(s syscall.Signal) {
	x.w.t.Helper()
	if err := syscall.Kill(-x.command.Process.Pid, s); err != nil {
		x.w.t.Errorf("signal %s: %v", s, err)
	}
}

// killAll kills the whole process group at once. It is called from the wire.
func (x *execution) killAll() error { return syscall.Kill(-x.command.Process.Pid, syscall.SIGKILL) }

// killProviders kills the provider processes and spares the CLI. It is called
// from the wire.
func (x *execution) killProviders() error {
	content, err := os.ReadFile(x.ids)
	if err != nil {
		return err
	}
	killed := 0
	for _, line := range strings.Fields(string(content)) {
		id, err := strconv.Atoi(line)
		if err != nil {
			return err
		}
		// An id may be somebody else's by now: the process group tells.
		if group, err := syscall.Getpgid(id); err != nil || group != x.command.Process.Pid {
			continue
		}
		if syscall.Kill(id, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		return fmt.Errorf("no provider of %q is alive", content)
	}
	return nil
}

// apply must succeed.
func (w *workspace) apply(c config) {
	w.t.Helper()
	if x := w.startApply(c); x.wait() != 0 {
		w.t.Fatalf("apply ended with %d:\n%s", x.code, x.text())
	}
}

// startApply does not wait for it.
func (w *workspace) startApply(c config) *execution {
	w.t.Helper()
	w.configure(c)
	return w.start("apply", "-auto-approve", "-no-color", "-input=false")
}

// planIsEmpty fails the test if another apply would do anything.
func (w *workspace) planIsEmpty() {
	w.t.Helper()
	x := w.start("plan", "-detailed-exitcode", "-no-color", "-input=false")
	if code := x.wait(); code != 0 {
		w.t.Errorf("the plan afterwards is not empty (exit code %d):\n%s", code, x.text())
	}
}

// instance is a resource in the state.
type instance struct {
	Status     string          `json:"status"`  // "tainted"
	Deposed    string          `json:"deposed"` // key
	Attributes json.RawMessage `json:"attributes"`
}

func (i instance) attribute(t *testing.T, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(i.Attributes, &all); err != nil {
		t.Fatal(err)
	}
	value, _ := all[name].(string)
	return value
}

// state reads the instances of a resource type; nil where there are none.
func (w *workspace) state(resourceType string) []instance {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var state struct {
		Resources []struct {
			Type      string     `json:"type"`
			Instances []instance `json:"instances"`
		} `json:"resources"`
	}
	if err := errors.Join(err, json.Unmarshal(content, &state)); err != nil {
		w.t.Fatalf("read the state: %v", err)
	}
	for _, r := range state.Resources {
		if r.Type == resourceType {
			return r.Instances
		}
	}
	return nil
}

// deployment and main are the state's only instances of their types.
func (w *workspace) deployment() instance { w.t.Helper(); return w.only("switchback_deployment") }
func (w *workspace) main() instance       { w.t.Helper(); return w.only("switchback_main_deployment") }

func (w *workspace) only(resourceType string) instance {
	w.t.Helper()
	found := w.state(resourceType)
	if len(found) != 1 {
		w.t.Fatalf("the state has %d instances of %s, want 1: %+v", len(found), resourceType, found)
	}
	return found[0]
}

// name is the current deployment's.
func (w *workspace) name() string { w.t.Helper(); return w.deployment().attribute(w.t, "name") }

// standing is what should be there of the application.
type standing struct {
	releases []string // with two pods each
	stopped  []string // with none
	main     string   // the release that has the traffic; empty: no address
}

// check compares everything that carries our label with what should be there.
func (w *workspace) check(want standing) {
	w.t.Helper()
	var expected []string
	for _, name := range slices.Concat(want.releases, want.stopped) {
		expected = append(expected, "Deployment/"+name, "Service/"+name, "ConfigMap/"+name, "PodDisruptionBudget/"+name)
	}
	if len(want.releases) > 0 {
		expected = append(expected, "ConfigMap/"+application+"-switchback") // the history
	}
	if want.main != "" {
		expected = append(expected, "Lease/"+application+"-switchback")
	}
	if want.main != "" && w.legacy == nil {
		expected = append(expected, "Service/"+application)
	}
	slices.Sort(expected)
	// What was asked to go may take a moment: pods and their ReplicaSets.
	eventually(w.t, "exactly the expected objects", func() error {
		found := w.objects()
		if !slices.Equal(found, expected) {
			return fmt.Errorf("found %v, want %v", found, expected)
		}
		return w.podsAre(want.releases)
	})
	if want.main == "" {
		return
	}
	svc, err := w.cluster.Client().CoreV1().Services(w.namespace).Get(w.t.Context(), application, metav1.GetOptions{})
	if err != nil || svc.Spec.Selector["switchback.dev/deployment"] != want.main {
		w.t.Errorf("the main Service selects %v, want %s (%v)", svc.Spec.Selector, want.main, err)
	}
}

// objects is everything that carries our label, but what follows from it.
func (w *workspace) objects() []string {
	w.t.Helper()
	client, ctx, options := w.cluster.Client(), w.t.Context(), metav1.ListOptions{LabelSelector: ours}
	var found []string
	add := func(kind, name string) { found = append(found, kind+"/"+name) }
	deployments, err1 := client.AppsV1().Deployments(w.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(w.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(w.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(w.namespace).List(ctx, options)
	budgets, err5 := client.PolicyV1().PodDisruptionBudgets(w.namespace).List(ctx, options)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		w.t.Fatal(err)
	}
	for _, o := range deployments.Items {
		add("Deployment", o.Name)
	}
	for _, o := range services.Items {
		add("Service", o.Name)
	}
	for _, o := range configMaps.Items {
		add("ConfigMap", o.Name)
	}
	for _, o := range leases.Items {
		add("Lease", o.Name)
	}
	for _, o := range budgets.Items {
		add("PodDisruptionBudget", o.Name)
	}
	slices.Sort(found)
	return found
}

// podsAre says what is wrong unless each release has its two ready pods, and
// nobody else any.
func (w *workspace) podsAre(releases []string) error {
	pods, err := w.cluster.Client().CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]int{}
	for _, pod := range pods.Items {
		name := pod.Labels["switchback.dev/deployment"]
		if w.legacy != nil && name == "" {
			continue // what its Service selected before
		}
		if !slices.Contains(releases, name) {
			return fmt.Errorf("pod %s is an orphan", pod.Name)
		}
		if slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			ready[name]++
		}
	}
	for _, name := range releases {
		if ready[name] != 2 {
			return fmt.Errorf("%s has %d ready pods, want 2", name, ready[name])
		}
	}
	return nil
}

// eventually is for what controllers do in their own time.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	testcluster.Eventually(t, time.Minute, what, check)
}
