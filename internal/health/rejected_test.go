package health_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

const answers404 = "Readiness probe failed: HTTP probe failed with statuscode: 404"

// rejecting is a release whose only container runs since noon, and answers its
// readiness probe 404 from 10 s to 20 s after that.
func rejecting() health.Input {
	in := pulling("ghcr.io/acme/api:v1", "")
	pod := in.Pods[0]
	pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromString("http")}},
		PeriodSeconds: 2, FailureThreshold: 15,
	}
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon)}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(noon.Add(-3 * time.Second))}}
	in.Events = []*corev1.Event{probeFailed(pod, answers404, 10, 20, 6)}
	return in
}

// probeFailed is an event of a probe that failed so often between two seconds after noon.
func probeFailed(pod *corev1.Pod, message string, from, to int, times int32) *corev1.Event {
	e := podEvent(pod, "Unhealthy", message)
	e.FirstTimestamp, e.LastTimestamp, e.Count = secondsPast(from), secondsPast(to), times
	return e
}

func secondsPast(seconds int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
}

const refused = `Readiness probe failed: Get "http://10.0.1.51:8080/readyz": dial tcp 10.0.1.51:8080: connect: connection refused`

const sure, not, other = "certain", "patient", "not suspected"

func probe(in *health.Input) *corev1.Probe { return in.Pods[0].Spec.Containers[0].ReadinessProbe }

func says(in *health.Input, message string, from, to int, times int32) {
	in.Events = append(in.Events, probeFailed(in.Pods[0], message, from, to, times))
}

// rejections are what may be told of a probe, and how sure that is.
var rejections = map[string]struct {
	change func(in *health.Input)
	want   string
}{
	"ten seconds of 404":        {func(*health.Input) {}, sure},
	"less than that":            {func(in *health.Input) { in.Events[0].LastTimestamp = metav1.NewTime(noon.Add(19 * time.Second)) }, not},
	"two answers":               {func(in *health.Input) { in.Events[0].Count = 2 }, not},
	"it listened late":          {func(in *health.Input) { says(in, refused, 1, 9, 2) }, sure},
	"it listens no more":        {func(in *health.Input) { says(in, refused, 1, 15, 3) }, other},
	"it was busy once":          {func(in *health.Input) { says(in, strings.Replace(answers404, "404", "503", 1), 5, 5, 1) }, other},
	"it answered 403 once":      {func(in *health.Input) { says(in, strings.Replace(answers404, "404", "403", 1), 80, 80, 1) }, other},
	"events that were combined": {func(in *health.Input) { says(in, "(combined from similar events): "+answers404, 80, 80, 1) }, other},
	"the kubelet was restarted": {func(in *health.Input) {
		in.Events[0].LastTimestamp = metav1.NewTime(noon.Add(20 * time.Second))
		says(in, answers404, 60, 70, 2)
	}, sure},
	"liveness beside it": {func(in *health.Input) {
		says(in, "Liveness probe failed: HTTP probe failed with statuscode: 500", 30, 60, 2)
	}, sure},
	"it is too busy (429)":         {func(in *health.Input) { in.Events[0].Message = strings.Replace(answers404, "404", "429", 1) }, other},
	"it says that it is not well":  {func(in *health.Input) { in.Events[0].Message = strings.Replace(answers404, "404", "503", 1) }, other},
	"nothing is told":              {func(in *health.Input) { in.Events = nil }, other},
	"a command that says the same": {func(in *health.Input) { probe(in).HTTPGet, probe(in).Exec = nil, &corev1.ExecAction{} }, other},
	"a gRPC service": {func(in *health.Input) {
		probe(in).HTTPGet, probe(in).GRPC = nil, &corev1.GRPCAction{Port: 9090, Service: new("shop.Cart")}
		in.Events[0].Message = "Readiness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
	}, sure},
	"no gRPC health at all": {func(in *health.Input) {
		probe(in).HTTPGet, probe(in).GRPC = nil, &corev1.GRPCAction{Port: 9090}
		in.Events[0].Message = "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health"
	}, sure},
	"gRPC that is not well": {func(in *health.Input) {
		probe(in).HTTPGet, probe(in).GRPC = nil, &corev1.GRPCAction{Port: 9090}
		in.Events[0].Message = `Readiness probe failed: service unhealthy (responded with "NOT_SERVING")`
	}, other},
	"it was ready once": {func(in *health.Input) {
		in.Pods[0].Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(time.Second))
	}, other},
	"another pod is ready": {func(in *health.Input) { in.Pods = append(in.Pods, peer(in.Pods[0], time.Second)) }, other},
	"a pod of another template is": {func(in *health.Input) {
		ready := peer(in.Pods[0], time.Second)
		ready.Labels = map[string]string{"pod-template-hash": "5d9f"}
		in.Pods = append(in.Pods, ready)
	}, sure},
}

