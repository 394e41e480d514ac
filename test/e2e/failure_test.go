//go:build e2e

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// absentTag is of a repository that is there.
const absentTag = "shop/app:2.0"

// failure is a second version that cannot start, beside a first one that has
// the traffic.
type failure struct {
	name    string // of what is captured
	image   string // from the registry, made of shop/app:1.0 where it is pushed
	config  config // of the second version
	timeout string // timeouts.create: what ends the patient ones; a long one where the cause does
	prepare func(t *testing.T, w *workspace)
	cause   health.Cause
	class   health.Class
	tells   []string // more of what the error says
}

var failures = []failure{
	// Images.
	{
		name: "image-missing", image: absentTag, config: config{replicas: 2}, cause: health.CauseImageNotFound, class: health.Certain,
		tells: []string{"cannot pull", absentTag, "has no such image", "the registry said: not found", "(2 of 2 pods)", "correct the tag or digest"},
	},
	{
		name: "image-private", image: "private/app:1.0", cause: health.CauseImageUnauthorized, class: health.Certain,
		tells: []string{"private/app:1.0", "wants a login that may pull it (401)", "the registry said: 401 Unauthorized", "image_pull_secrets: the pods have none"},
	},
	{
		name: "image-private-basic", image: "basic/app:1.0", cause: health.CauseImageUnauthorized, class: health.Certain,
		tells: []string{"basic/app:1.0", "wants a login that may pull it (401)", "the registry said: 401 Unauthorized", "image_pull_secrets: the pods have none"},
	},
	{
		name: "image-wrong-secret", image: "private/app:1.0", cause: health.CauseImageUnauthorized, class: health.Certain,
		config:  config{deployment: `image_pull_secrets = ["registry"]`},
		prepare: func(t *testing.T, w *workspace) { w.pullSecret(t, "registry", "wrong") },
		tells:   []string{"private/app:1.0", "the registry said: 401 Unauthorized", `see that Secret "registry" in namespace`, "what that login may pull"},
	},
	{
		name: "image-no-secret", image: "private/app:1.0", cause: health.CauseImageUnauthorized, class: health.Certain,
		config: config{deployment: `image_pull_secrets = ["none"]`},
		tells:  []string{"private/app:1.0", "the registry said: 401 Unauthorized", `create Secret "none" in namespace`},
	},
	{
		name: "image-forbidden", image: "forbidden/app:1.0", cause: health.CauseImageUnauthorized, class: health.Certain,
		tells: []string{"forbidden/app:1.0", "refuses it (403)", "the registry said: 403 Forbidden"},
	},
	{
		name: "image-limited", image: "limited/app:1.0", cause: health.CauseImageRateLimited, class: health.Repeated,
		tells: []string{"limited/app:1.0", "serves no more for now (429)", "the registry said: 429 Too Many Requests", `event "Failed" 3 times`},
	},
	{
		name: "image-registry-broken", image: "broken/app:1.0", cause: health.CauseRegistryUnavailable, class: health.Repeated,
		tells: []string{"broken/app:1.0", "answers with a server error (500)", "the registry said: 500 Internal Server Error", `event "Failed" 3 times`},
	},
	{
		name: "image-registry-down", cause: health.CauseRegistryUnavailable, class: health.Repeated,
		config: config{image: "127.0.0.1:9/shop/app:1.0"},
		tells:  []string{"127.0.0.1:9/shop/app:1.0", "registry 127.0.0.1:9 refuses connections", "connection refused", `event "Failed" 3 times`},
	},
	{
		name: "image-registry-unknown", cause: health.CauseRegistryUnavailable, class: health.Repeated,
		config: config{image: "registry.invalid/shop/app:1.0"},
		tells:  []string{"registry.invalid/shop/app:1.0", "the name of registry registry.invalid cannot be looked up", `event "Failed" 3 times`, "check the registry's name"},
	},
	{
		name: "image-foreign", image: "foreign/app:1.0", cause: health.CauseImagePlatform, class: health.Certain,
		tells: []string{"foreign/app:1.0", "it was not built for the node's platform", "no match for platform", "node_selector"},
	},
	{
		name: "image-garbage", image: "garbage/app:1.0", cause: health.CauseImageUnusable, class: health.Certain,
		tells: []string{"garbage/app:1.0", "no image that the node can use", "failed to extract layer", "push the image again"},
	},
	{
		name: "image-never-pull", image: absentTag, cause: health.CauseImageNeverPull, class: health.Certain,
		config: config{deployment: "pod_template_patch = <<-EOT\n  spec:\n    containers:\n    - name: web\n      imagePullPolicy: Never\nEOT"},
		tells:  []string{absentTag, "not on the node and may not be pulled"},
	},

	// Containers that end.
	{
		name: "crash-loop", cause: health.CauseCrashLoop, class: health.Repeated,
		// Ready for a moment at its first start, it would have the traffic.
		config: config{env: map[string]string{"APP_CRASH_AFTER": "100ms", "APP_CRASH_MESSAGE": "no database", "APP_NEVER_READY": "true"}},
		tells:  []string{"ended with exit code 3", "restarted", "times", "no database", "read its log"},
	},
	{
		name: "crash-liveness", cause: health.CauseLivenessKilled, class: health.Repeated,
		config: config{
			env: map[string]string{"APP_UNHEALTHY_AFTER": "1ms", "APP_NEVER_READY": "true"},
			// The first probe may come before it listens.
			container: `liveness_probe = { http_get = { path = "/healthz", port = "http" }, period_seconds = 1, failure_threshold = 2 }`,
		},
		tells: []string{"does not pass its liveness_probe (it answers 500)", "Container web failed liveness probe", "Liveness probe failed: HTTP probe failed with statuscode: 500"},
	},
	{
		name: "crash-startup", cause: health.CauseStartupKilled, class: health.Repeated,
		config: config{
			env:       map[string]string{"APP_START_DELAY": "10m"},
			container: `startup_probe = { http_get = { path = "/healthz", port = "http" }, period_seconds = 1, failure_threshold = 2 }`,
		},
		tells: []string{"does not pass its startup_probe (nothing listens on port 8080)", "Container web failed startup probe", "connection refused", "startup_probe allows 2s (failure_threshold = 2, period_seconds = 1)"},
	},
	{
		name: "oom", cause: health.CauseOutOfMemory, class: health.Repeated,
		config: config{env: map[string]string{"APP_MEMORY_MB": "200"}, container: `resources = { limits = { memory = "32Mi" } }`},
		tells:  []string{"ran out of memory", "times: its limit is 32Mi", "exit code 137 (SIGKILL)", "raise resources.limits.memory above 32Mi"},
	},
	{
		name: "run-error", cause: health.CauseContainerRun, class: health.Certain,
		config: config{container: `command = ["/bin/none"]`},
		tells:  []string{`cannot be started: the image has no program "/bin/none"`, "no such file or directory", "correct command"},
	},
	{
		name: "exec-format", cause: health.CauseExecFormat, class: health.Certain,
		config: config{container: `command = ["/no-program"]`},
		tells:  []string{"its program is for another platform than the node's, or a script without a #! line", "exec format error", "the nodes' platform"},
	},
	{
		name: "init-crash", cause: health.CauseCrashLoop, class: health.Repeated,
		config: config{deployment: fmt.Sprintf(`init_containers = [{ name = "migrate", image = %q, env = { APP_CRASH_AFTER = "0s" } }]`, testnode.AppImage("v2"))},
		tells:  []string{`init container "migrate" ended with exit code 3`, "crashing on purpose"},
	},
	{
		// The application is not ready either: that is an echo.
		name: "sidecar-crash", cause: health.CauseCrashLoop, class: health.Repeated,
		config: config{
			deployment: fmt.Sprintf(`sidecars = [{ name = "proxy", image = %q, env = { APP_PORT = "9000", APP_CRASH_AFTER = "100ms", APP_CRASH_MESSAGE = "no upstream" } }]`, testnode.AppImage("v2")),
			env:        map[string]string{"APP_NEVER_READY": "true"},
		},
		tells: []string{`sidecar "proxy" ended with exit code 3`, "no upstream", `ReadinessProbeFailing: container "web"`},
	},

	// Containers that run.
	{
		name: "not-ready", timeout: "25s", cause: health.CauseReadiness, class: health.Patient,
		config: config{env: map[string]string{"APP_NEVER_READY": "true"}},
		tells:  []string{"does not pass its readiness_probe: it answers 503", "Readiness probe failed: HTTP probe failed with statuscode: 503", "see its log"},
	},
	{
		name: "ready-too-late", timeout: "20s", cause: health.CauseReadiness, class: health.Patient,
		config: config{env: map[string]string{"APP_START_DELAY": "10m"}},
		tells:  []string{"does not pass its readiness_probe: nothing listens on port 8080", "Readiness probe failed", "connection refused"},
	},
	{
		name: "startup-probe", timeout: "20s", cause: health.CauseNotStarted, class: health.Patient,
		config: config{
			env:       map[string]string{"APP_START_DELAY": "10m"},
			container: `startup_probe = { tcp_socket = { port = "http" }, period_seconds = 1, failure_threshold = 600 }`,
		},
		tells: []string{"has not passed its startup_probe: nothing listens on port 8080", "Startup probe failed", "connection refused", "failure_threshold = 600"},
	},
	{
		name: "init-running", timeout: "15s", cause: health.CauseInitRunning, class: health.Patient,
		config: config{deployment: fmt.Sprintf(`init_containers = [{ name = "migrate", image = %q }]`, testnode.AppImage("v2"))},
		tells:  []string{`init container "migrate" has not finished yet`},
	},

	// What a pod needs around it.
	{
		name: "unschedulable", timeout: "15s", cause: health.CauseUnschedulable, class: health.Patient,
		config: config{container: `resources = { requests = { cpu = "1000" } }`},
		tells:  []string{"no node takes the pod: 1 of 1 nodes have too little cpu left; the pod asks for cpu 1k", "Insufficient cpu", "lower resources.requests for cpu"},
	},
	{
		name: "config-config-map-missing", cause: health.CauseContainerConfig, class: health.Certain,
		config: config{container: `env_from = [{ config_map = "settings" }]`},
		tells:  []string{`cannot be configured: ConfigMap "settings" does not exist`, `configmap "settings" not found`, `create ConfigMap "settings" in namespace`},
	},
	{
		name: "config-secret-missing", cause: health.CauseContainerConfig, class: health.Certain,
		config: config{container: `secret_env = { DATABASE_URL = { name = "db", key = "url" } }`},
		tells:  []string{`cannot be configured: Secret "db" does not exist`, `secret "db" not found`, `create Secret "db" in namespace`},
	},
	{
		name: "config-key-missing", cause: health.CauseContainerConfig, class: health.Certain,
		config:  config{container: `secret_env = { DATABASE_URL = { name = "registry", key = "url" } }`},
		prepare: func(t *testing.T, w *workspace) { w.pullSecret(t, "registry", testnode.RegistryPassword) },
		tells:   []string{`cannot be configured: Secret "registry" has no key "url"`, "couldn't find key url in Secret", `add the key "url"`},
	},
	{
		name: "config-root", cause: health.CauseContainerConfig, class: health.Certain,
		config: config{image: testnode.StockImage, port: 80, deployment: `pod_security = "restricted"`},
		tells:  []string{"cannot be configured: its image runs as root, and it must not", "runAsNonRoot and image will run as root", "run_as_user"},
	},
	{
		name: "volume-config-map-missing", cause: health.CauseVolumeSource, class: health.Certain,
		config: config{
			deployment: `volumes = { settings = { config_map = { name = "settings" } } }`,
			container:  `volume_mounts = { "/etc/settings" = { volume = "settings" } }`,
		},
		tells: []string{`volume "settings" is made of the configmap "settings", which does not exist`, `configmap "settings" not found`, `create the configmap "settings"`},
	},
	{
		name: "volume-secret-missing", cause: health.CauseVolumeSource, class: health.Certain,
		config: config{
			deployment: `volumes = { db = { secret = { name = "db" } } }`,
			container:  `volume_mounts = { "/etc/db" = { volume = "db" } }`,
		},
		tells: []string{`volume "db" is made of the secret "db", which does not exist`, `secret "db" not found`, `create the secret "db"`},
	},

	// What the cluster refuses.
	{
		name: "quota", cause: health.CauseQuota, class: health.Certain,
		prepare: func(t *testing.T, w *workspace) {
			quota := &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "small"},
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}},
			}
			quotas := w.cluster.Client().CoreV1().ResourceQuotas(w.namespace)
			if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			testcluster.Eventually(t, testcluster.Hang, "the quota to be counted", func() error {
				found, err := quotas.Get(t.Context(), quota.Name, metav1.GetOptions{})
				if used := found.Status.Used[corev1.ResourcePods]; err == nil && used.Value() != 1 {
					err = fmt.Errorf("%s pods are used", used.String())
				}
				return err
			})
		},
		tells: []string{`ResourceQuota "small" has no room for the pods`, "exceeded quota: small", "requested: pods=1, used: pods=1, limited: pods=1", `ResourceQuota "small" now: pods 1 of 1`, "free some of the quota"},
	},
	{
		name: "pod-security", cause: health.CausePodSecurity, class: health.Certain,
		prepare: func(t *testing.T, w *workspace) { w.enforceRestricted(t) },
		tells: []string{
			"allows only pods of the Pod Security level restricted", `violates PodSecurity "restricted:latest"`, "runAsNonRoot != true", `pod_security = "restricted"`,
		},
	},
}

