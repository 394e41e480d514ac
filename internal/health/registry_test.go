package health_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// What kubelets really wrote, with containerd, CRI-O and cri-dockerd below them;
// hosts and names are changed.
var pulls = []struct {
	image, text string
	cause       health.Cause
	says        string // the end of the sentence
	evidence    string // its first line
}{
	// Not there.
	{
		"ghcr.io/acme/api:v9", `Back-off pulling image "ghcr.io/acme/api:v9": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/acme/api:v9": failed to resolve reference "ghcr.io/acme/api:v9": ghcr.io/acme/api:v9: not found`,
		health.CauseImageNotFound, "cannot pull ghcr.io/acme/api:v9: registry ghcr.io has no such image", "the registry said: not found",
	},
	{
		"acme/api:v9", `rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/acme/api:v9": failed to resolve reference "docker.io/acme/api:v9": docker.io/acme/api:v9: not found`,
		health.CauseImageNotFound, "registry docker.io has no such image", "the registry said: not found",
	},
	{
		"quay.io/acme/api:v9", `rpc error: code = Unknown desc = Error reading manifest v9 in quay.io/acme/api: manifest unknown: manifest unknown`,
		health.CauseImageNotFound, "registry quay.io has no such image", "the registry said: manifest unknown",
	},
	{
		"quay.io/acme/api:v9", `unable to pull image or OCI artifact: pull image err: initializing source docker://quay.io/acme/api:v9: reading manifest v9 in quay.io/acme/api: manifest unknown; artifact err: get manifest: build image source: reading manifest v9 in quay.io/acme/api: manifest unknown`,
		health.CauseImageNotFound, "registry quay.io has no such image", "the registry said: manifest unknown; artifact err: get manifest: build image source: manifest unknown",
	},
	{
		"acme/api:v9", `rpc error: code = Unknown desc = Error response from daemon: manifest for acme/api:v9 not found: manifest unknown: manifest unknown`,
		health.CauseImageNotFound, "the registry has no such image", "the registry said: manifest for acme/api:v9 not found: manifest unknown",
	},
	{
		"registry.example/denied/401-timeout:v429", `failed to pull and unpack image "registry.example/denied/401-timeout:v429": failed to resolve reference "registry.example/denied/401-timeout:v429": registry.example/denied/401-timeout:v429: not found`,
		health.CauseImageNotFound, "registry registry.example has no such image", "the registry said: not found",
	},

	// Refused.
	{
		"registry.example/acme/api:v1", `failed to pull and unpack image "registry.example/acme/api:v1": failed to resolve reference "registry.example/acme/api:v1": pulling from host registry.example failed with status code [manifests v1]: 401 Unauthorized`,
		health.CauseImageUnauthorized, "registry registry.example wants a login that may pull it (401)", "the registry said: 401 Unauthorized",
	},
	{
		"registry.example/acme/api:v1", `failed to pull and unpack image "registry.example/acme/api:v1": failed to resolve reference "registry.example/acme/api:v1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.example/token?scope=repository%3Aacme%2Fapi%3Apull: 401 Unauthorized`,
		health.CauseImageUnauthorized, "wants a login that may pull it (401)", "the registry said: 401 Unauthorized",
	},
	{
		"acme/api:v1", `failed to pull and unpack image "docker.io/acme/api:v1": failed to resolve reference "docker.io/acme/api:v1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`,
		health.CauseImageUnauthorized, "registry docker.io has no such repository, or wants a login that may pull from it (401)", "the registry said: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
	},
	{
		"acme/api:v1", `rpc error: code = Unknown desc = Error response from daemon: pull access denied for acme/api, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
		health.CauseImageUnauthorized, "the registry has no such repository, or wants a login that may pull from it (401)", "the registry said: pull access denied for acme/api, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
	},
	{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:v1", `rpc error: code = Unknown desc = failed to pull and unpack image "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:v1": failed to resolve reference "123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:v1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`,
		health.CauseImageUnauthorized, "(401)", "the registry said: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
	},
	{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/api:v1", `rpc error: code = Unknown desc = Error response from daemon: Get https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/api/manifests/v1: no basic auth credentials`,
		health.CauseImageUnauthorized, "registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com wants a login that may pull it (401)", "",
	},
	{
		"registry.example/acme/api:v1", `rpc error: code = Unknown desc = unable to retrieve auth token: invalid username/password: unauthorized: Please login to the Registry using your credentials`,
		health.CauseImageUnauthorized, "(401)", "the registry said: invalid username/password: unauthorized: Please login to the Registry using your credentials",
	},
	{
		"registry.example/acme/api:v1", `initializing source docker://registry.example/acme/api:v1: reading manifest v1 in registry.example/acme/api: unauthorized: access to the requested resource is not authorized`,
		health.CauseImageUnauthorized, "(401)", "the registry said: unauthorized: access to the requested resource is not authorized",
	},
	{
		"ghcr.io/acme/api:v1", `failed to pull and unpack image "ghcr.io/acme/api:v1": failed to resolve reference "ghcr.io/acme/api:v1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Aacme%2Fapi%3Apull&service=ghcr.io: 403 Forbidden`,
		health.CauseImageUnauthorized, "registry ghcr.io refuses it (403)", "the registry said: 403 Forbidden",
	},
	{
		"registry.example/acme/api:v1", `reading manifest v1 in registry.example/acme/api: denied: requested access to the resource is denied`,
		health.CauseImageUnauthorized, "registry registry.example refuses it (403)", "the registry said: denied: requested access to the resource is denied",
	},

	// Too often.
	{
		"acme/api:v1", `failed to pull and unpack image "docker.io/acme/api:v1": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/acme/api/manifests/sha256:50aa4698fa6262977cff89181b2664b99d8a56dbca847bf62f2ef04854597cf8: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit`,
		health.CauseImageRateLimited, "registry registry-1.docker.io serves no more for now (429)", "the registry said: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
	},
	{
		"acme/api:v1", `rpc error: code = Unknown desc = Error response from daemon: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit`,
		health.CauseImageRateLimited, "serves no more for now (429)", "the registry said: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
	},
	{
		"docker.io/acme/api:v1", `rpc error: code = Unknown desc = Error reading manifest v1 in docker.io/acme/api: toomanyrequests: You have reached your pull rate limit.`,
		health.CauseImageRateLimited, "registry docker.io serves no more for now (429)", "the registry said: toomanyrequests: You have reached your pull rate limit.",
	},

	// Out of reach.
	{
		"registry.invalid/acme/api:v0", `rpc error: code = Unknown desc = failed to pull and unpack image "registry.invalid/acme/api:v0": failed to resolve reference "registry.invalid/acme/api:v0": failed to do request: Head "https://registry.invalid/v2/acme/api/manifests/v0": dial tcp: lookup registry.invalid on 127.0.0.53:53: no such host`,
		health.CauseRegistryUnavailable, "the name of registry registry.invalid cannot be looked up", "the node said: dial tcp: lookup registry.invalid on 127.0.0.53:53: no such host",
	},
	{
		"registry.invalid/shop/app:1.0", `failed to pull and unpack image "registry.invalid/shop/app:1.0": failed to resolve reference "registry.invalid/shop/app:1.0": failed to do request: Head "https://registry.invalid/v2/shop/app/manifests/1.0": dial tcp: lookup registry.invalid on 10.255.255.53:53: read udp 10.193.0.2:33645->10.255.255.53:53: i/o timeout`,
		health.CauseRegistryUnavailable, "the name of registry registry.invalid cannot be looked up", "",
	},
	{
		"ghcr.io/acme/api:v1", `failed to pull and unpack image "ghcr.io/acme/api:v1": failed to resolve reference "ghcr.io/acme/api:v1": failed to do request: Head "https://ghcr.io/v2/acme/api/manifests/v1": dial tcp: lookup ghcr.io: Try again`,
		health.CauseRegistryUnavailable, "the name of registry ghcr.io cannot be looked up", "the node said: dial tcp: lookup ghcr.io: Try again",
	},
	{
		"registry.k8s.io/pause:3", `rpc error: code = DeadlineExceeded desc = failed to pull and unpack image "registry.k8s.io/pause:3": failed to resolve reference "registry.k8s.io/pause:3": failed to do request: Head "https://asia-east1-docker.pkg.dev/v2/k8s-artifacts-prod/images/pause/manifests/3": dial tcp 74.125.204.82:443: i/o timeout`,
		health.CauseRegistryUnavailable, "registry asia-east1-docker.pkg.dev does not answer in time", "the node said: dial tcp 74.125.204.82:443: i/o timeout",
	},
	{
		"busybox:1.36.1", `(combined from similar events): Failed to pull image "busybox:1.36.1": rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/library/busybox:1.36.1": failed to resolve reference "docker.io/library/busybox:1.36.1": failed to do request: Head "https://registry-1.docker.io/v2/library/busybox/manifests/1.36.1": read tcp 10.2.0.49:50840->3.91.167.191:443: read: connection reset by peer`,
		health.CauseRegistryUnavailable, "the connection to registry registry-1.docker.io breaks off", "the node said: read tcp 10.2.0.49:50840->3.91.167.191:443: read: connection reset by peer",
	},
	{
		"harbor.example/library/debug:v1", `rpc error: code = Unknown desc = failed to pull and unpack image "harbor.example/library/debug:v1": failed to resolve reference "harbor.example/library/debug:v1": failed to do request: Head "https://harbor.example/v2/library/debug/manifests/v1": x509: certificate signed by unknown authority`,
		health.CauseRegistryUnavailable, "the node does not accept the certificate of registry harbor.example", "the node said: x509: certificate signed by unknown authority",
	},
	{
		"quay.example:5050/acme/api:v1", `rpc error: code = Unknown desc = error pinging docker registry quay.example:5050: Get "https://quay.example:5050/v2/": x509: certificate signed by unknown authority`,
		health.CauseRegistryUnavailable, "the certificate of registry quay.example:5050", "the node said: x509: certificate signed by unknown authority",
	},
	{
		"registry.internal:5001/acme/api:v1", `failed to pull and unpack image "registry.internal:5001/acme/api:v1": failed to resolve reference "registry.internal:5001/acme/api:v1": failed to do request: Head "https://registry.internal:5001/v2/acme/api/manifests/v1": http: server gave HTTP response to HTTPS client`,
		health.CauseRegistryUnavailable, "registry registry.internal:5001 speaks no TLS", "the node said: http: server gave HTTP response to HTTPS client",
	},
	{
		"busybox", `failed to pull and unpack image "docker.io/library/busybox:latest": failed to resolve reference: Head "https://registry-1.docker.io/v2/library/busybox/manifests/latest": net/http: TLS handshake timeout`,
		health.CauseRegistryUnavailable, "registry registry-1.docker.io does not answer in time", "the node said: failed to resolve reference: net/http: TLS handshake timeout",
	},
	{
		"registry.example/acme/api:v1", `failed to pull and unpack image "registry.example/acme/api:v1": failed to resolve reference "registry.example/acme/api:v1": pulling from host registry.example failed with status code [manifests v1]: 503 Service Unavailable`,
		health.CauseRegistryUnavailable, "registry registry.example answers with a server error (503)", "the registry said: 503 Service Unavailable",
	},
	{
		"registry.example/acme/api:v1", `initializing source docker://registry.example/acme/api:v1: pinging container registry registry.example: received unexpected HTTP status: 502 Bad Gateway`,
		health.CauseRegistryUnavailable, "registry registry.example answers with a server error (502)", "",
	},
	{
		"registry.example/acme/api:v1", `rpc error: code = Unknown desc = failed to pull and unpack image "registry.example/acme/api:v1": failed to resolve reference "registry.example/acme/api:v1": failed to authorize: failed to fetch oauth token: Post "https://auth.example/token": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		health.CauseRegistryUnavailable, "registry auth.example does not answer in time", "",
	},

	// For another platform.
	{
		"ghcr.io/acme/api:v1", `rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/acme/api:v1": no match for platform in manifest: not found`,
		health.CauseImagePlatform, "it was not built for the node's platform", "the node said: no match for platform in manifest: not found",
	},
	{
		"quay.io/acme/api:v1", `rpc error: code = Unknown desc = no matching manifest for linux/arm64/v8 in the manifest list entries`,
		health.CauseImagePlatform, "it was not built for the node's platform, linux/arm64/v8", "",
	},
	{
		"quay.io/acme/api:v1", `rpc error: code = Unknown desc = choosing image instance: no image found in manifest list for architecture amd64, variant "", OS linux`,
		health.CauseImagePlatform, "it was not built for the node's platform, linux/amd64", "",
	},
	{
		"quay.io/acme/api:v1", `copying system image from manifest list: choosing an image from manifest list docker://quay.io/acme/api:v1: no image found in image index for architecture "arm64", variant "v8", OS "linux"`,
		health.CauseImagePlatform, "it was not built for the node's platform, linux/arm64", "",
	},

	// Garbage.
	{
		"ghcr.io/acme/api:2", `rpc error: code = Unknown desc = failed to pull and unpack image "ghcr.io/acme/api:2": failed to extract layer sha256:7bb20cf5ef67526cb843d264145241ce4dde09a337b5be1be42ba464de9a672d: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount802132737: archive/tar: invalid tar header: unknown`,
		health.CauseImageUnusable, "what registry ghcr.io has under this name is no image that the node can use", "",
	},
	{
		"acme/api:3.9.0", `rpc error: code = FailedPrecondition desc = failed to pull and unpack image "docker.io/acme/api:3.9.0": failed commit on ref "layer-sha256:1860da6d8902305631883be7a65a6a60d5f24be9048bf82c8c454ac2748d3950": unexpected commit digest sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, expected sha256:1860da6d8902305631883be7a65a6a60d5f24be9048bf82c8c454ac2748d3950: failed precondition`,
		health.CauseImageUnusable, "no image that the node can use", "",
	},
	{
		"ubuntu:latest", `rpc error: code = Unknown desc = copying system image from manifest list: parsing image configuration: unsupported image-specific operation on artifact with type "application/vnd.docker.container.image.v1+json"`,
		health.CauseImageUnusable, "no image that the node can use", "",
	},

	{
		"registry.example/garbage/app:1.0", `failed to pull and unpack image "registry.example/garbage/app:1.0": failed to extract layer sha256:66a595f0a3411c278d4bf865ce67b398870ced22c7c573258432eae6da7777bb: unexpected EOF: unknown`,
		health.CauseImageUnusable, "no image that the node can use", "",
	},

	// The node's own matters, and what is none of those.
	{
		"ghcr.io/acme/api:v1", `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"`,
		health.CauseImagePull, "the node's container runtime does not answer", "",
	},
	{
		"ghcr.io/acme/api:v1", `failed to pull and unpack image "ghcr.io/acme/api:v1": failed to extract layer sha256:7bb2: context deadline exceeded: unknown`,
		health.CauseImagePull, "the node cannot unpack it", "",
	},
	{"ghcr.io/acme/api:v1", "pull QPS exceeded", health.CauseImagePull, "the node pulls too many images at once", "the node said: pull QPS exceeded"},
	{
		"ghcr.io/acme/api:v1", `failed to pull and unpack image "ghcr.io/acme/api:v1": failed to extract layer sha256:7bb2: write /var/lib/containerd/x: no space left on device: unknown`,
		health.CauseImagePull, "the node's disk is full", "",
	},
	{"ghcr.io/acme/api:v1", "rpc error: code = Unknown desc = something new", health.CauseImagePull, "cannot pull ghcr.io/acme/api:v1", "the node said: something new"},
	{"ghcr.io/acme/api:v1", `Back-off pulling image "ghcr.io/acme/api:v1"`, health.CauseImagePull, "cannot pull ghcr.io/acme/api:v1", ""},
}