// TestAProbeThatIsRejected is sure only where nothing else was ever seen, for long
// enough; where something else was, it is not even suspected.
func TestAProbeThatIsRejected(t *testing.T) {
	for name, tc := range rejections {
		in := rejecting()
		tc.change(&in)
		v := health.Compute(in)
		got := v.Findings[0]
		is := string(got.Class)
		if got.Cause != health.CauseReadinessRejected {
			is = other
		}
		if is != tc.want || (is == sure) != (v.State == health.Failed) {
			t.Errorf("%s: it is %s: %s %+v", name, is, v.State, got)
		}
		if is == sure && (len(v.Certain) != 1 || v.Certain[0].Patience != 110*time.Second) {
			t.Errorf("%s: its patience is %v", name, v.Certain)
		}
	}
}

// TestWhatARejectedProbeAsks is in the text, and what to change.
func TestWhatARejectedProbeAsks(t *testing.T) {
	in := rejecting()
	finding := func() health.Finding { return health.Compute(in).Findings[0] }
	probe := in.Pods[0].Spec.Containers[0].ReadinessProbe
	want := `container "api" has been running for 20s and does not pass its readiness_probe (GET /readyz on port http, which is 8080): it answers 404, and has given no other answer`
	if got := finding(); got.Sentence != want || !strings.HasPrefix(got.Hint, "correct the probe's path") || !strings.Contains(got.Hint, "startup_probe") || got.LogsOf == nil {
		t.Errorf("got %+v", got)
	}
	for status, hint := range map[string]string{"401": "needs no login", "405": "does not answer a GET there", "400": "HTTPS"} {
		in.Events[0].Message = strings.Replace(answers404, "404", status, 1)
		if got := finding(); !strings.Contains(got.Sentence, "it answers "+status) || !strings.Contains(got.Hint, hint) {
			t.Errorf("%s: got %+v", status, got)
		}
	}
	probe.HTTPGet.Path, probe.HTTPGet.Port = "", intstr.FromInt32(9000)
	if got := finding().Sentence; !strings.Contains(got, "(GET / on port 9000)") {
		t.Error(got)
	}
	probe.HTTPGet, probe.GRPC = nil, &corev1.GRPCAction{Port: 9090}
	in.Events[0].Message = "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health"
	if got := finding(); !strings.Contains(got.Sentence, "(gRPC health on port 9090): it has no gRPC health service") || !strings.Contains(got.Hint, "grpc.health.v1.Health") {
		t.Errorf("got %+v", got)
	}
	probe.GRPC.Service = new("shop.Cart")
	in.Events[0].Message = "Readiness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
	if got := finding(); !strings.Contains(got.Sentence, "(gRPC service shop.Cart on port 9090): it does not know this gRPC service") || !strings.Contains(got.Hint, "correct the probe's service") {
		t.Errorf("got %+v", got)
	}
	for _, tc := range []struct {
		threshold, period int32
		want              time.Duration
	}{{0, 0, 110 * time.Second}, {15, 2, 110 * time.Second}, {30, 10, 5 * time.Minute}, {0, 60, 3 * time.Minute}, {12, 0, 2 * time.Minute}} {
		if probe.FailureThreshold, probe.PeriodSeconds = tc.threshold, tc.period; finding().Patience != tc.want {
			t.Errorf("%+v: its patience is %s", tc, finding().Patience)
		}
	}
	in.Pods[0].Status.ContainerStatuses[0].RestartCount = 1
	if got := finding().Cause; got == health.CauseReadinessRejected {
		t.Error("one that was restarted is judged by its earlier run")
	}
}
