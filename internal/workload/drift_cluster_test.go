package workload_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// bench is a namespace of a real API server, where edits are made as people and
// controllers make them.
type bench struct {
	*testing.T
	cluster   *testcluster.Cluster
	namespace string
}

func newBench(t *testing.T) bench {
	t.Helper()
	t.Parallel()
	cluster := testcluster.Shared(t)
	return bench{t, cluster, cluster.Namespace(t)}
}

// body is what our writer sends: no status, and nothing that is unset.
func (b bench) body(obj workload.Object) []byte {
	b.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		b.Fatal(err)
	}
	delete(fields, "status")
	delete(fields["metadata"].(map[string]any), "managedFields")
	text, err := json.Marshal(fields)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// apply is a server-side apply by manager, and the reply.
func (b bench) apply(d *appsv1.Deployment, manager string) *appsv1.Deployment {
	b.Helper()
	reply, err := b.tryApply(d, manager)
	if err != nil {
		b.Fatal(err)
	}
	return reply
}

func (b bench) tryApply(d *appsv1.Deployment, manager string) (*appsv1.Deployment, error) {
	b.Helper()
	force := true
	return b.cluster.Client().AppsV1().Deployments(b.namespace).Patch(b.Context(), d.Name, types.ApplyPatchType, b.body(d), metav1.PatchOptions{FieldManager: manager, Force: &force})
}

func (b bench) patch(name, manager string, kind types.PatchType, text string) {
	b.Helper()
	if _, err := b.cluster.Client().AppsV1().Deployments(b.namespace).Patch(b.Context(), name, kind, []byte(text), metav1.PatchOptions{FieldManager: manager}); err != nil {
		b.Fatal(err)
	}
}

