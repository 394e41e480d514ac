//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// TestStockImage runs an image as public ones are, with the provider's
// defaults: it starts as root, writes where it likes and listens on port 80.
func TestStockImage(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, newNamespace(t))
	c := config{version: "1", image: testnode.StockImage, replicas: 1, port: 80, probe: "/"}
	w.mustApply(c)
	if body, header := getEventually(t, w.address(c)); header.Get("X-Version") != "stock" {
		t.Errorf("it answers %q, with %v", body, header)
	}
	w.planIsEmpty(c)
}

// TestRestrictedNamespace is in a namespace that enforces the strictest of the
// Pod Security Standards, from its first deployment on.
func TestRestrictedNamespace(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, newNamespace(t))
	w.enforceRestricted(t)

	const restricted = `pod_security = "restricted"`
	for _, tc := range []struct {
		what  string
		c     config
		tells []string
	}{
		{"the default", config{version: "v1"}, []string{
			"Deployment failed to start: FailedCreate", `violates PodSecurity "restricted:latest"`, "Try:", "set " + restricted,
		}},
		{"an image that runs as root", config{version: "1", image: testnode.StockImage, port: 80, deployment: restricted}, []string{
			"Deployment failed to start: CreateContainerConfigError", "runAsNonRoot and image will run as root", "Try:", "run_as_user",
		}},
	} {
		tc.c.replicas = 1
		message := w.failsToApply(t, tc.c)
		mustTell(t, message, tc.tells...)
		if strings.Contains(message, "Traffic:") {
			t.Errorf("%s: there was no traffic to tell of:\n%s", tc.what, message)
		}
		if w.release() != "" {
			t.Errorf("%s: the state has %s", tc.what, w.release())
		}
	}

	c := config{version: "v1", replicas: 2, deployment: restricted}
	w.mustApply(c)
	if _, header := getEventually(t, w.address(c)); header.Get("X-Version") != "v1" {
		t.Errorf("it answers with %v", header)
	}
	w.planIsEmpty(c)
}
