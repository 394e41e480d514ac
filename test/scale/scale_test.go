//go:build scale

package scale_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// fleet is many clusters, each behind a wire that counts.
type fleet struct {
	t     *testing.T
	names []string
	on    map[string]*testcluster.Cluster
	wires map[string]*testcluster.Proxy

	table *tabwriter.Writer
}

// TestScale goes through the life of many applications on many clusters.
func TestScale(t *testing.T) {
	f := start(t, *clusters)
	all, one := f.workspace("all", f.names), f.workspace("one", f.names[:1])
	f.heading()

	f.row("create", all.apply("v1"))
	f.row("create, on one cluster only", one.apply("v1"))

	// Taken in turns, so that both have the same machine.
	var here, everywhere []used
	for range *plans {
		everywhere, here = append(everywhere, all.plansNothing()), append(here, one.plansNothing())
	}
	f.row("plan without changes", median(everywhere))
	f.row("the same, on one cluster only", median(here))
	ratio := median(everywhere).Wall.Seconds() / median(here).Wall.Seconds()

	f.row("version bump", all.apply("v2"))
	f.row("the same, on one cluster only", one.apply("v2"))

	dark := f.names[len(f.names)-1]
	f.wires[dark].Down(t)
	f.row("plan while one is down", all.plansNothing())
	f.wires[dark].Up(t)
	silent := func(*testcluster.Request, int) testcluster.Fault { return testcluster.Blackhole() }
	f.wires[dark].SetFault(silent)
	f.row("plan while one is silent", all.plansNothing())
	f.far(dark)

	f.row("destroy", all.run("destroy", "-auto-approve"))
	f.row("the same, on one cluster only", one.run("destroy", "-auto-approve"))
	f.nothingLeft(all.namespace, one.namespace)
	if err := f.table.Flush(); err != nil {
		t.Error(err)
	}
	fmt.Fprintf(os.Stdout, "A plan for %d clusters takes %.2f times as long as for one; the clusters themselves had %s at last.\n",
		len(f.names), ratio, megabytes(controlPlanes()))
}

func start(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, on: map[string]*testcluster.Cluster{}, wires: map[string]*testcluster.Proxy{}}
	for i := range n {
		name := fmt.Sprintf("c%02d", i+1)
		c := testcluster.Start(t)
		f.names, f.on[name], f.wires[name] = append(f.names, name), c, c.Proxy(t)
		f.far(name)
	}
	return f
}

// far lets every request to a cluster take as long as was asked for.
func (f *fleet) far(name string) {
	f.wires[name].SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.Delay(*delay) })
}

// workspace is a configuration with all applications on some clusters, in a
// namespace of its own.
type workspace struct {
	*fleet
	*testcli.Workspace
	namespace string
	clusters  []string
}

func (f *fleet) workspace(namespace string, clusters []string) *workspace {
	f.t.Helper()
	w := &workspace{f, testcli.New(f.t, built), namespace, clusters}
	w.Bound = bound
	for _, name := range clusters {
		core := f.on[name].Client().CoreV1()
		if _, err := core.Namespaces().Create(f.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
			f.t.Fatal(err)
		}
		testcluster.Eventually(f.t, time.Minute, "the default service account", func() error {
			_, err := core.ServiceAccounts(namespace).Get(f.t.Context(), "default", metav1.GetOptions{})
			return err
		})
	}
	return w
}

func (w *workspace) config(version string) string {
	var b strings.Builder
	b.WriteString("terraform {\n  required_providers {\n    switchback = { source = \"switchback-dev/switchback\" }\n  }\n}\nprovider \"switchback\" {\n  clusters = {\n")
	for _, name := range w.clusters {
		fmt.Fprintf(&b, "    %s = { config_path = %q }\n", name, w.wires[name].KubeconfigPath)
	}
	b.WriteString("  }\n}\n")
	on := `["` + strings.Join(w.clusters, `", "`) + `"]`
	for i := range *applications {
		fmt.Fprintf(&b, `
resource "switchback_deployment" "app-%[1]d" {
  application = "app-%[1]d"
  namespace   = %[2]q
  version     = %[3]q
  image       = "demo/app:%[3]s"
  clusters    = %[4]s
  replicas    = 1
  container   = { ports = { http = 8080 } }
  lifecycle {
    create_before_destroy = true
  }
}
resource "switchback_main_deployment" "app-%[1]d" {
  application   = "app-%[1]d"
  namespace     = %[2]q
  deployment_id = switchback_deployment.app-%[1]d.id
  clusters      = %[4]s
  traffic       = { service = { ports = { http = 80 } } }
  keep_previous = { count = 1 }
  drain         = "1s"
}
`, i+1, w.namespace, version, on)
	}
	return b.String()
}