// TestFailure lets each thing go wrong for real that a user meets, beside a
// version that has the traffic: the error says what it is, and the traffic
// stays.
func TestFailure(t *testing.T) {
	t.Parallel()
	c := shared(t)
	for _, name := range []string{"shop/app:1.0", "private/app:1.0", "basic/app:1.0", "forbidden/app:1.0", "limited/app:1.0", "broken/app:1.0", "foreign/app:1.0", "garbage/app:1.0"} {
		if _, err := c.Push(t.Context(), testnode.AppImage("v2"), name); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range slices.Concat(failures, failuresOfPlaces) {
		t.Run(tc.name, func(t *testing.T) {
			beside(t, light)
			tc.run(t, c)
		})
	}
}

func (f failure) run(t *testing.T, c *testnode.Cluster) {
	w := newWorkspace(t, newNamespace(t))
	watch := testcluster.Shared(t).WatchMain(t, w.namespace, config{}.name())
	first := config{version: "v1", replicas: 1}
	w.mustApply(first)
	main, pods := w.mainIs(first), w.podsOf(w.release())
	if f.prepare != nil {
		f.prepare(t, w)
	}

	second := f.config
	second.unasked = true // what the apply meets is what this is about
	second.version, second.replicas = "v2", orDefault(second.replicas, 1)
	if f.image != "" {
		second.image = c.Registry + "/" + f.image
	}
	// What failed is kept: it is looked at below.
	second.deployment += fmt.Sprintf("\non_failure = \"keep\"\ntimeouts = { create = %q }\n", orDefault(f.timeout, "3m"))
	message := w.failsToApply(t, second)
	mustTell(t, message, "Error: Deployment failed to start: "+string(f.cause), "Traffic: unchanged, 100 % on "+main)
	mustTell(t, message, f.tells...)
	if f.class == health.Patient {
		mustTell(t, message, "it was not done within "+f.timeout, "timeouts.create")
	}

	// As before: what has the traffic, the pods of that, and the state.
	watch.NeverEmpty(t)
	if now := w.mainIs(first); now != main || w.release() != main {
		t.Errorf("main is %s, and the state has %s; it was %s", now, w.release(), main)
	}
	if now := w.podsOf(main); len(now) != 1 || now[0].UID != pods[0].UID || now[0].Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the pods of %s are not those of before: %v", main, now)
	}
	if _, header, err := get(t.Context(), w.address(first)); err != nil || header.Get("X-Version") != "v1" {
		t.Errorf("the application answers %v, %v", header, err)
	}
	failed := w.releaseOtherThan(t, main)
	mustTell(t, message, failed)
	wantVerdict(t, c, w.namespace, failed, f.name, f.cause, f.class)
}