func (b bench) live(name string) *appsv1.Deployment {
	b.Helper()
	d, err := b.cluster.Client().AppsV1().Deployments(b.namespace).Get(b.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func (b bench) rendered(spec release.Spec) *appsv1.Deployment {
	b.Helper()
	spec.Namespace = b.namespace
	d, err := workload.Deployment(spec)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// scale does what an autoscaler does.
func (b bench) scale(name string, replicas int32) {
	b.Helper()
	deployments := b.cluster.Client().AppsV1().Deployments(b.namespace)
	scale, err := deployments.GetScale(b.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	scale.Spec.Replicas = replicas
	scale.ResourceVersion = "" // the controllers write the object's status meanwhile
	if _, err := deployments.UpdateScale(b.Context(), name, scale, metav1.UpdateOptions{FieldManager: "autoscaler"}); err != nil {
		b.Fatal(err)
	}
}

// edits are what others do to a live workload, and what we make of it.
var edits = map[string]struct {
	edit   func(b bench, d *appsv1.Deployment)
	ignore []string
	want   []workload.FieldDrift
}{
	"nothing": {edit: func(bench, *appsv1.Deployment) {}},
	"image": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-set", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"evil:1"}]}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.containers[api].image", Expected: `ghcr.io/acme/api:v1.4.0`, Actual: `evil:1`, Manager: "kubectl-set"}},
	},
	"image twice": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "first", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"evil:1"}]}}}}`)
			b.patch(d.Name, "second", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"evil:2"}]}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.containers[api].image", Expected: `ghcr.io/acme/api:v1.4.0`, Actual: `evil:2`, Manager: "second"}},
	},
	"replicas through the scale subresource": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.scale(d.Name, 7)
		},
		want: []workload.FieldDrift{{Field: "spec.replicas", Expected: "3", Actual: "7", Manager: "autoscaler"}},
	},
	"a variable's value": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-edit", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[{"name":"LOG_LEVEL","value":"s3cret"}]}]}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.containers[api].env[LOG_LEVEL].value", Expected: "(value not shown)", Actual: "(value not shown)", Manager: "kubectl-edit"}},
	},
	"a variable removed": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-edit", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[{"name":"LOG_LEVEL","$patch":"delete"}]}]}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.containers[api].env[LOG_LEVEL]", Expected: "(value not shown)", Removed: true}},
	},
	"a sidecar removed": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-edit", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"initContainers":[{"name":"proxy","$patch":"delete"}]}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.initContainers[proxy]", Expected: "(set)", Removed: true}},
	},
	"an atomic list": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-edit", types.MergePatchType, `{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}`)
		},
		want: []workload.FieldDrift{{
			Field:    "spec.template.spec.tolerations",
			Expected: `[{"effect":"NoExecute","key":"dedicated","tolerationSeconds":60,"value":"api"},{"operator":"Exists"}]`,
			Actual:   `[{"operator":"Exists"}]`, Manager: "kubectl-edit",
		}},
	},
	"an atomic map": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-edit", types.MergePatchType, `{"spec":{"template":{"spec":{"nodeSelector":{"disk":"hdd"}}}}}`)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.nodeSelector", Expected: `{"disk":"ssd"}`, Actual: `{"disk":"hdd"}`, Manager: "kubectl-edit"}},
	},
	"a label of ours": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-label", types.MergePatchType, `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"}}}`)
		},
		want: []workload.FieldDrift{{Field: "metadata.labels[app.kubernetes.io/managed-by]", Expected: `switchback`, Actual: `Helm`, Manager: "kubectl-label"}},
	},
	"another run of ours": {
		edit: func(b bench, d *appsv1.Deployment) {
			other := d.DeepCopy()
			other.Spec.Template.Spec.Containers[0].Image = "ghcr.io/acme/api:v9"
			b.apply(other, release.FieldManager)
		},
		want: []workload.FieldDrift{{Field: "spec.template.spec.containers[api].image", Expected: `ghcr.io/acme/api:v1.4.0`, Actual: `ghcr.io/acme/api:v9`, Manager: "switchback"}},
	},
	"ignored": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-set", types.StrategicMergePatchType, `{"metadata":{"labels":{"app.kubernetes.io/name":"x"}},"spec":{"replicas":9,"template":{"spec":{"containers":[{"name":"api","image":"evil:1"}]}}}}`)
		},
		ignore: []string{`metadata.labels["app.kubernetes.io/name"]`, "spec.template", " spec.replicas "},
	},
	"added by others": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "kubectl-rollout", types.StrategicMergePatchType, `{"metadata":{"annotations":{"a":"b"}},"spec":{"minReadySeconds":1,"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}},"spec":{"containers":[{"name":"api","terminationMessagePath":"/x"},{"name":"injected","image":"mesh:1"}]}}}}`)
		},
	},
	"bookkeeping of ours": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "other", types.MergePatchType, `{"metadata":{"labels":{"switchback.dev/custody":"retained"},"annotations":{"switchback.dev/custody":"retained"}}}`)
		},
	},
	"taken over at our value": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "first", types.MergePatchType, `{"spec":{"replicas":9}}`)
			b.patch(d.Name, "second", types.MergePatchType, `{"spec":{"replicas":3}}`)
		},
	},
	"an empty object filled by others": {
		edit: func(b bench, d *appsv1.Deployment) {
			b.patch(d.Name, "vpa", types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"initContainers":[{"name":"check","resources":{"limits":{"cpu":"1"}}}]}}}}`)
		},
	},
}

func TestDriftOnARealServer(t *testing.T) {
	b := newBench(t)
	for name, tt := range edits {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.cluster, b.cluster.Namespace(t)}
			t.Parallel()
			wanted := b.rendered(rich())
			reply := b.apply(wanted.DeepCopy(), release.FieldManager)
			baseline := workload.Baseline(reply)
			if len(baseline) < 60 {
				t.Errorf("only %d fields are watched: %v", len(baseline), baseline)
			}
			tt.edit(b, wanted)
			live := b.live(reply.Name)
			if diff := cmp.Diff(tt.want, workload.Drift(live, wanted, baseline, tt.ignore)); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
			// Applying what we want again repairs it all.
			repaired := b.apply(wanted.DeepCopy(), release.FieldManager)
			if got := workload.Drift(repaired, wanted, baseline, nil); len(got) > 0 {
				t.Errorf("still there after a repair: %v", got)
			}
		})
	}
}

// Several edits of one workload are all found. With -update they are kept for
// TestDriftOfCaptured.
func TestDriftOfSeveralEdits(t *testing.T) {
	b := newBench(t)
	wanted := b.rendered(rich())
	reply := b.apply(wanted.DeepCopy(), release.FieldManager)
	expected := 0
	for _, name := range []string{"image twice", "replicas through the scale subresource", "a variable removed", "a sidecar removed", "an atomic list", "added by others", "bookkeeping of ours"} {
		edits[name].edit(b, wanted)
		expected += len(edits[name].want)
	}
	live := b.live(reply.Name)
	if got := workload.Drift(live, wanted, workload.Baseline(reply), nil); len(got) != expected || expected == 0 {
		t.Errorf("found %d of %d: %v", len(got), expected, got)
	}
	if *update {
		capture(t, "drift", reply, live)
	}
}

func TestServiceDriftOnARealServer(t *testing.T) {
	b := newBench(t)
	spec := rich()
	spec.Namespace = b.namespace
	wanted := workload.Service(spec)
	services := b.cluster.Client().CoreV1().Services(b.namespace)
	reply, err := services.Patch(b.Context(), wanted.Name, types.ApplyPatchType, b.body(wanted), metav1.PatchOptions{FieldManager: release.FieldManager})
	if err != nil {
		t.Fatal(err)
	}
	baseline := workload.Baseline(reply)
	if got := workload.Drift(reply, wanted, baseline, nil); len(got) > 0 {
		t.Errorf("drift right after our own apply: %v", got)
	}
	const change = `{"spec":{"type":"NodePort","selector":{"switchback.dev/role":"other"},"ports":[{"port":8080,"protocol":"TCP","name":"http","targetPort":9999}]}}`
	live, err := services.Patch(b.Context(), wanted.Name, types.MergePatchType, []byte(change), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range workload.Drift(live, wanted, baseline, nil) {
		got = append(got, d.String())
	}
	want := []string{
		`spec.ports[8080/TCP].targetPort: expected http, is 9999 (changed by kubectl-edit)`,
		`spec.ports[9090/TCP]: expected {"name":"admin","port":9090,"protocol":"TCP","targetPort":"admin"} (removed; manager not recorded)`,
		`spec.selector: expected {"switchback.dev/deployment":"` + wanted.Name + `","switchback.dev/role":"app"}, is {"switchback.dev/deployment":"` + wanted.Name + `","switchback.dev/role":"other"} (changed by kubectl-edit)`,
		`spec.type: expected ClusterIP, is NodePort (changed by kubectl-edit)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
}

