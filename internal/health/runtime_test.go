package health_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// What kubelets really say of a container that they cannot configure, create or
// start, with containerd and runc, CRI-O and crun, and cri-dockerd.
func TestWhatRuntimesSay(t *testing.T) {
	for _, tc := range []struct {
		reason, text string
		cause        health.Cause
		class        health.Class
		says, hint   string
	}{
		{
			"CreateContainerConfigError", `secret "db" not found`,
			health.CauseContainerConfig, health.Certain, `cannot be configured: Secret "db" does not exist`, `create Secret "db" in namespace "shop"`,
		},
		{
			"CreateContainerConfigError", `configmap "settings" not found`,
			health.CauseContainerConfig, health.Certain, `cannot be configured: ConfigMap "settings" does not exist`, `create ConfigMap "settings" in namespace "shop"`,
		},
		{
			"CreateContainerConfigError", `couldn't find key url in Secret shop/db`,
			health.CauseContainerConfig, health.Certain, `cannot be configured: Secret "db" has no key "url"`, `add the key "url" to Secret "db"`,
		},
		{
			"CreateContainerConfigError", `couldn't find key password in ConfigMap shop/settings`,
			health.CauseContainerConfig, health.Certain, `ConfigMap "settings" has no key "password"`, `add the key "password"`,
		},
		{
			"CreateContainerConfigError", `container has runAsNonRoot and image will run as root (pod: "api_shop(1)", container: api)`,
			health.CauseContainerConfig, health.Certain, `its image runs as root, and it must not`, `run_as_user`,
		},
		{
			"CreateContainerConfigError", `container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: "api_shop(1)", container: api)`,
			health.CauseContainerConfig, health.Certain, `its image runs as "nginx", of whom nobody knows that it is not root`, `that user's number`,
		},
		{
			"CreateContainerConfigError", `failed to sync configmap cache: timed out waiting for the condition`,
			health.CauseContainerConfig, health.Patient, `the node has not got a configmap that it needs yet`, `API server`,
		},
		{
			"CreateContainerConfigError", `something new`,
			health.CauseContainerConfig, health.Certain, `cannot be configured`, `create what it names`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/bin/none": stat /bin/none: no such file or directory: unknown`,
			health.CauseContainerRun, health.Certain, `cannot be started: the image has no program "/bin/none"`, `correct command`,
		},
		{
			"RunContainerError", `failed to start container "0a1b": Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "sevrer": executable file not found in $PATH: unknown`,
			health.CauseContainerRun, health.Certain, `the image has no program "sevrer"`, `correct command`,
		},
		{
			"CreateContainerError", "container create failed: executable file `sevrer` not found in $PATH: No such file or directory",
			health.CauseContainerRun, health.Certain, `cannot be created: the image has no program "sevrer"`, `correct command`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/app": permission denied: unknown`,
			health.CauseContainerRun, health.Certain, `"/app" may not be executed`, `chmod +x`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/srv": is a directory: unknown`,
			health.CauseContainerRun, health.Certain, `"/srv" is a directory`, `name a program in command`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec /app: exec format error: unknown`,
			health.CauseExecFormat, health.Certain, `its program is for another platform than the node's, or a script without a #! line`, `the nodes' platform`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/1/volumes/kubernetes.io~configmap/c" to rootfs at "/etc/app.conf": mount /x:/etc/app.conf (via /proc/self/fd/6), flags: 0x5001: not a directory: unknown`,
			health.CauseContainerRun, health.Certain, `nothing can be mounted at "/etc/app.conf"`, `sub_path`,
		},
		{
			"RunContainerError", `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: chdir to cwd ("/srv/app") set in config.json failed: permission denied: unknown`,
			health.CauseContainerRun, health.Certain, `its working directory "/srv/app" is not there, or closed to its user`, `WORKDIR`,
		},
		{
			"CreateContainerError", `failed to generate container "9d0e" spec: failed to generate spec: no command specified`,
			health.CauseContainerCreate, health.Certain, `neither the image nor the configuration says which program to run`, `ENTRYPOINT`,
		},
		{
			"CreateContainerError", `context deadline exceeded`,
			health.CauseContainerCreate, health.Patient, `the node's container runtime is in trouble`, `disk`,
		},
		{
			"CreateContainerError", `failed to reserve container name "api_api_shop_1_0": name "api_api_shop_1_0" is reserved for "9d0e"`,
			health.CauseContainerCreate, health.Patient, `the node's container runtime is in trouble`, `disk`,
		},
		{
			"CreateContainerError", `something new`,
			health.CauseContainerCreate, health.Certain, `cannot be created`, `check command and args`,
		},
	} {
		in := pulling("ghcr.io/acme/api:v1", tc.text)
		in.Pods[0].Status.ContainerStatuses[0].State.Waiting.Reason = tc.reason
		got := health.Compute(in).Findings[0]
		if got.Cause != tc.cause || got.Class != tc.class || !strings.HasSuffix(got.Sentence, tc.says) || !strings.Contains(got.Hint, tc.hint) {
			t.Errorf("%s\n  is %s, %s\n  %q, want %q\n  %q, want %q", tc.text, got.Cause, got.Class, got.Sentence, tc.says, got.Hint, tc.hint)
		}
	}
}