// failsToApply applies what cannot work, and returns the error as a user reads
// it.
func (w *workspace) failsToApply(t *testing.T, c config) string {
	t.Helper()
	x := w.startApply(c)
	output, err := x.wait()
	if err == nil {
		t.Fatalf("the apply succeeded:\n%s", output)
	}
	at := strings.Index(output, "Error: ")
	if at < 0 {
		t.Fatalf("the apply told no error:\n%s", output)
	}
	t.Logf("after %s:\n%s", time.Since(x.Began).Round(100*time.Millisecond), output[at:])
	return output[at:]
}

// mustTell fails the test unless the message has all the texts. How the CLI
// breaks lines does not matter.
func mustTell(t *testing.T, message string, texts ...string) {
	t.Helper()
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for _, text := range texts {
		if !strings.Contains(words(message), words(text)) {
			t.Errorf("the message does not say %q:\n%s", text, message)
		}
	}
}

// releaseOtherThan is the only other release in the namespace.
func (w *workspace) releaseOtherThan(t *testing.T, name string) string {
	t.Helper()
	list, err := w.cluster.Client().AppsV1().Deployments(w.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := ""
	for _, d := range list.Items {
		if d.Name != name {
			other = d.Name
		}
	}
	if len(list.Items) != 2 || other == "" {
		t.Fatalf("there are %d workloads, want %s and another", len(list.Items), name)
	}
	return other
}

// pullSecret makes a Secret for the node's registry.
func (w *workspace) pullSecret(t *testing.T, name, password string) {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(testnode.RegistryUser + ":" + password))
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Type:       corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, w.cluster.Registry, auth)},
	}
	if _, err := w.cluster.Client().CoreV1().Secrets(w.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// enforceRestricted makes the namespace refuse pods that are not locked down.
func (w *workspace) enforceRestricted(t *testing.T) {
	t.Helper()
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if _, err := w.cluster.Client().CoreV1().Namespaces().Patch(t.Context(), w.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestPullSecret pulls what only an account may pull. It has a node of its own:
// a kubelet that has pulled an image with a Secret does not let pods without one
// have it any more, also not by the name by which it was there before.
// https://kubernetes.io/docs/concepts/containers/images/#ensureimagepullcredentialverification
func TestPullSecret(t *testing.T) {
	beside(t, ownOne)
	c := testnode.Start(t, testnode.Options{})
	for _, kind := range []string{"private", "basic"} {
		image, err := c.Push(t.Context(), testnode.AppImage("v2"), kind+"/app:1.0")
		if err != nil {
			t.Fatal(err)
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorkspaceOn(t, c, metav1.NamespaceDefault)
			w.pullSecret(t, kind, testnode.RegistryPassword)
			cfg := config{application: kind, version: "v2", replicas: 1, image: image, deployment: fmt.Sprintf("image_pull_secrets = [%q]", kind)}
			w.mustApply(cfg)
			if _, header := getEventually(t, w.address(cfg)); header.Get("X-Version") != "v2" {
				t.Errorf("the application answers %v", header)
			}
			w.planIsEmpty(cfg)
		})
	}
}

// TestInvalidImageNameIsFoundByThePlan needs no pod to fail.
func TestInvalidImageNameIsFoundByThePlan(t *testing.T) {
	beside(t, light)
	w := newWorkspace(t, newNamespace(t))
	for image, tells := range map[string]string{
		"registry.example/Shop/app:1.0": "try registry.example/shop/app:1.0",
		"registry.example/shop/app:":    "registry/repository:tag",
		"registry.example/shop/ app":    "registry/repository:tag",
	} {
		_, output, err := w.plan(config{version: "v1", image: image})
		if err == nil {
			t.Errorf("the plan with image %q succeeds:\n%s", image, output)
		}
		mustTell(t, output, "Error: Invalid image reference", tells)
	}
}

// TestReadyBetweenTwoCrashes: a container that crashes again and again may be
// ready for seconds, and that must not bring it the traffic. One that gets over
// it gets it.
func TestReadyBetweenTwoCrashes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		then   map[string][]byte // the environment once it has crashed
		starts bool
	}{
		"crashes again": {map[string][]byte{"APP_CRASH_AFTER": []byte("4s")}, false},
		"recovers":      {map[string][]byte{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t, light)
			w := newWorkspace(t, newNamespace(t))
			first := config{version: "v1", replicas: 1, drain: "1s"}
			w.mustApply(first)
			main := w.mainIs(first)

			// What the container reads at each of its starts.
			secrets := w.cluster.Client().CoreV1().Secrets(w.namespace)
			secret := &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "behaviour"},
				Data:       map[string][]byte{"APP_CRASH_AFTER": []byte("100ms"), "APP_NEVER_READY": []byte("true")},
			}
			if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			second := first
			second.version, second.container = "v2", `env_from = [{ secret = "behaviour" }]`
			x := w.startApply(second)
			testcluster.Eventually(t, testcluster.Hang, "a crash", func() error {
				pods, err := w.cluster.Client().CoreV1().Pods(w.namespace).List(t.Context(), metav1.ListOptions{})
				if err != nil {
					return err
				}
				var seen []string
				for _, pod := range pods.Items {
					seen = append(seen, fmt.Sprintf("%s: %+v", pod.Name, pod.Status))
					if len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].RestartCount > 0 {
						return nil
					}
				}
				return fmt.Errorf("there was none:\n%s\n%s", strings.Join(seen, "\n"), x.text())
			})
			secret.Data = tc.then
			if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			output, err := x.wait()
			now := w.mainIs(first)
			if tc.starts && (err != nil || now == main) {
				t.Errorf("main is %s, %v", now, err)
			}
			if !tc.starts {
				mustTell(t, output, "Error: Deployment failed to start: CrashLoopBackOff")
				if err == nil || now != main {
					t.Errorf("main is %s, it was %s; %v", now, main, err)
				}
			}
		})
	}
}