func TestWhatRegistriesSay(t *testing.T) {
	for _, tc := range pulls {
		in := pulling(tc.image, tc.text)
		got := health.Compute(in).Findings[0]
		first, _, _ := strings.Cut(got.Evidence, "\n")
		if got.Cause != tc.cause || !strings.HasSuffix(got.Sentence, tc.says) || tc.evidence != "" && first != tc.evidence {
			t.Errorf("%s\n  is %s\n  %q\n  %q, want\n  %s\n  %q\n  %q", tc.text, got.Cause, got.Sentence, first, tc.cause, tc.says, tc.evidence)
		}
		if !strings.Contains(got.Sentence, tc.image) || got.Hint == "" {
			t.Errorf("%s\n  neither image nor hint: %+v", tc.text, got)
		}

		// The same by way of an event, where the status only waits.
		in.Pods[0].Status.ContainerStatuses[0].State.Waiting.Message = `Back-off pulling image "` + tc.image + `"`
		in.Events = []*corev1.Event{failedPull(in.Pods[0], tc.text, 1)}
		if got := health.Compute(in).Findings[0]; got.Cause != tc.cause || !strings.HasSuffix(got.Sentence, tc.says) {
			t.Errorf("by event: %s\n  is %s: %s", tc.text, got.Cause, got.Sentence)
		}
	}
}