// run counts what a command takes, and what it asks each cluster.
func (w *workspace) run(args ...string) used {
	w.t.Helper()
	for _, wire := range w.wires {
		wire.Reset()
	}
	u := terraform(w.t, w.Workspace, append(args, "-no-color", "-input=false")...)
	if u.code != 0 {
		w.t.Fatalf("%v ended with %d:\n%s", args, u.code, u.output)
	}
	u.requests = map[string]int{}
	for _, name := range w.clusters {
		u.requests[name] = len(w.wires[name].Requests())
		u.writes += len(w.wires[name].Writes())
	}
	return u
}

func (w *workspace) apply(version string) used {
	w.t.Helper()
	w.Write(w.t, "main.tf", w.config(version))
	return w.run("apply", "-auto-approve")
}

func (w *workspace) plansNothing() used {
	w.t.Helper()
	u := w.run("plan", "-detailed-exitcode")
	if u.writes > 0 {
		w.t.Errorf("a plan has written %d times", u.writes)
	}
	return u
}

// nothingLeft fails unless no object carries our label any more.
func (f *fleet) nothingLeft(namespaces ...string) {
	f.t.Helper()
	ctx, ours := context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=switchback"}
	for _, name := range f.names {
		for _, namespace := range namespaces {
			maps, err1 := f.on[name].Client().CoreV1().ConfigMaps(namespace).List(ctx, ours)
			workloads, err2 := f.on[name].Client().AppsV1().Deployments(namespace).List(ctx, ours)
			services, err3 := f.on[name].Client().CoreV1().Services(namespace).List(ctx, ours)
			leases, err4 := f.on[name].Client().CoordinationV1().Leases(namespace).List(ctx, ours)
			for _, err := range []error{err1, err2, err3, err4} {
				if err != nil {
					f.t.Fatal(err)
				}
			}
			if n := len(maps.Items) + len(workloads.Items) + len(services.Items) + len(leases.Items); n > 0 {
				f.t.Errorf("%s has %d objects left in %s", name, n, namespace)
			}
		}
	}
}

func (f *fleet) heading() {
	cli, err := testcli.CLI()
	if err != nil {
		f.t.Fatal(err)
	}
	f.table = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(os.Stdout, "%d applications on %d clusters, %s away, with %s\n", *applications, len(f.names), *delay, cli.Path)
	fmt.Fprintln(f.table, "what\tseconds\tCPU seconds\trequests a cluster\twrites\tprovider\tCLI\twarnings\t")
}

func (f *fleet) row(what string, u used) {
	counts := make([]int, 0, len(u.requests))
	for _, n := range u.requests {
		counts = append(counts, n)
	}
	requests := fmt.Sprint(slices.Min(counts))
	if most := slices.Max(counts); most != slices.Min(counts) {
		requests += fmt.Sprintf(" – %d", most)
	}
	fmt.Fprintf(f.table, "%s\t%.2f\t%.2f\t%s\t%d\t%s\t%s\t%d\t\n", what, u.Wall.Seconds(), u.CPU.Seconds(), requests, u.writes,
		megabytes(u.ProviderPeak), megabytes(u.CLIPeak), u.warnings)
	f.t.Logf("%s: %s", what, u.Wall.Round(time.Millisecond))
	if u.warnings > 0 {
		_, first, _ := strings.Cut(strings.ReplaceAll(u.output, "Warning: Provider development overrides", ""), "Warning: ")
		f.t.Logf("the first warning: %.300s", first)
	}
}

// median is the one of middle length.
func median(all []used) used {
	return slices.SortedFunc(slices.Values(all), func(a, b used) int { return int(a.Wall - b.Wall) })[len(all)/2]
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "?"
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}
