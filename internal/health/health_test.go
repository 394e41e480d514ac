package health_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// fixture reads the objects of one situation.
func fixture(t *testing.T, file string) health.Input {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in health.Input
	for _, part := range strings.Split(string(text), "---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(part), &kind); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch kind.Kind {
		case "Deployment":
			in.Workload = decode[appsv1.Deployment](t, part)
			in.WantReplicas, in.Generation = *in.Workload.Spec.Replicas, in.Workload.Generation
		case "ReplicaSet":
			in.ReplicaSets = append(in.ReplicaSets, decode[appsv1.ReplicaSet](t, part))
		case "Pod":
			in.Pods = append(in.Pods, decode[corev1.Pod](t, part))
		case "Event":
			in.Events = append(in.Events, decode[corev1.Event](t, part))
		case "Observation": // no object: when the others were read, and how many pods were asked for
			o := decode[observation](t, part)
			in.Now = o.Now.Time
			if o.Asked > 0 {
				in.WantReplicas = o.Asked
			}
		default:
			if !around(t, &in.Around, kind.Kind, part) {
				t.Fatalf("%s: what is a %q?", file, kind.Kind)
			}
		}
	}
	return in
}

// around reads one of the objects around a workload.
func around(t *testing.T, a *health.Around, kind, text string) bool {
	t.Helper()
	switch kind {
	case "PersistentVolumeClaim":
		a.Claims = append(a.Claims, decode[corev1.PersistentVolumeClaim](t, text))
	case "ResourceQuota":
		a.Quotas = append(a.Quotas, decode[corev1.ResourceQuota](t, text))
	case "LimitRange":
		a.LimitRanges = append(a.LimitRanges, decode[corev1.LimitRange](t, text))
	case "ServiceAccount":
		a.ServiceAccounts = append(a.ServiceAccounts, decode[corev1.ServiceAccount](t, text))
	case "Service":
		a.Services = append(a.Services, decode[corev1.Service](t, text))
	case "EndpointSlice":
		a.Endpoints = append(a.Endpoints, decode[discoveryv1.EndpointSlice](t, text))
	case "HorizontalPodAutoscaler":
		a.Autoscaler = decode[autoscalingv2.HorizontalPodAutoscaler](t, text)
	case "PodDisruptionBudget":
		a.Disruption = decode[policyv1.PodDisruptionBudget](t, text)
	case "HTTPRoute":
		a.Routes = append(a.Routes, decode[gatewayv1.HTTPRoute](t, text))
	default:
		return false
	}
	return true
}

