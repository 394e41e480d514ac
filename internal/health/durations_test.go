package health_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// shown are the parts in a line: - for what is not known.
func shown(d release.Durations) string {
	var parts []string
	for _, part := range release.Parts() {
		text := "-"
		if of := d.Of(part); of != nil {
			text = of.String()
		}
		parts = append(parts, string(part)+" "+text)
	}
	return strings.Join(parts, ", ")
}

// TestDurationsOfFixtures: starts that went well are in the golden file; those
// that failed have no end, and must only not be absurd.
func TestDurationsOfFixtures(t *testing.T) {
	const golden = "testdata/durations/golden.txt"
	starts, err := filepath.Glob("testdata/durations/*.yaml")
	if err != nil || len(starts) < 4 {
		t.Fatalf("%q, %v", starts, err)
	}
	var lines strings.Builder
	for _, file := range slices.Concat(starts, fixtures(t)) {
		in := fixture(t, file)
		got := health.Measure(in)
		if slices.Contains(starts, file) {
			fmt.Fprintf(&lines, "%s: %s\n", strings.TrimSuffix(filepath.Base(file), ".yaml"), shown(got))
		} else if strings.Contains(file, "/captured/") && (got.Startup != nil || got.ImagePull != nil || got.Queue == nil && len(in.Pods) > 0 && !strings.Contains(file, "unschedulable") && !strings.Contains(file, "claim-")) {
			t.Errorf("%s: %s", file, shown(got))
		}
		for _, part := range release.Parts() {
			if of := got.Of(part); of != nil && (*of < 0 || *of > time.Hour) {
				t.Errorf("%s: %s is %s", file, part, of)
			}
		}
		slices.Reverse(in.Pods)
		slices.Reverse(in.Events)
		if again := health.Measure(in); cmp.Diff(got, again) != "" {
			t.Errorf("%s: in another order it is %s, not %s", file, shown(again), shown(got))
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(lines.String()), 0o644); err != nil { //nolint:gosec // it is source code
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), lines.String()); diff != "" || err != nil {
		t.Errorf("%v, durations (-want +got):\n%s", err, diff)
	}
}

// second is a moment of the test's clock.
func second(s float64) metav1.Time {
	return metav1.NewTime(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second))))
}

// pod is one that was made at 0, placed at 2, taken up at 2, whose container
// started at 10 and was ready at 13.
func timedPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "uid-of-" + "x", CreationTimestamp: second(0)},
		Status: corev1.PodStatus{
			StartTime: new(second(2)),
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: second(2)},
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: second(13)},
			},
			ContainerStatuses: []corev1.ContainerStatus{runningSince("api", 10)},
		},
	}
}

func runningSince(name string, at float64) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: second(at)}}}
}

func endedAt(name string, from, to float64) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: second(from), FinishedAt: second(to)}}}
}

func timedEvent(p *corev1.Pod, container, reason, message string, at float64) *corev1.Event {
	return &corev1.Event{
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: p.Name, UID: p.UID, FieldPath: "spec.containers{" + container + "}"},
		Reason:         reason, Message: message, LastTimestamp: second(at),
	}
}

const present = `Container image "demo/api:v1" already present on machine and can be accessed by the pod`

