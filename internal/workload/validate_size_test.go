package workload_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestValidateSize(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	many := map[string]string{}
	for i := range 9000 {
		many[fmt.Sprintf("VARIABLE_%04d", i)] = "x"
	}
	runChecks(t, map[string]check{
		"args":             {onContent(func(c *content) { c.Container.Args = []string{long} }), "container.args", []string{"300004 bytes", "253952", "ConfigMap"}},
		"sidecar":          {onContent(func(c *content) { c.Sidecars[0].Command = []string{long} }), "sidecars[0].command", []string{"300004 bytes"}},
		"patch":            {onContent(func(c *content) { c.TemplatePatch = "metadata: {annotations: {a: " + long + "}}" }), "pod_template_patch", []string{"ConfigMap"}},
		"triggers":         {onContent(func(c *content) { c.Triggers = map[string]string{"a": long} }), "triggers", []string{"sha256"}},
		"restart triggers": {func(s *release.Spec) { s.RestartTriggers = map[string]string{"a": long} }, "restart_triggers", []string{"sha256"}},
		"several": {onContent(func(c *content) {
			c.Container.Args, c.Triggers = []string{long[:140_000]}, map[string]string{"a": long[:130_000]}
		}), "container.args", []string{"140004 bytes"}},
		"variables": {onContent(func(c *content) { c.Container.Env = many }), "container.env", []string{"9000 values", "env_from", "983040"}},
	})
}

func TestAdviseSize(t *testing.T) {
	spec := rich()
	spec.Content.Labels, spec.Content.Annotations = nil, nil
	large := func(p workload.Problem) bool { return strings.Contains(p.Detail, "1.5 MiB") }
	for size, want := range map[int]string{1_400_000: "", 1_600_000: "container.env"} {
		spec.Content.Container.Env = map[string]string{"A": strings.Repeat("x", size)}
		if problems := workload.Validate(spec); len(problems) > 0 {
			t.Errorf("%d bytes of env: %v", size, problems)
		}
		at := ""
		if i := slices.IndexFunc(workload.Advice(spec), large); i >= 0 {
			at = workload.Advice(spec)[i].At()
		}
		if at != want {
			t.Errorf("%d bytes of env: advice at %q, want %q", size, at, want)
		}
	}
}

// largest is the greatest n that Validate lets through; of one more it says what
// is too much, at the attribute.
func largest(t *testing.T, limit int, at string, of func(n int) release.Spec) release.Spec {
	t.Helper()
	n := sort.Search(limit, func(n int) bool { return len(workload.Validate(of(n))) > 0 }) - 1
	if problems := workload.Validate(of(n + 1)); n < 1 || len(problems) != 1 || problems[0].At() != at {
		t.Fatalf("one more than %d: %v", n, problems)
	}
	return of(n)
}

// The API server takes the most that we let through, and makes ReplicaSets of it,
// which have more annotations.
func TestLargestAnnotationsOnARealServer(t *testing.T) {
	b := newBench(t)
	spec := largest(t, 300_000, "container.args", func(n int) release.Spec {
		spec := typical()
		spec.Namespace, spec.Content.Container.Args = b.namespace, []string{strings.Repeat("x", n)}
		return spec
	})
	d := b.rendered(spec)
	size := 0
	for key, value := range d.Annotations {
		size += len(key) + len(value)
	}
	const reserve = 8 << 10
	b.apply(d.DeepCopy(), release.FieldManager)
	testcluster.Eventually(t, testcluster.Hang, "the ReplicaSet", func() error {
		sets, err := b.cluster.Client().AppsV1().ReplicaSets(b.namespace).List(t.Context(), metav1.ListOptions{})
		for _, c := range b.live(d.Name).Status.Conditions {
			if c.Reason == "ReplicaSetCreateError" {
				t.Fatal(c.Message)
			}
		}
		if err == nil && len(sets.Items) != 1 {
			err = fmt.Errorf("there are %d", len(sets.Items))
		}
		return err
	})
	// That is all but what is left to others.
	for more, refused := range map[int]bool{reserve - 200: false, reserve + 1: true} {
		d := d.DeepCopy()
		d.Name, d.Annotations["x"] = "other", strings.Repeat("x", more-1)
		_, err := b.tryApply(d, release.FieldManager)
		tooLong := apierrors.IsInvalid(err) && strings.Contains(err.Error(), "262144")
		if refused != tooLong || !refused && err != nil {
			t.Errorf("%d and %d bytes of annotations: %v", size, more, err)
		}
	}
}

// What we let through has a baseline that a ConfigMap has room for, and it is
// about as large as was reckoned.
func TestLargestBaselineOnARealServer(t *testing.T) {
	b := newBench(t)
	spec := largest(t, 20_000, "container.env", func(n int) release.Spec {
		spec := typical()
		spec.Namespace, spec.Content.Container.Env = b.namespace, map[string]string{}
		for i := range n {
			spec.Content.Container.Env[fmt.Sprintf("VARIABLE_%05d", i)] = "x"
		}
		return spec
	})
	live := b.apply(b.rendered(spec), release.FieldManager)
	text, err := json.Marshal(workload.Baseline(live))
	if err != nil {
		t.Fatal(err)
	}
	const room = corev1.MaxSecretSize - 64<<10
	if len(text) > room || len(text) < room-8<<10 {
		t.Errorf("the baseline of the most that there is room for has %d bytes, want about %d", len(text), room)
	}
	for size, refused := range map[int]bool{corev1.MaxSecretSize: false, corev1.MaxSecretSize + 1: true} {
		record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "record-"}, Data: map[string]string{"key": strings.Repeat("x", size)}}
		if _, err := b.cluster.Client().CoreV1().ConfigMaps(b.namespace).Create(t.Context(), record, metav1.CreateOptions{}); refused != apierrors.IsInvalid(err) || !refused && err != nil {
			t.Errorf("a ConfigMap with %d bytes: %v", size, err)
		}
	}
}
