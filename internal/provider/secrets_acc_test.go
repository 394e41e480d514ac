package provider_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// planted are credentials that nobody may see, in as many kinds.
var planted = []string{
	"hunter2url", "hunter2env", "hunter2json", "Hunter2bearer9", "AKIAIOSFODNN7EXAMPLE", "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
	"hunter2cookie", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "hunter2flag", "hunter2signature",
}

// plantedLines have all of them, as programs and clusters write them.
func plantedLines() []string {
	key := slices.Repeat([]string{planted[7]}, 8)
	return slices.Concat([]string{"-----BEGIN PRIVATE KEY-----"}, key, []string{
		"-----END PRIVATE KEY-----",
		"reading config of " + planted[4] + " and " + planted[5],
		"connecting to postgres://api:" + planted[0] + "@db:5432/shop",
		"DB_PASSWORD=" + planted[1],
		`{"level":"error","apiToken":"` + planted[2] + `","msg":"login failed"}`,
		"Authorization: Bearer " + planted[3],
		"Set-Cookie: session=" + planted[6] + "; Path=/",
		"exec migrate --password " + planted[8] + " up",
		"GET https://s3.example/dump?X-Amz-Signature=" + planted[9] + " 403",
		"panic: no database",
	})
}

// TestAccSecretsInWhatClustersSay: what a container writes, what a kubelet says of
// it, and what events tell may hold credentials. None of them is in an error, in
// the state, in a plan, in a log, or in what we write into the cluster.
func TestAccSecretsInWhatClustersSay(t *testing.T) {
	t.Parallel()
	lines := plantedLines()
	all := strings.Join(lines, "\n")
	oneLine := strings.Join(lines[len(lines)-9:], " ")
	for name, c := range map[string]struct {
		status func(l *lab, pod *corev1.Pod) corev1.ContainerStatus
		says   []string // in the error, in place of what is hidden
	}{
		"the log": {
			func(*lab, *corev1.Pod) corev1.ContainerStatus { return testcluster.CrashLoop(1, 3) },
			[]string{"0 of 1 new pods are available", "CrashLoopBackOff", "Log (container api, previous run, last 10 lines):", "postgres://***@db:5432/shop", "DB_PASSWORD=***", "Bearer ***", "--password *** up", "panic: no database"},
		},
		"the last words": {
			func(_ *lab, _ *corev1.Pod) corev1.ContainerStatus {
				s := testcluster.CrashLoop(1, 3)
				s.LastTerminationState.Terminated.Message = all
				return s
			},
			[]string{"CrashLoopBackOff", "panic: no database"},
		},
		"the kubelet": {
			func(*lab, *corev1.Pod) corev1.ContainerStatus {
				return testcluster.WaitingFor("CreateContainerError", "failed: "+oneLine)
			},
			[]string{"CreateContainerError", "postgres://***@db:5432/shop"},
		},
		"events": {
			func(l *lab, pod *corev1.Pod) corev1.ContainerStatus {
				l.event(pod, "Unhealthy", "Readiness probe failed: "+oneLine)
				return corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}
			},
			[]string{"Readiness probe failed", "postgres://***@db:5432/shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			node := l.cluster.Kubelet(t)
			log := testcluster.LogOf{Container: "api", Previous: true}
			if name != "the log" {
				log.Container = "another"
			}
			node.Write(log, testcluster.Lines(lines...)...)
			w := l.workspace()
			w.useProgram()
			trace := filepath.Join(w.Dir, "trace.log")
			w.Env = []string{"TF_LOG=TRACE", "TF_LOG_PATH=" + trace}
			config := func(tag, deadline string) string {
				return l.config(l.deployment(image(tag), strategy(release.StrategyRolling), fmt.Sprintf("health = { progress_deadline = %q }", deadline),
					"pod_template_patch = \"spec: {nodeName: "+node.Node+"}\""), l.main())
			}
			w.apply(config("v1", "10m"))
			node.Status(func(pod *corev1.Pod) corev1.PodStatus {
				if !strings.HasSuffix(pod.Spec.Containers[0].Image, ":v2") {
					return testcluster.PodStatus(pod, nil)
				}
				return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"api": c.status(l, pod)})
			})
			failed := w.applyFails(config("v2", enough))
			failed.tells(c.says...)
			w.do("plan", "-input=false", "-out=plan")
			content, err := os.ReadFile(trace)
			l.must(err)
			for where, text := range map[string]string{
				"error": failed.text, "state": w.stateText(), "plan": w.do("show", "-json", "plan"), "trace": string(content),
				"record": l.text("record", inPlaceName), "main": l.text("main", inPlaceName), "events": l.ownEvents(),
			} {
				if len(text) < 50 {
					t.Errorf("%s has next to nothing: %q", where, text)
				}
				for _, secret := range planted {
					if strings.Contains(text, secret) {
						t.Errorf("%q is in the %s", secret, where)
					}
				}
			}
		})
	}
}

// event writes a Warning about a pod's container, as its kubelet would.
func (l *lab) event(pod *corev1.Pod, reason, message string) {
	now := metav1.Now()
	_, err := l.cluster.Client().CoreV1().Events(l.namespace).Create(context.Background(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "api-"}, Type: corev1.EventTypeWarning, Reason: reason, Message: message,
		Count: 3, FirstTimestamp: now, LastTimestamp: now,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{api}"},
	}, metav1.CreateOptions{})
	if err != nil {
		l.t.Errorf("write an event: %v", err)
	}
}

// ownEvents are those that we wrote.
func (l *lab) ownEvents() string {
	l.t.Helper()
	events, err := l.cluster.Client().EventsV1().Events(l.namespace).List(l.t.Context(), metav1.ListOptions{})
	l.must(err)
	var b strings.Builder
	for _, e := range events.Items {
		if e.ReportingController == "switchback.dev/provider" {
			fmt.Fprintln(&b, e)
		}
	}
	return b.String()
}