func TestMeasure(t *testing.T) {
	pulled := func(text string) func(*corev1.Pod, *health.Input) {
		return func(p *corev1.Pod, in *health.Input) {
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulled", text, 9)}
		}
	}
	for _, tc := range []struct {
		name string
		make func(p *corev1.Pod, in *health.Input)
		want string
	}{
		{"no events", func(*corev1.Pod, *health.Input) {}, "queue 2s, build -, image_pull -, startup 3s"},
		{"on the node", pulled(present), "queue 2s, build -, image_pull -, startup 3s"},
		{"pulled", pulled(`Successfully pulled image "demo/api:v1" in 1.234s (6.789s including waiting). Image size: 1234 bytes.`), "queue 2s, build -, image_pull 6.789s, startup 3s"},
		{"pulled for long", pulled(`Successfully pulled image "demo/api:v1" in 1m2.5s (1m2.5s including waiting). Image size: 1234 bytes.`), "queue 2s, build -, image_pull 1m2.5s, startup 3s"},
		{"pulled at once", pulled(`Successfully pulled image "demo/api:v1" in 87ms (87ms including waiting). Image size: 1234 bytes.`), "queue 2s, build -, image_pull 87ms, startup 3s"},
		{"by an older kubelet", pulled(`Successfully pulled image "demo/api:v1" in 1.234567891s`), "queue 2s, build -, image_pull 1.234567891s, startup 3s"},
		{"an image whose name says otherwise", pulled(`Successfully pulled image "in 5s (5s including waiting)" in 2s (3s including waiting). Image size: 1 bytes.`), "queue 2s, build -, image_pull 3s, startup 3s"},
		{"in words that nobody knows", func(p *corev1.Pod, in *health.Input) {
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulling", "…", 4), timedEvent(p, "api", "Pulled", "…", 9)}
		}, "queue 2s, build -, image_pull 5s, startup 3s"},
		{"in such words, by a clock that went backwards", func(p *corev1.Pod, in *health.Input) {
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulling", "…", 10), timedEvent(p, "api", "Pulled", "…", 9)}
		}, "queue 2s, build -, image_pull -, startup 3s"},
		{"on the node after a pull that failed", func(p *corev1.Pod, in *health.Input) {
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulling", "…", 4), timedEvent(p, "api", "Pulled", present, 9)}
		}, "queue 2s, build -, image_pull -, startup 3s"},
		{"another pod's events", func(p *corev1.Pod, in *health.Input) {
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulled", "Successfully pulled image x in 1s (1s including waiting)", 9)}
			in.Events[0].InvolvedObject.UID = "another"
		}, "queue 2s, build -, image_pull -, startup 3s"},
		{"two containers, one pulled while the other ran", func(p *corev1.Pod, in *health.Input) {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, runningSince("proxy", 12))
			in.Events = []*corev1.Event{
				timedEvent(p, "api", "Pulled", "Successfully pulled image x in 6s (6s including waiting)", 9),
				timedEvent(p, "proxy", "Pulled", "Successfully pulled image y in 1s (1.5s including waiting)", 12),
			}
		}, "queue 2s, build -, image_pull 7.5s, startup 1.5s"},
		{"two containers, and the events of one are gone", func(p *corev1.Pod, in *health.Input) {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, runningSince("proxy", 12))
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulled", "Successfully pulled image x in 6s (6s including waiting)", 9)}
		}, "queue 2s, build -, image_pull -, startup 3s"},
		{"an init container", func(p *corev1.Pod, _ *health.Input) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{endedAt("migrate", 4, 9)}
		}, "queue 2s, build -, image_pull -, startup 9s"},
		{"a sidecar", func(p *corev1.Pod, _ *health.Input) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{runningSince("proxy", 7)}
		}, "queue 2s, build -, image_pull -, startup 6s"},
		{"restarted once", func(p *corev1.Pod, _ *health.Input) {
			p.Status.ContainerStatuses[0].RestartCount = 1
			p.Status.ContainerStatuses[0].LastTerminationState = endedAt("", 5, 8).State
		}, "queue 2s, build -, image_pull -, startup 8s"},
		{"restarted once, and its end is not known", func(p *corev1.Pod, _ *health.Input) { p.Status.ContainerStatuses[0].RestartCount = 1 }, "queue 2s, build -, image_pull -, startup -"},
		{"restarted often", func(p *corev1.Pod, _ *health.Input) {
			p.Status.ContainerStatuses[0].RestartCount = 2
			p.Status.ContainerStatuses[0].LastTerminationState = endedAt("", 5, 8).State
		}, "queue 2s, build -, image_pull -, startup -"},
		{"a node whose clock was set back", func(p *corev1.Pod, _ *health.Input) { p.Status.Conditions[1].LastTransitionTime = second(9) }, "queue 2s, build -, image_pull -, startup -"},
		{"an API server whose clock was set back", func(p *corev1.Pod, _ *health.Input) { p.Status.Conditions[0].LastTransitionTime = second(-9) }, "queue -, build -, image_pull -, startup 3s"},
		{"not ready", func(p *corev1.Pod, _ *health.Input) { p.Status.Conditions[1].Status = corev1.ConditionFalse }, "queue 2s, build -, image_pull -, startup -"},
		{"not placed", func(p *corev1.Pod, _ *health.Input) { p.Status = corev1.PodStatus{} }, "queue -, build -, image_pull -, startup -"},
		{"no pods", func(_ *corev1.Pod, in *health.Input) { in.Pods = nil }, "queue -, build -, image_pull -, startup -"},
		{"another pod was slower", func(p *corev1.Pod, in *health.Input) {
			slow := timedPod("slow")
			slow.Status.Conditions[0].LastTransitionTime = second(60)
			slow.Status.StartTime = new(second(60))
			slow.Status.ContainerStatuses[0] = runningSince("api", 61)
			slow.Status.Conditions[1].LastTransitionTime = second(65)
			in.Pods = append(in.Pods, slow)
			in.Events = []*corev1.Event{timedEvent(p, "api", "Pulled", "Successfully pulled image x in 6s (6s including waiting)", 9), timedEvent(slow, "api", "Pulled", present, 61)}
		}, "queue 1m0s, build -, image_pull -, startup 4s"},
		{"another pod seems slower by a node with another clock", func(_ *corev1.Pod, in *health.Input) {
			ahead := timedPod("ahead")
			ahead.Status.StartTime = new(second(3602))
			ahead.Status.ContainerStatuses[0] = runningSince("api", 3602)
			ahead.Status.Conditions[1].LastTransitionTime = second(3603)
			in.Pods = append(in.Pods, ahead)
		}, "queue 2s, build -, image_pull -, startup 3s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := timedPod("api-1")
			in := fixture(t, "testdata/healthy.yaml")
			in.ReplicaSets, in.Pods = nil, []*corev1.Pod{p}
			tc.make(p, &in)
			if got := shown(health.Measure(in)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAllReady(t *testing.T) {
	in := fixture(t, "testdata/healthy.yaml")
	in.ReplicaSets = nil
	waits := timedPod("waits")
	waits.Status.Conditions = waits.Status.Conditions[:1]
	for _, tc := range []struct {
		pods []*corev1.Pod
		want bool
	}{{nil, false}, {[]*corev1.Pod{timedPod("a"), timedPod("b")}, true}, {[]*corev1.Pod{timedPod("a"), waits}, false}} {
		in.Pods = tc.pods
		if health.AllReady(in) != tc.want {
			t.Errorf("%d pods: %t", len(tc.pods), !tc.want)
		}
	}
}
