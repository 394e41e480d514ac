package provider_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestGuideToDefaults: whatever is rendered that nobody has typed has a row in the guide.
func TestGuideToDefaults(t *testing.T) {
	t.Parallel()
	root, err := devtools.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "templates", "guides", "defaults-of-the-pods.md"))
	if err != nil {
		t.Fatal(err)
	}
	probe := &release.Probe{TCPSocket: &release.TCPSocket{Port: "http"}}
	d, err := workload.Deployment(release.Spec{Namespace: "shop", Replicas: 1, Content: release.Content{
		Application: "api", Image: "api:1", PodSecurity: release.PodSecurityRestricted,
		Container: release.Container{Ports: map[string]int32{"http": 80}, ReadinessProbe: probe, StartupProbe: probe, LivenessProbe: probe},
		Sidecars:  []release.Helper{{Name: "proxy", Image: "proxy:1"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	names := func(obj any, typed ...string) {
		u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range u {
			if empty, isMap := value.(map[string]any); value != nil && (!isMap || len(empty) > 0) && !slices.Contains(typed, name) {
				fields[name] = true
			}
		}
	}
	pod := d.Spec.Template.Spec
	names(&d.Spec, "replicas", "selector", "template")
	names(&d.Spec.Template.ObjectMeta, "creationTimestamp")
	names(&pod, "containers", "initContainers")
	names(&pod.Containers[0], "name", "image", "livenessProbe")
	names(&pod.InitContainers[0], "name", "image", "restartPolicy")
	if len(fields) < 10 {
		t.Errorf("too few fields: %q", slices.Sorted(maps.Keys(fields)))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !strings.Contains(string(content), "\n| `"+name+"` |") {
			t.Errorf("the guide has no row of %s", name)
		}
	}
	if n := strings.Count(string(content), "\n| `"); n != len(fields)+1 { // securityContext is one of the pod and of the container
		t.Errorf("the guide has %d rows, for %d fields", n, len(fields))
	}
}
