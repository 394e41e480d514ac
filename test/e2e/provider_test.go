//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// commandTimeout is what a command of the CLI has that does not hang.
const commandTimeout = testcli.Bound

// selectorLabel is what Services select a release's pods by.
const selectorLabel = "switchback.dev/deployment"

var providers struct {
	sync.Mutex
	of map[*testnode.Cluster]testcli.Provider
}

// provider builds the provider for the workspaces of a cluster, once. It is in
// the cluster's directory, so that it goes with it, however that ends.
func provider(t testing.TB, c *testnode.Cluster) testcli.Provider {
	t.Helper()
	providers.Lock()
	defer providers.Unlock()
	if p, ok := providers.of[c]; ok {
		return p
	}
	p, err := testcli.Build(context.Background(), filepath.Join(c.Dir, "provider"), testcli.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if providers.of == nil {
		providers.of = map[*testnode.Cluster]testcli.Provider{}
	}
	providers.of[c] = p
	return p
}

// config is a configuration with one application: a deployment, and a main
// deployment that points at it. The zero value of a field is its default.
type config struct {
	application string            // web
	version     string            // empty: no resources at all
	image       string            // the test application of that version
	replicas    int               // 2
	port        int               // 8080
	tcpPort     int               // one more, for lines; none
	probe       string            // path of the readiness probe: /readyz; "none": there is none
	env         map[string]string // of the container
	keep        int               // keep_previous.count: 0
	keepLines   string            // more of keep_previous
	drain       string            // the provider's
	noMain      bool              // only the deployment
	route       string            // traffic.gateway, in HCL; none
	adopt       bool              // the address is a Service that was there before
	target      string            // main's deployment_id, where it is not the deployment's
	unasked     bool              // the plan does not ask the API server what it would refuse

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
  config_path    = %q
  server_dry_run = %s
}
`, kubeconfig, map[bool]string{false: "null", true: "false"}[c.unasked])
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
    ports = { http = %d%s }
%s  }
%s
  lifecycle {
    create_before_destroy = true
  }
}
`, c.name(), namespace, c.version, orDefault(c.image, testnode.AppImage(c.version)), orDefault(c.replicas, 2),
		orDefault(c.port, 8080), c.morePorts(), c.containerLines(), c.deployment)
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
	service := "ports = { http = 80" + c.morePorts() + " }"
	if c.adopt {
		service = "adopt = true"
	}
	fmt.Fprintf(&b, `
resource "switchback_main_deployment" "app" {
  application   = %q
  namespace     = %q
  deployment_id = %s
  traffic       = { service = { %s }%s }
  keep_previous = { count = %d%s }
  %s
%s
}
`, c.name(), namespace, target, service, c.routeLine(), c.keep, c.keepLines, drain, c.main)
	return b.String()
}

func (c config) routeLine() string {
	if c.route == "" {
		return ""
	}
	return ", gateway = " + c.route
}

func (c config) morePorts() string {
	if c.tcpPort == 0 {
		return ""
	}
	return fmt.Sprintf(", tcp = %d", c.tcpPort)
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

// workspace is one of the CLI, for one namespace.
type workspace struct {
	*testcli.Workspace
	t          testing.TB
	cluster    *testnode.Cluster
	kubeconfig string // whose account the provider uses; the administrator's
	namespace  string
}

// newWorkspace is a workspace on the shared cluster.
func newWorkspace(t testing.TB, namespace string) *workspace {
	t.Helper()
	return newWorkspaceOn(t, shared(t), namespace)
}

func newWorkspaceOn(t testing.TB, c *testnode.Cluster, namespace string) *workspace {
	t.Helper()
	return &workspace{Workspace: testcli.New(t, provider(t, c)), t: t, cluster: c, kubeconfig: c.KubeconfigPath, namespace: namespace}
}

func (w *workspace) file(name, content string) { w.t.Helper(); w.Write(w.t, name, content) }

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
	if x.Code() == withChanges {
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

// execution is a command of the CLI.
type execution struct{ *testcli.Execution }

func (w *workspace) start(args ...string) *execution {
	w.t.Helper()
	return &execution{w.Start(w.t, args...)}
}

// wait returns what the command said, at its end.
func (x *execution) wait() (output string, err error) {
	err = x.Wait()
	return x.Output(), err
}

// text is what it has said until now.
func (x *execution) text() string { return x.Output() }

// release is the name of the deployment in the state; empty where there is none.
func (w *workspace) release() string {
	w.t.Helper()
	for _, i := range w.State(w.t).At("switchback_deployment.app") {
		if i.Deposed == "" {
			return i.Text("name")
		}
	}
	return ""
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
