//go:build e2e

package e2e_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// TestStockImage runs an image as public ones are, with the provider's
// defaults: it starts as root, writes where it likes and listens on port 80.
func TestStockImage(t *testing.T) {
	beside(t, light)
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
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	w.enforceRestricted(t)

	const restricted = `pod_security = "restricted"`
	for _, tc := range []struct {
		what  string
		c     config
		tells []string
	}{
		{"the default", config{version: "v1"}, []string{
			"The API server refuses this", `violates PodSecurity "restricted:latest"`, "Try:", "set " + restricted,
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

// TestDurations: where the time of a release went, on a real node: one image has
// to be pulled, of another name, and the other one is there.
func TestDurations(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	w.mustApply(config{version: "v1", replicas: 1})
	if d := w.durations(); d.Queue == nil || d.Startup == nil || d.ImagePull != nil || d.Total == nil || *d.Total <= 0 {
		t.Errorf("with the image on the node: %s", d)
	}
	pushed, err := w.cluster.Push(t.Context(), testnode.AppImage("v2"), "shop/timed:1.0")
	if err != nil {
		t.Fatal(err)
	}
	// One pod: a second one may find the image on the node, and be the slowest.
	output := w.mustApply(config{version: "v2", image: pushed, replicas: 1, deployment: `duration_budget = { total = "1ms" }`})
	mustTell(t, output, "Deployment took longer than its budget", "`duration_budget.total` is")
	d := w.durations()
	if d.Queue == nil || d.Startup == nil || d.ImagePull == nil || *d.ImagePull <= 0 || d.Build != nil || *d.Total < *d.ImagePull || *d.Startup > *d.Total+2 {
		t.Errorf("with an image to pull: %s", d)
	}
	t.Logf("with an image to pull: %s", d)
	if in, err := objectTree(t, w.cluster, w.namespace, w.release()); err != nil || *capture {
		if err != nil {
			t.Fatal(err)
		}
		in.Pods = []*corev1.Pod{health.Slowest(in)}
		in.Events = slices.DeleteFunc(in.Events, func(e *corev1.Event) bool { return e.InvolvedObject.UID != in.Pods[0].UID })
		keep(t, w.cluster, in, "../durations/pulled")
	}
}

// shownDurations are a deployment's, in seconds.
type shownDurations struct {
	Total, Queue, Build, Startup *float64
	ImagePull                    *float64 `json:"image_pull"`
}

func (d shownDurations) String() string {
	text, _ := json.Marshal(d)
	return string(text)
}

// durations are those of the deployment in the state.
func (w *workspace) durations() (d shownDurations) {
	w.t.Helper()
	output, err := w.start("show", "-json").wait()
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Type   string
					Values struct{ Durations shownDurations }
				}
			} `json:"root_module"`
		}
	}
	if err := errors.Join(err, json.Unmarshal([]byte(output), &state)); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range state.Values.RootModule.Resources {
		if r.Type == "switchback_deployment" {
			d = r.Values.Durations
		}
	}
	return d
}
