package testcluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// httpRoutes is the file of the kind's definition, and in it its name.
const httpRoutes = "gateway.networking.k8s.io_httproutes.yaml"

// HTTPRoutes teaches the cluster the Gateway API's kind, from the Go module that
// has its types, and returns when its API server serves it. It stays: on a shared
// cluster, for everybody. No controller looks at such objects.
func (c *Cluster) HTTPRoutes(t testing.TB) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatalf("find the module of the Gateway API: %v", err)
	}
	definition, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard", httpRoutes))
	if err != nil {
		t.Fatal(err)
	}
	client, ctx := c.client.Discovery().RESTClient(), t.Context()
	err = client.Patch(types.ApplyYAMLPatchType).AbsPath(definitions, "httproutes.gateway.networking.k8s.io").
		Param("fieldManager", "tests").Param("force", "true").Body(definition).Do(ctx).Error()
	if err != nil {
		t.Fatalf("install the CustomResourceDefinition of HTTPRoutes: %v", err)
	}
	Eventually(t, Hang, "the API server to serve HTTPRoutes", func() error {
		return client.Get().AbsPath("/apis/gateway.networking.k8s.io/v1/httproutes").Do(ctx).Error()
	})
}