// observation is not of the cluster: it says when its objects were read, and how many
// pods were asked for where somebody has asked for others since.
type observation struct {
	Kind  string      `json:"kind"`
	Now   metav1.Time `json:"now"`
	Asked int32       `json:"asked"`
}

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// fixtures are the situations: hand-written ones, and those captured from a
// real node or control plane.
func fixtures(t *testing.T) []string {
	t.Helper()
	written, err := filepath.Glob("testdata/*.yaml")
	captured, err2 := filepath.Glob("testdata/captured*/*.yaml")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	files := slices.Concat(written, captured)
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".golden.yaml") })
	if len(files) < 60 {
		t.Fatalf("only %d fixtures", len(files))
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range fixtures(t) {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".yaml")
		t.Run(name, func(t *testing.T) {
			got, err := yaml.Marshal(health.Compute(fixture(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// Every cause must have a fixture, and every finding must be fit for a person.
func TestEveryCauseIsExplained(t *testing.T) {
	seen := map[health.Cause]bool{}
	for _, file := range fixtures(t) {
		in := fixture(t, file)
		// Without events and ReplicaSets less is said, but never nothing.
		bare := health.Input{Workload: in.Workload, WantReplicas: in.WantReplicas, Pods: in.Pods}
		for _, f := range slices.Concat(health.Compute(in).Findings, health.Compute(bare).Findings) {
			seen[f.Cause] = true
			if !slices.Contains(health.Causes(), f.Cause) || !slices.Contains(health.Classes(), f.Class) {
				t.Errorf("%s: unlisted: %s, %s", file, f.Cause, f.Class)
			}
			if f.Object == "" || f.Sentence == "" || f.Hint == "" || (f.Affected < 1) == strings.HasPrefix(f.Object, "pod ") {
				t.Errorf("%s: incomplete: %+v", file, f)
			}
			if strings.Contains(f.Evidence+f.Sentence, "hunter2") {
				t.Errorf("%s: a password is shown: %+v", file, f)
			}
		}
	}
	for _, cause := range health.Causes() {
		if !seen[cause] {
			t.Errorf("no fixture shows %s", cause)
		}
	}
	if len(health.States()) != 3 {
		t.Error("a state is missing")
	}
}

// The verdict must not depend on the order in which a cache lists objects.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, file := range fixtures(t) {
		in := fixture(t, file)
		want := health.Compute(in)
		slices.Reverse(in.Pods)
		slices.Reverse(in.Events)
		slices.Reverse(in.ReplicaSets)
		if diff := cmp.Diff(want, health.Compute(in)); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// Nothing counts that was observed before our own write.
func TestStaleObservations(t *testing.T) {
	for name, change := range map[string]func(*health.Input){
		"the watch lags behind our write":       func(in *health.Input) { in.Generation = 2 },
		"the controller lags behind the object": func(in *health.Input) { in.Workload.Generation = 2 },
		"both":                                  func(in *health.Input) { in.Workload.Generation, in.Generation = 2, 2 },
	} {
		for _, file := range []string{"healthy", "captured/image-missing"} {
			in := fixture(t, "testdata/"+file+".yaml")
			change(&in)
			if got := health.Compute(in); got.State != health.Progressing || len(got.Findings) > 0 {
				t.Errorf("%s: %s: got %+v", file, name, got)
			}
		}
	}
}

func TestHealthyNeedsEveryNumber(t *testing.T) {
	asked := func(in *health.Input, n int32) { in.WantReplicas, in.Workload.Spec.Replicas = n, &n }
	for name, change := range map[string]func(*health.Input){
		"more wanted":     func(in *health.Input) { asked(in, 4) },
		"fewer wanted":    func(in *health.Input) { asked(in, 2) },
		"not all updated": func(in *health.Input) { in.Workload.Status.UpdatedReplicas = 2 },
		"one too many":    func(in *health.Input) { in.Workload.Status.Replicas = 4 },
		"not all ready":   func(in *health.Input) { in.Workload.Status.ReadyReplicas = 2 },
		"not available":   func(in *health.Input) { in.Workload.Status.AvailableReplicas = 2 },
	} {
		in := fixture(t, "testdata/healthy.yaml")
		if got := health.Compute(in); got.State != health.Healthy {
			t.Fatalf("got %+v", got)
		}
		change(&in)
		if got := health.Compute(in); got.State != health.Progressing {
			t.Errorf("%s: %s", name, got.State)
		}
	}
}

func TestReplicaSetsOfOthersAreIgnored(t *testing.T) {
	in := fixture(t, "testdata/old-pods-left.yaml")
	for _, set := range in.ReplicaSets {
		set.OwnerReferences[0].UID = "another"
	}
	if got := health.Compute(in); got.State != health.Healthy {
		t.Errorf("without a ReplicaSet of its own all pods count: got %+v", got)
	}
}

func TestEventsOfAnEarlierPodAreIgnored(t *testing.T) {
	in := fixture(t, "testdata/not-ready.yaml")
	for _, e := range in.Events {
		e.InvolvedObject.UID = "another"
	}
	if got := health.Compute(in).Findings[0]; got.Evidence != "" {
		t.Errorf("evidence of another pod: %s", got.Evidence)
	}
}

// Newer API servers write series and leave the old times empty.
func TestEventTimes(t *testing.T) {
	in := fixture(t, "testdata/not-ready.yaml")
	older, newer := in.Events[0], in.Events[1]
	for _, e := range in.Events {
		e.FirstTimestamp, e.LastTimestamp, e.Count = metav1.Time{}, metav1.Time{}, 0
	}
	at := metav1.Now()
	for name, set := range map[string]func(*corev1.Event, metav1.Time){
		"series": func(e *corev1.Event, at metav1.Time) {
			e.Series = &corev1.EventSeries{Count: 5, LastObservedTime: metav1.NewMicroTime(at.Time)}
		},
		"event":    func(e *corev1.Event, at metav1.Time) { e.Series, e.EventTime = nil, metav1.NewMicroTime(at.Time) },
		"creation": func(e *corev1.Event, at metav1.Time) { e.EventTime, e.CreationTimestamp = metav1.MicroTime{}, at },
	} {
		set(older, metav1.NewTime(at.Add(-1e9)))
		set(newer, at)
		older.Series, newer.Series = nilUnless(name == "series", older.Series), nilUnless(name == "series", newer.Series)
		if got := health.Compute(in).Findings[0].Evidence; !strings.Contains(got, "503") {
			t.Errorf("%s: not the newest event: %s", name, got)
		}
	}
	newer.Series = &corev1.EventSeries{Count: 5, LastObservedTime: metav1.NewMicroTime(at.Time)}
	if got := health.Compute(in).Findings[0].Evidence; !strings.Contains(got, `"Unhealthy" 5 times`) {
		t.Errorf("the series is not counted: %s", got)
	}
}

func nilUnless(keep bool, s *corev1.EventSeries) *corev1.EventSeries {
	if keep {
		return s
	}
	return nil
}

func TestLongEvidenceIsCut(t *testing.T) {
	in := fixture(t, "testdata/webhook.yaml")
	in.Workload.Status.Conditions[0].Message = strings.Repeat("é", 3000)
	if got := []rune(health.Compute(in).Findings[0].Evidence); len(got) != 600 {
		t.Errorf("%d characters", len(got))
	}
}

// The reason is at the end of a log.
func TestLastWordsOfALog(t *testing.T) {
	in := fixture(t, "testdata/crash-loop.yaml")
	for _, line := range []string{"line\n", strings.Repeat("é", 300) + "\n"} {
		in.Pods[1].Status.ContainerStatuses[0].LastTerminationState.Terminated.Message = "first\n" + strings.Repeat(line, 30) + "no database\n"
		evidence := health.Compute(in).Findings[0].Evidence
		if strings.Contains(evidence, "first") || !strings.HasSuffix(evidence, "\nno database") || len([]rune(evidence)) > 1000 {
			t.Errorf("the evidence is %q", evidence)
		}
	}
}

func TestRestarts(t *testing.T) {
	for file, want := range map[string]int32{"testdata/healthy.yaml": 0, "testdata/crash-loop.yaml": 5, "testdata/captured/init-crash.yaml": 0, "testdata/only-old-pods-fail.yaml": 0} {
		if got := health.Restarts(fixture(t, file)); got != want {
			t.Errorf("%s: %d restarts, want %d", file, got, want)
		}
	}
}

// Without events it is not known who ended a container that has a probe.
func TestProbesAreSuspectedWithoutEvents(t *testing.T) {
	in := fixture(t, "testdata/captured/crash-liveness.yaml")
	in.Events = nil
	if got := health.Compute(in).Findings[0]; !strings.Contains(got.Hint, "liveness_probe") || got.Evidence != "" {
		t.Errorf("got %+v", got)
	}
}

// A probe that failed long ago is not why it crashes now.
func TestCrashAfterAProbeHasFailed(t *testing.T) {
	in := fixture(t, "testdata/captured/crash-liveness.yaml")
	end := in.Pods[0].Status.ContainerStatuses[0].LastTerminationState.Terminated
	end.ExitCode, end.Message = 3, "no database"
	if got := health.Compute(in).Findings[0]; !strings.Contains(got.Sentence, "liveness_probe") || !strings.Contains(got.Evidence, "no database") {
		t.Errorf("it ended with 3 when it was told to end: got %+v", got)
	}
	end.StartedAt = metav1.NewTime(end.FinishedAt.Add(1e9))
	if got := health.Compute(in).Findings[0]; strings.Contains(got.Sentence, "liveness_probe") || got.Evidence != "no database" {
		t.Errorf("it ended with 3 by itself: got %+v", got)
	}
}
