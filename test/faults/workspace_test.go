package faults_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	application = "api"
	ours        = "app.kubernetes.io/managed-by=switchback"
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
	canary   string // its steps, by the weights of a route; empty: there is no route
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
	traffic, canary := "service = { ports = { http = 80 } }", ""
	if c.adopt {
		traffic = "service = { adopt = true }"
	}
	if c.canary != "" {
		traffic += `, gateway = { parent_refs = [{ name = "public" }], hostnames = ["api.example.com"], settle = "0s" }`
		canary = "canary = { steps = [" + c.canary + "] }"
	}
	fmt.Fprintf(&b, `
resource "switchback_main_deployment" "api" {
  application   = %q
  namespace     = %q
  deployment_id = %s
  traffic       = { %s }
  keep_previous = { count = %d }
  drain         = %q
  %s
  %s
}
`, application, namespace, target, traffic, c.keep, drain, canary, timeouts(c.mainTime))
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

// workspace is one whose provider reaches a namespace of its own through a proxy
// of its own.
type workspace struct {
	*testcli.Workspace
	t         *testing.T
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
	return &workspace{Workspace: testcli.New(t, built), t: t, cluster: c, proxy: c.Proxy(t), namespace: namespace}
}

func (w *workspace) file(name, content string) { w.t.Helper(); w.Write(w.t, name, content) }

// configure writes the configuration.
func (w *workspace) configure(c config) {
	w.t.Helper()
	text := c.text(w.namespace, w.proxy.KubeconfigPath)
	if w.west != nil {
		text = w.onBoth(text)
	}
	w.file("main.tf", text)
}

// execution is one command of a workspace.
type execution struct {
	*testcli.Execution
	w *workspace
}

func (w *workspace) start(args ...string) *execution {
	w.t.Helper()
	return &execution{w.Start(w.t, args...), w}
}

// wait returns the exit code.
func (x *execution) wait() int { return x.Code() }

func (x *execution) text() string { return x.Output() }

func (x *execution) signal(s syscall.Signal) {
	x.w.t.Helper()
	if err := x.Signal(s); err != nil {
		x.w.t.Errorf("signal %s: %v", s, err)
	}
}

// These are called from the wire.
func (x *execution) interrupt() error     { return x.Signal(syscall.SIGINT) }
func (x *execution) killAll() error       { return x.Kill() }
func (x *execution) killProviders() error { return x.KillProviders() }

// apply must succeed.
func (w *workspace) apply(c config) {
	w.t.Helper()
	if x := w.startApply(c); x.wait() != 0 {
		w.t.Fatalf("apply ended with %d:\n%s", x.Code(), x.text())
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
type instance struct{ testcli.Instance }

func (i instance) attribute(t *testing.T, name string) string { t.Helper(); return i.Text(name) }

// state reads the instances of the application's resource of a type; nil where
// there are none.
func (w *workspace) state(resourceType string) (found []instance) {
	w.t.Helper()
	for _, i := range w.State(w.t).At(resourceType + ".api") {
		found = append(found, instance{i})
	}
	return found
}

// deployment and main are the state's only instances of the application's.
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
	testcluster.Eventually(t, testcluster.Hang, what, check)
}
