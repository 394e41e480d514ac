package workload_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func capturedDrift(t *testing.T) (reply, live, wanted *appsv1.Deployment) {
	t.Helper()
	both := captured(t, "drift")
	spec := rich()
	spec.Namespace = both[0].Namespace
	wanted, err := workload.Deployment(spec)
	if err != nil {
		t.Fatal(err)
	}
	return both[0], both[1], wanted
}

func TestDriftOfCaptured(t *testing.T) {
	reply, live, wanted := capturedDrift(t)
	baseline := workload.Baseline(reply)
	if got := workload.Drift(reply, wanted, baseline, nil); len(got) > 0 {
		t.Errorf("drift right after our own apply: %v", got)
	}
	var got []string
	for _, d := range workload.Drift(live, wanted, baseline, nil) {
		got = append(got, d.String())
	}
	want := []string{
		`spec.replicas: expected 3, is 7 (changed by autoscaler)`,
		`spec.template.spec.containers[api].env[LOG_LEVEL]: expected (value not shown) (removed; manager not recorded)`,
		`spec.template.spec.containers[api].image: expected ghcr.io/acme/api:v1.4.0, is evil:2 (changed by second)`,
		`spec.template.spec.initContainers[proxy]: expected (set) (removed; manager not recorded)`,
		`spec.template.spec.tolerations: expected [{"effect":"NoExecute","key":"dedicated","tolerationSeconds":60,"value":"api"},{"operator":"Exists"}], is [{"operator":"Exists"}] (changed by kubectl-edit)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}

func TestBaselineHoldsNoValues(t *testing.T) {
	reply, _, _ := capturedDrift(t)
	baseline := workload.Baseline(reply)
	hash := regexp.MustCompile(`^[0-9a-f]{8}$`)
	for path, fingerprint := range baseline {
		if !hash.MatchString(fingerprint) || strings.Contains(path, "ghcr.io/acme") {
			t.Errorf("%s: %s", path, fingerprint)
		}
	}
	for _, path := range []string{
		"spec.replicas", "spec.selector", "spec.template.spec.containers[api].image", "spec.template.spec.containers[api].ports[8080/TCP].name",
		"spec.template.spec.topologySpreadConstraints[kubernetes.io/hostname/ScheduleAnyway].maxSkew",
		"spec.template.spec.containers[api].volumeMounts[/data].subPath", "metadata.annotations[switchback.dev/content-hash]",
		"metadata.labels[app.kubernetes.io/name]", "spec.template.spec.imagePullSecrets[registry]",
	} {
		if baseline[path] == "" {
			t.Errorf("%s is not watched", path)
		}
	}
	for path := range baseline {
		if strings.HasPrefix(path, "status") || strings.Contains(path, "custody") {
			t.Errorf("%s is watched", path)
		}
	}
	// The same value elsewhere, or in another object, has another hash.
	other := reply.DeepCopy()
	other.UID = "another"
	same := 0
	for path, fingerprint := range workload.Baseline(other) {
		if baseline[path] == fingerprint {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d hashes are the same for another object", same)
	}
	if len(slices.Compact(slices.Sorted(maps.Values(baseline)))) != len(baseline) {
		t.Error("equal values have equal hashes, which tells that they are equal")
	}
}

func TestBaselineWithoutManagedFields(t *testing.T) {
	reply, _, wanted := capturedDrift(t)
	reply.ManagedFields = nil
	reply.UID = ""
	if got := workload.Baseline(reply); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	if got := workload.Drift(reply, wanted, nil, nil); len(got) > 0 {
		t.Errorf("drift without a baseline: %v", got)
	}
	reply.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "switchback", Operation: "Apply", FieldsV1: metav1.NewFieldsV1("{")}}
	if got := workload.Baseline(reply); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

// A value that equals what we want needs no repair, whatever stood there when
// the baseline was taken (a webhook's value, say).
func TestDriftBackToTheWanted(t *testing.T) {
	reply, _, wanted := capturedDrift(t)
	mutated := reply.DeepCopy()
	mutated.Spec.Template.Spec.Containers[0].Image = "mirror.example/api:v1.4.0"
	baseline := workload.Baseline(mutated)
	if got := workload.Drift(mutated, wanted, baseline, nil); len(got) > 0 {
		t.Errorf("what a webhook made of our apply is drift: %v", got)
	}
	if got := workload.Drift(reply, wanted, baseline, nil); len(got) > 0 {
		t.Errorf("what we want is drift: %v", got)
	}
}

// A field that we applied once, want no more, and that is gone, is nobody's loss.
func TestDriftOfUnwanted(t *testing.T) {
	reply, _, wanted := capturedDrift(t)
	baseline := workload.Baseline(reply)
	wanted.Spec.Template.Spec.Containers[0].Args = nil
	live := reply.DeepCopy()
	live.Spec.Template.Spec.Containers[0].Args = nil
	if got := workload.Drift(live, wanted, baseline, nil); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	live.Spec.Template.Spec.Containers[0].Args = []string{"x"}
	got := workload.Drift(live, wanted, baseline, nil)
	if len(got) != 1 || got[0].Expected != "" || got[0].Actual != "(value not shown)" {
		t.Errorf("got %v", got)
	}
}

// TestDriftOfAddedPorts: a port that somebody has put beside ours is drift, as long as
// somebody is recorded. What a cloud gives our ports is not.
func TestDriftOfAddedPorts(t *testing.T) {
	t.Parallel()
	const ours = `{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{}}}}}`
	const added = `{"f:spec":{"f:ports":{"k:{\"port\":81,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{}}}}}`
	http := corev1.ServicePort{Name: "http", Port: 80, Protocol: "TCP"}
	more := corev1.ServicePort{Name: "more", Port: 81, Protocol: "TCP", TargetPort: intstr.FromInt32(9090), NodePort: 30081}
	applied := portsService(http)
	applied.ManagedFields = []metav1.ManagedFieldsEntry{has("switchback", metav1.ManagedFieldsOperationApply, ours)}
	baseline := workload.Baseline(applied)
	for name, c := range map[string]struct {
		entry  metav1.ManagedFieldsEntry
		wanted *corev1.Service
		ignore []string
		want   string
	}{
		"by somebody":              {has("kubectl-edit", metav1.ManagedFieldsOperationUpdate, added), portsService(http), nil, `spec.ports[81/TCP]: expected none, is {"name":"more","nodePort":30081,"port":81,"protocol":"TCP","targetPort":9090} (added by kubectl-edit)`},
		"by ourselves, unasked":    {has("switchback", metav1.ManagedFieldsOperationApply, added), portsService(http), nil, `spec.ports[81/TCP]: expected none, is {"name":"more","nodePort":30081,"port":81,"protocol":"TCP","targetPort":9090} (added by switchback)`},
		"by nobody recorded":       {has("kubectl-edit", metav1.ManagedFieldsOperationUpdate, `{}`), portsService(http), nil, ""},
		"asked for":                {has("kubectl-edit", metav1.ManagedFieldsOperationUpdate, added), portsService(http, more), nil, ""},
		"ignored":                  {has("kubectl-edit", metav1.ManagedFieldsOperationUpdate, added), portsService(http), []string{"spec.ports"}, ""},
		"of somebody else's ports": {has("kubectl-edit", metav1.ManagedFieldsOperationUpdate, added), portsService(), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := http
			given.NodePort = 30080
			live := portsService(given, more)
			live.Spec.HealthCheckNodePort = 30082
			live.ManagedFields = append([]metav1.ManagedFieldsEntry{c.entry}, applied.ManagedFields...)
			found := ""
			for _, d := range workload.Drift(live, c.wanted, baseline, c.ignore) {
				found += d.String()
			}
			if found != c.want {
				t.Errorf("drift is %q, want %q", found, c.want)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	for _, tt := range []struct {
		field, prefix string
		want          bool
	}{
		{"spec.replicas", "spec.replicas", true},
		{"spec.replicas", "spec", true},
		{"spec.replicasX", "spec.replicas", false},
		{"a.env[X].value", "a.env", true},
		{"a.env[X].value", "a.env[X]", true},
		{"a.env[XY]", "a.env[X", false},
		{"a", "", false},
		{"a", "a.b", false},
	} {
		if got := workload.Within(tt.field, tt.prefix); got != tt.want {
			t.Errorf("Within(%q, %q) = %v", tt.field, tt.prefix, got)
		}
	}
}

func TestFieldPath(t *testing.T) {
	for conflict, want := range map[string]string{
		`.spec.replicas`: "spec.replicas",
		`.spec.template.spec.containers[name="api"].image`:                                         "spec.template.spec.containers[api].image",
		`.spec.template.spec.containers[name="api"].ports[containerPort=8080,protocol="TCP"].name`: "spec.template.spec.containers[api].ports[8080/TCP].name",
		`.spec.template.spec.containers[name="api"].volumeMounts[mountPath="/a,b]c"].name`:         "spec.template.spec.containers[api].volumeMounts[/a,b]c].name",
		`.metadata.labels.app.kubernetes.io/name`:                                                  "metadata.labels[app.kubernetes.io/name]",
		`.metadata.labels.team`: "metadata.labels.team",
		`.spec.template.spec.containers[name="api"].resources.limits.nvidia.com/gpu`:                                                     "spec.template.spec.containers[api].resources.limits[nvidia.com/gpu]",
		`.spec.template.spec.topologySpreadConstraints[topologyKey="kubernetes.io/hostname",whenUnsatisfiable="ScheduleAnyway"].maxSkew`: "spec.template.spec.topologySpreadConstraints[kubernetes.io/hostname/ScheduleAnyway].maxSkew",
		`.metadata.finalizers[="a/b"]`: "metadata.finalizers[a/b]",
		`.spec.list[3]`:                "spec.list[3]",
		`.spec.list[3`:                 "spec.list[3]",
		``:                             "",
	} {
		if got := workload.FieldPath(conflict); got != want {
			t.Errorf("FieldPath(%s) = %s, want %s", conflict, got, want)
		}
	}
}