// crashing is a release whose only container has ended so often.
func crashing(restarts int32, end corev1.ContainerStateTerminated) health.Input {
	in := pulling("ghcr.io/acme/api:v1", "")
	in.Pods[0].Status.Phase = corev1.PodRunning
	status := &in.Pods[0].Status.ContainerStatuses[0]
	status.State.Waiting.Reason, status.RestartCount = "CrashLoopBackOff", restarts
	end.StartedAt, end.FinishedAt = metav1.NewTime(noon), metav1.NewTime(noon.Add(42*time.Second))
	status.LastTerminationState.Terminated = &end
	return in
}

// A runtime that could not execute a program leaves its own words in place of
// the program's; a program that met the same tells more.
func TestProgramsThatCannotBeExecuted(t *testing.T) {
	for _, tc := range []struct {
		said     string
		restarts int32
		cause    health.Cause
		class    health.Class
	}{
		{"exec /usr/local/bin/api: exec format error", 0, health.CauseExecFormat, health.Certain},
		{"exec /usr/local/bin/api: exec format error\n", 3, health.CauseExecFormat, health.Certain},
		{"standard_init_linux.go:228: exec user process caused: exec format error", 0, health.CauseExecFormat, health.Certain},
		{`standard_init_linux.go:190: exec user process caused "exec format error"`, 0, health.CauseExecFormat, health.Certain},
		{"exec container process `/app`: Exec format error", 0, health.CauseExecFormat, health.Certain},
		{"starting\n/entrypoint.sh: line 3: /app: cannot execute binary file: Exec format error", 1, health.CauseExecFormat, health.Patient},
		{"exec /entrypoint.sh: no such file or directory", 0, health.CauseContainerRun, health.Certain},
		{"exec /entrypoint.sh: permission denied", 0, health.CauseContainerRun, health.Certain},
		{"open /etc/app.conf: no such file or directory", 1, health.CauseCrashLoop, health.Patient},
		{"OSError: [Errno 8] Exec format error: './x'", 1, health.CauseCrashLoop, health.Patient},
	} {
		in := crashing(tc.restarts, corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: tc.said})
		if got := health.Compute(in).Findings[0]; got.Cause != tc.cause || got.Class != tc.class || !strings.Contains(got.Evidence, strings.TrimSpace(tc.said)) {
			t.Errorf("%q: got %+v", tc.said, got)
		}
		// The same by its log alone, which is told once.
		in.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated.Message = ""
		ref := *health.Compute(in).Findings[0].LogsOf
		in.Around.Logs = map[health.PodRef]string{ref: tc.said}
		if got := health.Compute(in).Findings[0]; got.Cause != tc.cause || got.Class != tc.class || got.Log != strings.TrimSpace(tc.said) || got.Evidence != "" {
			t.Errorf("log %q: got %+v", tc.said, got)
		}
	}
}