// Conflicts and drift must call a field by the same name.
func TestFieldPathOnARealServer(t *testing.T) {
	b := newBench(t)
	wanted := b.rendered(rich())
	d := wanted.DeepCopy()
	d.Labels["app.kubernetes.io/name"] = "other"
	d.Spec.Template.Spec.Containers[0].Image = "other:1"
	d.Spec.Template.Spec.Containers[0].Ports[0].Name = "other"
	d.Spec.Template.Spec.Tolerations = d.Spec.Template.Spec.Tolerations[:1]
	b.apply(d, "somebody")
	_, err := b.cluster.Client().AppsV1().Deployments(b.namespace).Patch(b.Context(), d.Name, types.ApplyPatchType, b.body(wanted), metav1.PatchOptions{FieldManager: release.FieldManager})
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsConflict(err) {
		t.Fatalf("want a conflict, got %v", err)
	}
	got := map[string]bool{}
	for _, cause := range status.Status().Details.Causes {
		got[workload.FieldPath(cause.Field)] = true
	}
	want := map[string]bool{
		"metadata.labels[app.kubernetes.io/name]":                 true,
		"spec.template.spec.containers[api].image":                true,
		"spec.template.spec.containers[api].ports[9090/TCP].name": true,
		"spec.template.spec.tolerations":                          true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conflicting fields (-want +got):\n%s", diff)
	}
}

// The API server must accept what we render, and what it makes of it must lead
// back to what was typed.
func TestImportFromARealServer(t *testing.T) {
	b := newBench(t)
	for name, spec := range map[string]release.Spec{
		"minimal": minimal(), "typical": typical(), "rich": rich(), "privileged": privileged(), "bare": bare(), "patched": patched(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench{t, b.cluster, b.cluster.Namespace(t)}
			b.apply(b.rendered(spec), release.FieldManager)
			live := b.live(b.rendered(spec).Name)
			if *update {
				capture(t, "live-"+name, live)
			}
			spec.Namespace = b.namespace
			got, exact, err := workload.FromDeployment(live)
			if err != nil || !exact {
				t.Errorf("exact: %v, error: %v", exact, err)
			}
			if diff := cmp.Diff(spec, got); diff != "" {
				t.Errorf("the import differs (-typed +imported):\n%s", diff)
			}
			if s := workload.Service(spec); s != nil {
				if _, err := b.cluster.Client().CoreV1().Services(b.namespace).Patch(b.Context(), s.Name, types.ApplyPatchType, b.body(s), metav1.PatchOptions{FieldManager: release.FieldManager}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Pods of the restricted and baseline levels must be admitted where Pod
// Security enforces that level.
func TestPodSecurityOnARealServer(t *testing.T) {
	b := newBench(t)
	restricted := rich() // without what the user opened up
	restricted.Content.Container.SecurityContext = nil
	restricted.Content.Sidecars[0].SecurityContext = nil
	for level, spec := range map[string]release.Spec{"restricted": restricted, "baseline": typical()} {
		t.Run(level, func(t *testing.T) {
			namespace := b.cluster.Namespace(t)
			b := bench{t, b.cluster, namespace}
			label := `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"` + level + `"}}}`
			if _, err := b.cluster.Client().CoreV1().Namespaces().Patch(b.Context(), namespace, types.MergePatchType, []byte(label), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			spec.Content.ServiceAccount = ""
			template := b.rendered(spec).Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			pod.Name = "probe"
			if _, err := b.cluster.Client().CoreV1().Pods(namespace).Create(b.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// capture keeps what a real server answered for the tests that need none.
func capture(t *testing.T, name string, objects ...*appsv1.Deployment) {
	t.Helper()
	var texts []string
	for _, d := range objects {
		d = d.DeepCopy()
		d.Status = appsv1.DeploymentStatus{}
		text, err := yaml.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if err := os.WriteFile(filepath.Join("testdata", name+".yaml"), []byte(strings.Join(texts, "---\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
