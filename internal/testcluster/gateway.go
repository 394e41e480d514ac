package testcluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// HTTPRoutes teaches the cluster the Gateway API's kind: see Routes.
func (c *Cluster) HTTPRoutes(t testing.TB) { t.Helper(); c.Routes(t, "httproutes") }

// Routes teaches the cluster kinds of the Gateway API, by their plural names, from
// the Go module that has its types, and returns when its API server serves them.
// They stay: on a shared cluster, for everybody. No controller looks at such
// objects.
func (c *Cluster) Routes(t testing.TB, plurals ...string) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("find the module of the Gateway API: %v", err)
	}
	client, ctx := c.client.Discovery().RESTClient(), t.Context()
	for _, plural := range plurals {
		definition, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", "gateway.networking.k8s.io_"+plural+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		err = client.Patch(types.ApplyYAMLPatchType).AbsPath(definitions, plural+".gateway.networking.k8s.io").
			Param("fieldManager", "tests").Param("force", "true").Body(definition).Do(ctx).Error()
		if err != nil {
			t.Fatalf("install the CustomResourceDefinition of %s: %v", plural, err)
		}
	}
	for _, plural := range plurals {
		Eventually(t, Hang, "the API server to serve "+plural, func() error {
			return client.Get().AbsPath("/apis/gateway.networking.k8s.io/v1/" + plural).Do(ctx).Error()
		})
	}
}