func TestLimitOfCrashes(t *testing.T) {
	for name, tc := range map[string]struct {
		limit, restarts int32
		class           health.Class
	}{
		"default, below": {0, 2, health.Patient},
		"default":        {0, 3, health.Repeated},
		"higher":         {5, 4, health.Patient},
		"higher, there":  {5, 5, health.Repeated},
		"one":            {1, 1, health.Repeated},
	} {
		in := crashing(tc.restarts, corev1.ContainerStateTerminated{ExitCode: 1})
		in.Limits.Crashes = tc.limit
		if got := health.Compute(in).Class; got != tc.class {
			t.Errorf("%s: %s", name, got)
		}
		in = probed(tc.restarts)
		in.Limits.Crashes = tc.limit
		if got := health.Compute(in); got.Class != tc.class || got.Findings[0].Cause != health.CauseStartupKilled {
			t.Errorf("%s, of a probe: %+v", name, got)
		}
	}
	in := crashing(1, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"})
	in.Limits.Crashes = 9
	if got := health.Compute(in).Class; got != health.Repeated {
		t.Errorf("memory has a limit of its own: %s", got)
	}
}

// probed is a release whose only container was ended for its startup probe.
func probed(restarts int32) health.Input {
	in := crashing(restarts, corev1.ContainerStateTerminated{ExitCode: 143, Reason: "Error"})
	in.Pods[0].Spec.Containers[0].StartupProbe = &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3}
	in.Pods[0].Spec.Containers[0].LivenessProbe = &corev1.Probe{PeriodSeconds: 10, FailureThreshold: 3}
	in.Events = []*corev1.Event{
		podEvent(in.Pods[0], "Killing", "Container api failed startup probe, will be restarted"),
		podEvent(in.Pods[0], "Unhealthy", `Startup probe failed: Get "http://10.0.1.17:8080/healthz": dial tcp 10.0.1.17:8080: connect: connection refused`),
		podEvent(in.Pods[0], "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
	}
	return in
}

func podEvent(pod *corev1.Pod, reason, message string) *corev1.Event {
	e := failedPull(pod, "", 1)
	e.Reason, e.Message = reason, message
	return e
}

// The advice is computed from what the probe allows and what another pod needed.
func TestAdviceForAStartupProbe(t *testing.T) {
	in := probed(3)
	finding := func() health.Finding { return health.Compute(in).Findings[0] }
	if got := finding(); !strings.Contains(got.Sentence, `does not pass its startup_probe (nothing listens on port 8080): it was ended 42s after its start`) ||
		!strings.Contains(got.Hint, "startup_probe allows 30s (failure_threshold = 3, period_seconds = 10): where it needs longer") {
		t.Errorf("got %+v", got)
	}
	end := in.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated
	end.StartedAt = metav1.Time{} // as of a container whose remains were collected
	if got := finding().Sentence; !strings.Contains(got, "it was ended, with exit code 143 (SIGTERM), and was restarted 3 times") {
		t.Error(got)
	}
	ready := peer(in.Pods[0], 41*time.Second)
	in.Pods = append(in.Pods, ready)
	if got := finding().Hint; !strings.Contains(got, "in another pod it took 41s until it was ready: failure_threshold = 6 would do") {
		t.Error(got)
	}
	in.Pods[0].Spec.Containers[0].StartupProbe.InitialDelaySeconds = 20
	if got := finding().Hint; !strings.Contains(got, "allows 50s") || !strings.Contains(got, "was ready after 41s: see what keeps this one") {
		t.Error(got)
	}
}

func TestAdviceForALivenessProbe(t *testing.T) {
	in := probed(3)
	in.Pods[0].Spec.Containers[0].StartupProbe = nil
	in.Events = []*corev1.Event{
		podEvent(in.Pods[0], "Killing", "Container api failed liveness probe, will be restarted"),
		podEvent(in.Pods[0], "Unhealthy", `Liveness probe failed: Get "http://10.0.1.17:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`),
	}
	finding := func() health.Finding { return health.Compute(in).Findings[0] }
	if got := finding(); got.Cause != health.CauseLivenessKilled || !strings.Contains(got.Sentence, "(it does not answer in time)") || !strings.Contains(got.Hint, "does not answer 30s after its start: where it needs longer to start, give it a startup_probe") {
		t.Errorf("got %+v", got)
	}
	// The kubelet met something else once, while it began to listen, or ended.
	end := in.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated
	often := podEvent(in.Pods[0], "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
	often.Count, often.LastTimestamp = 9, metav1.NewTime(end.FinishedAt.Add(-2*time.Second))
	once := podEvent(in.Pods[0], "Unhealthy", `Liveness probe failed: Get "http://10.0.1.17:8080/healthz": dial tcp 10.0.1.17:8080: connect: connection refused`)
	once.LastTimestamp = end.FinishedAt
	before := in.Events
	in.Events = []*corev1.Event{before[0], often, once}
	if got := finding(); !strings.Contains(got.Sentence, "(it answers 500)") || !strings.Contains(got.Evidence, "statuscode: 500") {
		t.Errorf("got %+v", got)
	}
	often.LastTimestamp = metav1.NewTime(end.StartedAt.Add(-time.Second)) // of an earlier run
	if got := finding(); !strings.Contains(got.Sentence, "(nothing listens on port 8080)") {
		t.Errorf("got %+v", got)
	}
	in.Events = before
	end.FinishedAt = metav1.NewTime(noon.Add(time.Hour))
	if got := finding().Hint; !strings.Contains(got, "it answered before that for up to 1h0m0s") {
		t.Error(got)
	}
	in.Pods = append(in.Pods, peer(in.Pods[0], 100*time.Second))
	if got := finding().Hint; !strings.Contains(got, "took 1m40s until it was ready: a startup_probe like it with failure_threshold = 14 would do") {
		t.Error(got)
	}
}

// peer is another pod of the release, which was ready after a time.
func peer(of *corev1.Pod, after time.Duration) *corev1.Pod {
	pod := of.DeepCopy()
	pod.Name, pod.UID = "api-1-ready", "ready"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "api", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}},
	}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(after))}}
	return pod
}

