//go:build upgrade

// Package upgrade_test lets this provider and an older one take turns, with a real
// CLI, at one state and one application: make test-upgrade.
package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// olderEnv names the environment variable with the path of the older provider.
const olderEnv = "SWITCHBACK_TEST_OLDER_PROVIDER"

var older, newer testcli.Provider

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "upgrade-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		program := os.Getenv(olderEnv)
		if program == "" {
			err = fmt.Errorf("%s must name the older provider's program: make test-upgrade FROM=<commit> builds one", olderEnv)
		} else {
			older, err = testcli.Build(context.Background(), filepath.Join(dir, "older"), testcli.Options{Built: program})
		}
	}
	if err == nil {
		newer, err = testcli.Build(context.Background(), filepath.Join(dir, "newer"), testcli.Options{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "upgrade:", err)
		return 1
	}
	return testcluster.Run(m)
}

// place is a workspace whose application has a namespace of its own.
type place struct {
	*testcli.Workspace
	t         *testing.T
	cluster   *testcluster.Cluster
	namespace string
}

// asks makes the configuration one for a version and a bake.
func (p *place) asks(version, bake string) {
	p.t.Helper()
	p.Write(p.t, "main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  config_path = %q
}
resource "switchback_deployment" "api" {
  application = "api"
  namespace   = %[2]q
  version     = %[3]q
  image       = "demo/api:%[3]s"
  replicas    = 1
  container   = { ports = { http = 8080 } }
  lifecycle {
    create_before_destroy = true
  }
}
resource "switchback_main_deployment" "api" {
  application   = "api"
  namespace     = %[2]q
  deployment_id = switchback_deployment.api.id
  traffic       = { service = { ports = { http = 80 } } }
  drain         = "300ms"
  bake          = %[4]q
}
`, p.cluster.KubeconfigPath, p.namespace, version, bake))
}

// does runs a command with a provider, which must end with a code.
func (p *place) does(provider testcli.Provider, code int, args ...string) string {
	p.t.Helper()
	x := p.starts(provider, args...)
	if got := x.Code(); got != code {
		p.t.Fatalf("%v ends with %d, want %d:\n%s", args, got, code, x.Output())
	}
	return x.Output()
}

func (p *place) starts(provider testcli.Provider, args ...string) *testcli.Execution {
	p.t.Helper()
	p.Provider = provider
	return p.Start(p.t, append(args, "-input=false", "-no-color")...)
}

var (
	apply  = []string{"apply", "-auto-approve"}
	differ = []string{"plan", "-detailed-exitcode"}
)

// world are the versions of all that matters in the namespace. The Lease is taken and
// given back by who only looks.
func (p *place) world() map[string]string {
	p.t.Helper()
	client, ctx, ours := p.cluster.Client(), p.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	deployments, err1 := client.AppsV1().Deployments(p.namespace).List(ctx, ours)
	services, err2 := client.CoreV1().Services(p.namespace).List(ctx, ours)
	maps, err3 := client.CoreV1().ConfigMaps(p.namespace).List(ctx, ours)
	if err := errors.Join(err1, err2, err3); err != nil {
		p.t.Fatal(err)
	}
	found := map[string]string{}
	for _, o := range deployments.Items {
		found["Deployment/"+o.Name] = fmt.Sprint(o.UID, o.Generation, o.Labels, o.Annotations)
	}
	for _, o := range services.Items {
		found["Service/"+o.Name] = o.ResourceVersion
	}
	for _, o := range maps.Items {
		found["ConfigMap/"+o.Name] = o.ResourceVersion
	}
	return found
}

func (p *place) pointer() (*corev1.ConfigMap, *release.Main, error) {
	cm, err := p.cluster.Client().CoreV1().ConfigMaps(p.namespace).Get(p.t.Context(), release.MainName("api"), metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	main, err := release.ParseMain(cm.Data)
	return cm, main, err
}

// TestOlderProviderRefusesAnOpenPromotion: it says why and touches nothing; when the
// newer one is done, it goes on as if it had been alone.
func TestOlderProviderRefusesAnOpenPromotion(t *testing.T) {
	c := testcluster.Shared(t)
	p := &place{Workspace: testcli.New(t, newer), t: t, cluster: c, namespace: c.Namespace(t)}
	main := c.WatchMain(t, p.namespace, "api")
	p.asks("v1", "0s")
	p.does(newer, 0, apply...)

	p.asks("v2", "5m") // whose end it does not live to see
	x := p.starts(newer, apply...)
	testcluster.Eventually(t, testcluster.Hang, "the bake to begin", func() error {
		select {
		case <-x.Exited():
			t.Fatalf("it has not come to its bake: %v", x.Wait())
		default:
		}
		_, main, err := p.pointer()
		if err == nil && (main.Progress == nil || main.Progress.Step().Kind != release.StepAnalyse) {
			err = fmt.Errorf("it is at %+v", main.Progress)
		}
		return err
	})
	if err := x.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = x.Wait()

	p.asks("v2", "1s")
	world, state := p.world(), p.StateText(t)
	text := strings.Join(strings.Fields(p.does(older, 1, apply...)), " ")
	if !strings.Contains(text, "was written by a newer provider") || !strings.Contains(text, "upgrade the provider") {
		t.Errorf("the older one says:\n%s", text)
	}
	if now := p.world(); fmt.Sprint(now) != fmt.Sprint(world) {
		t.Errorf("the older one has changed\n%v to\n%v", world, now)
	}
	if p.StateText(t) != state {
		t.Errorf("the older one has changed the state to\n%s", p.StateText(t))
	}

	p.does(newer, 0, apply...)
	if cm, main, err := p.pointer(); err != nil || main.Progress != nil || cm.Data[release.ProgressKey] != "" {
		t.Errorf("the newer one has left %+v, %v", main, err)
	}
	p.does(newer, 0, differ...)
	p.does(older, 0, differ...)
	p.asks("v3", "1s")
	p.does(older, 0, apply...)
	p.does(newer, 0, differ...)
	main.NeverEmpty(t)
	p.does(older, 0, "destroy", "-auto-approve")
	if left := p.world(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
