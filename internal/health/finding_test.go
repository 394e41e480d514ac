package health_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

var (
	always  = corev1.ContainerRestartPolicyAlways
	running = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}
	started = true
)

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func hasEnded() corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}
}

// The first finding is the cause, and not its echo.
func TestCausesComeBeforeTheirEchoes(t *testing.T) {
	unready := corev1.ContainerStatus{Name: "api", State: running, Started: &started}
	for name, tc := range map[string]struct {
		init, app []corev1.ContainerStatus
		want      []health.Cause
	}{
		"the application waits for a sidecar that has crashed": {
			[]corev1.ContainerStatus{{Name: "proxy", RestartCount: 1, State: waiting("CrashLoopBackOff", ""), LastTerminationState: hasEnded()}},
			[]corev1.ContainerStatus{unready},
			[]health.Cause{health.CauseCrashLoop, health.CauseReadiness},
		},
		"it crashes beside a sidecar without its Secret": {
			[]corev1.ContainerStatus{{Name: "proxy", State: waiting("CreateContainerConfigError", `secret "tls" not found`)}},
			[]corev1.ContainerStatus{{Name: "api", RestartCount: 4, State: waiting("CrashLoopBackOff", ""), LastTerminationState: hasEnded()}},
			[]health.Cause{health.CauseContainerConfig, health.CauseCrashLoop},
		},
		"an init container crashes before it": {
			[]corev1.ContainerStatus{{Name: "migrate", RestartCount: 1, State: hasEnded()}},
			[]corev1.ContainerStatus{{Name: "api", State: waiting("PodInitializing", "")}},
			[]health.Cause{health.CauseCrashLoop},
		},
		"a sidecar is not ready, and neither is it": {
			[]corev1.ContainerStatus{{Name: "proxy", State: running, Started: &started}},
			[]corev1.ContainerStatus{unready},
			[]health.Cause{health.CauseReadiness, health.CauseReadiness}, // the sidecar started first
		},
		"its image is missing beside a registry that is busy": {
			[]corev1.ContainerStatus{{Name: "proxy", State: waiting("ImagePullBackOff", "toomanyrequests: slow down")}},
			[]corev1.ContainerStatus{{Name: "api", State: waiting("ImagePullBackOff", "manifest unknown")}},
			[]health.Cause{health.CauseImageNotFound, health.CauseImageRateLimited},
		},
	} {
		in := pulling("ghcr.io/acme/api:v1", "")
		pod := in.Pods[0]
		pod.Spec.InitContainers = []corev1.Container{{Name: "migrate"}, {Name: "proxy", RestartPolicy: &always, ReadinessProbe: &corev1.Probe{}}}
		pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = tc.init, tc.app
		var got []health.Cause
		for _, f := range health.Compute(in).Findings {
			got = append(got, f.Cause)
		}
		if !slices.Equal(got, tc.want) || health.Compute(in).Findings[0].Container == "api" && name[0] != 'i' {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// Whoever looks into a pod with a debugger is not why it fails.
func TestEphemeralContainersAreNoCause(t *testing.T) {
	in := pulling("ghcr.io/acme/api:v1", "")
	in.Pods[0].Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: "api", Ready: true, State: running}
	in.Pods[0].Status.EphemeralContainerStatuses = []corev1.ContainerStatus{
		{Name: "debugger", State: waiting("ImagePullBackOff", "manifest unknown")},
		{Name: "other", RestartCount: 9, State: hasEnded()},
	}
	gone := failedPull(in.Pods[0], "manifest unknown", 9)
	gone.InvolvedObject.FieldPath = "spec.ephemeralContainers{debugger}"
	in.Events = append(in.Events, gone)
	if got := health.Compute(in); len(got.Findings) > 0 || health.Restarts(in) != 0 {
		t.Errorf("got %+v", got)
	}
}

// Pods fail one after the other, and some say more than others.
func TestPodsAreMerged(t *testing.T) {
	in := pulling("ghcr.io/acme/api:v1", `Back-off pulling image "ghcr.io/acme/api:v1"`) // of an old kubelet: no reason
	for _, message := range []string{"toomanyrequests: slow down", "toomanyrequests: slow down, please"} {
		pod := in.Pods[0].DeepCopy()
		pod.Name, pod.UID = pod.Name+message[len(message)-1:], "2"
		pod.Status.ContainerStatuses[0].State.Waiting.Message = message
		in.Pods = append(in.Pods, pod)
	}
	in.Pods[2].UID = "3"
	in.Events = append(in.Events, failedPull(in.Pods[2], "toomanyrequests: slow down, please", 3))
	got := health.Compute(in)
	if len(got.Findings) != 1 || got.Class != health.Repeated {
		t.Fatalf("got %+v", got)
	}
	f := got.Findings[0]
	if f.Cause != health.CauseImageRateLimited || f.Affected != 3 || f.Of != 3 || !strings.Contains(f.Evidence, "please\nevent \"Failed\" 3 times in 40s") || f.Object != "pod "+in.Pods[2].Name {
		t.Errorf("got %+v", f)
	}
	if !strings.Contains(health.Text(got.Findings), "(3 of 3 pods)") {
		t.Errorf("got %s", health.Text(got.Findings))
	}

	in.Events = nil
	if got := health.Compute(in); got.Class != health.Patient || len(got.Findings) != 1 {
		t.Errorf("that no reason is known makes the others no surer: %+v", got)
	}
}

// What a log has is not told twice.
func TestLogAndEvidence(t *testing.T) {
	in := crashing(3, corev1.ContainerStateTerminated{ExitCode: 1, Message: "starting\nno database\n"})
	ref := *health.Compute(in).Findings[0].LogsOf
	in.Around.Logs = map[health.PodRef]string{ref: "before\nstarting\nno database\n"}
	if got := health.Compute(in).Findings[0]; got.Evidence != "" || got.Log != "before\nstarting\nno database" {
		t.Errorf("got %+v", got)
	}
	in.Around.Logs = map[health.PodRef]string{ref: "DB_PASSWORD=hunter2\n"}
	if got := health.Compute(in).Findings[0]; got.Evidence != "starting\nno database" || got.Log != "DB_PASSWORD=***" {
		t.Errorf("got %+v", got)
	}
	in = probed(3)
	in.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated.Message = "told to end"
	in.Around.Logs = map[health.PodRef]string{*health.Compute(in).Findings[0].LogsOf: "told to end"}
	if got := health.Compute(in).Findings[0]; strings.Contains(got.Evidence, "told to end") || strings.Count(got.Evidence, "\n") != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestVerdictsThatAreAlike(t *testing.T) {
	at := health.Compute
	crash := func(restarts int32) health.Verdict {
		return at(crashing(restarts, corev1.ContainerStateTerminated{ExitCode: 1}))
	}
	late := probed(5)
	late.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated.FinishedAt = metav1.NewTime(noon.Add(1e9 * 3600))
	for name, tc := range map[string]struct {
		a, b health.Verdict
		want bool
	}{
		"other counts":     {crash(1), crash(12), true},
		"other times":      {at(probed(3)), at(late), true},
		"other causes":     {crash(3), at(probed(3)), false},
		"other exit codes": {crash(3), at(crashing(3, corev1.ContainerStateTerminated{ExitCode: 2})), false},
		"other images":     {at(pulling("a.example/api:v1", "manifest unknown")), at(pulling("b.example/api:v1", "manifest unknown")), false},
		"nothing known":    {health.Verdict{}, health.Verdict{}, false},
	} {
		if got := tc.a.Alike(tc.b); got != tc.want {
			t.Errorf("%s: alike is %t", name, got)
		}
	}
}
