package testcluster

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// HTTPRoutes teaches the cluster the Gateway API's kind: see Routes.
func (c *Cluster) HTTPRoutes(t testing.TB) { t.Helper(); c.Routes(t, "httproutes") }

// Routes teaches the cluster kinds of the Gateway API, by their plural names, from
// the Go module that has its types, and returns when its API server serves them.
// They stay: on a shared cluster, for everybody. No controller looks at such
// objects.
func (c *Cluster) Routes(t testing.TB, plurals ...string) {
	t.Helper()
	dir, err := devtools.ModuleDir(t.Context(), "sigs.k8s.io/gateway-api")
	if err != nil {
		t.Fatal(err)
	}
	client, ctx := c.client.Discovery().RESTClient(), t.Context()
	for _, plural := range plurals {
		definition, err := os.ReadFile(filepath.Join(dir, "config", "crd", "standard", "gateway.networking.k8s.io_"+plural+".yaml"))
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