// What kubelets say of probes that fail.
func TestWhatProbesSay(t *testing.T) {
	for text, want := range map[string]string{
		`HTTP probe failed with statuscode: 503`:                                                                                             "it answers 503",
		`HTTP probe failed with statuscode: 404`:                                                                                             "it answers 404",
		`HTTP probe failed with statuscode: 401`:                                                                                             "it answers 401",
		`Get "http://10.0.1.51:8080/readyz": dial tcp 10.0.1.51:8080: connect: connection refused`:                                           "nothing listens on port 8080",
		`dial tcp [fd00::7]:9090: connect: connection refused`:                                                                               "nothing listens on port 9090",
		`Get "http://10.0.1.51:8080/readyz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`:                     "it does not answer in time",
		`dial tcp 10.0.1.51:8080: i/o timeout`:                                                                                               "it does not answer in time",
		`Get "https://10.0.1.51:8080/readyz": http: server gave HTTP response to HTTPS client`:                                               "it speaks no TLS",
		`Get "http://10.0.1.51:8443/readyz": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01"`:         "it ends the connection without an answer",
		`command "/bin/ready" timed out`:                                                                                                     "its command does not end in time",
		`service unhealthy (responded with "NOT_SERVING")`:                                                                                   "it answers NOT_SERVING",
		`timeout: failed to connect service "10.0.1.51:9090" within 1s: context deadline exceeded`:                                           "it does not answer in time",
		`OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown`: "the image has no such command",
		`my own words`: "",
	} {
		in := pulling("ghcr.io/acme/api:v1", "")
		in.Pods[0].Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
		in.Pods[0].Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}
		in.Events = []*corev1.Event{podEvent(in.Pods[0], "Unhealthy", "Readiness probe failed: "+text)}
		got := health.Compute(in).Findings[0]
		end := `container "api" has been running for 40s and does not pass its readiness_probe`
		if want != "" {
			end += ": " + want
		}
		if got.Cause != health.CauseReadiness || got.Sentence != end || got.Hint == "" || !strings.Contains(got.Evidence, text) {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}