// A registry that is busy or away for a moment fails no release; one that stays
// away does not cost the whole timeout.
func TestFailedPullsAreCounted(t *testing.T) {
	limited, missing := "429 Too Many Requests", "manifest unknown"
	for name, tc := range map[string]struct {
		events []string
		counts []int32
		class  health.Class
	}{
		"no event":             {nil, nil, health.Patient},
		"once":                 {[]string{limited}, []int32{1}, health.Patient},
		"twice":                {[]string{limited}, []int32{2}, health.Patient},
		"three times":          {[]string{limited}, []int32{3}, health.Repeated},
		"each in other words":  {[]string{limited, limited + " again", limited + " still"}, []int32{1, 1, 1}, health.Repeated},
		"others do not count":  {[]string{limited, missing}, []int32{2, 5}, health.Patient},
		"nor what echoes them": {[]string{limited, ""}, []int32{2, 9}, health.Patient},
	} {
		in := pulling("registry.example/acme/api:v1", limited)
		for i, text := range tc.events {
			in.Events = append(in.Events, failedPull(in.Pods[0], text, tc.counts[i]))
		}
		got := health.Compute(in)
		if got.Class != tc.class || got.Findings[0].Cause != health.CauseImageRateLimited || (got.State == health.Failed) != (tc.class == health.Repeated) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// CRI-O has a reason of its own for it, with any text.
func TestReasonRegistryUnavailable(t *testing.T) {
	for text, says := range map[string]string{
		"image pull failed for quay.io/acme/api:v1 because the registry is unavailable":                     "registry quay.io does not answer",
		"image pull failed for quay.io/acme/api:v1 because the registry is unavailable: 503":                "registry quay.io does not answer",
		"image pull failed for quay.io/acme/api:v1 because the registry is unavailable: connection refused": "registry quay.io refuses connections",
	} {
		in := pulling("quay.io/acme/api:v1", text)
		in.Pods[0].Status.ContainerStatuses[0].State.Waiting.Reason = "RegistryUnavailable"
		got := health.Compute(in)
		if f := got.Findings[0]; f.Cause != health.CauseRegistryUnavailable || !strings.HasSuffix(f.Sentence, says) || got.Class != health.Patient || !got.NeedsEvents() {
			t.Errorf("%s: got %+v", text, got)
		}
		in.Events = []*corev1.Event{failedPull(in.Pods[0], "RegistryUnavailable: no words", health.PullThreshold)}
		in.Events[0].FirstTimestamp, in.Events[0].LastTimestamp, in.Events[0].EventTime = metav1.Time{}, metav1.Time{}, metav1.NewMicroTime(noon)
		if got := health.Compute(in); got.Class != health.Repeated || !strings.HasSuffix(got.Findings[0].Evidence, `event "Failed" 3 times`) {
			t.Errorf("%s, three times: got %+v", text, got)
		}
		in.Events[0].EventTime, in.Events[0].CreationTimestamp = metav1.MicroTime{}, metav1.NewTime(noon)
		if got := health.Compute(in); got.Class != health.Repeated {
			t.Errorf("%s, by creation: got %+v", text, got)
		}
	}
	for _, certain := range []string{"manifest unknown", "401 Unauthorized"} {
		if health.Compute(pulling("quay.io/acme/api:v1", certain)).NeedsEvents() {
			t.Errorf("%s is certain by itself", certain)
		}
	}
	if (health.Verdict{}).NeedsEvents() {
		t.Error("nothing needs events")
	}
}

// The pod may tell why its login does not work.
func TestHintForALogin(t *testing.T) {
	in := pulling("registry.example/acme/api:v1", "401 Unauthorized")
	hint := func() string { return health.Compute(in).Findings[0].Hint }
	if got := hint(); !strings.Contains(got, "the pods have none") {
		t.Error(got)
	}
	in.Pods[0].Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "one"}, {Name: "two"}}
	if got := hint(); !strings.Contains(got, `Secret "one", "two" in namespace "shop" has a login for registry.example`) {
		t.Error(got)
	}
	gone := failedPull(in.Pods[0], "", 1)
	gone.Reason, gone.InvolvedObject.FieldPath = "FailedToRetrieveImagePullSecret", ""
	gone.Message = "Unable to retrieve some image pull secrets (two); attempting to pull the image may not succeed."
	in.Events = append(in.Events, gone)
	if got := hint(); !strings.Contains(got, `create Secret "two" in namespace "shop"`) {
		t.Error(got)
	}
}

// pulling is a release whose only pod cannot pull its image.
func pulling(image, message string) health.Input {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "api-1-a", Namespace: "shop", UID: "1"}}
	pod.Spec.Containers = []corev1.Container{{Name: "api", Image: image}}
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "api", Image: image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: message}},
	}}
	return health.Input{Workload: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "api-1"}}, WantReplicas: 1, Pods: []*corev1.Pod{pod}}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failedPull is the kubelet's event, or that which echoes it where there is no text.
func failedPull(pod *corev1.Pod, text string, count int32) *corev1.Event {
	message := "Error: ErrImagePull"
	if text != "" {
		message = `Failed to pull image "` + pod.Spec.Containers[0].Image + `": ` + text
	}
	return &corev1.Event{
		Reason: "Failed", Message: message, Count: count, FirstTimestamp: metav1.NewTime(noon), LastTimestamp: metav1.NewTime(noon.Add(40 * time.Second)),
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{api}"},
	}
}
