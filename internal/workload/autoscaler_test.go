package workload_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestCompanionsGoWithThePods(t *testing.T) {
	scaled := func(least int32) *release.Autoscaling {
		return &release.Autoscaling{Min: least, Max: 9, CPU: new(int32(50))}
	}
	for name, test := range map[string]struct {
		replicas    int32
		autoscaling *release.Autoscaling
		want        []release.Companion
	}{
		"one":                   {1, nil, nil},
		"two":                   {2, nil, []release.Companion{release.CompanionDisruptionBudget}},
		"autoscaled from one":   {3, scaled(1), []release.Companion{release.CompanionAutoscaler}},
		"autoscaled from three": {1, scaled(3), []release.Companion{release.CompanionAutoscaler, release.CompanionDisruptionBudget}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := minimal()
			spec.Replicas, spec.Autoscaling = test.replicas, test.autoscaling
			if got := spec.Companions(); !slices.Equal(got, test.want) {
				t.Errorf("companions %v, want %v", got, test.want)
			}
			if got := workload.Autoscaler(spec) != nil; got != slices.Contains(test.want, release.CompanionAutoscaler) {
				t.Errorf("an autoscaler: %t", got)
			}
			if got := workload.DisruptionBudget(spec) != nil; got != slices.Contains(test.want, release.CompanionDisruptionBudget) {
				t.Errorf("a budget: %t", got)
			}
		})
	}
}

func TestAutoscalerSurvivesTheImport(t *testing.T) {
	for _, a := range []release.Autoscaling{
		{Min: 2, Max: 10, CPU: new(int32(70)), Memory: new(int32(80))},
		{Min: 1, Max: 1, Memory: new(int32(150))},
	} {
		spec := typical()
		spec.Autoscaling = &a
		if diff := cmp.Diff(&a, workload.FromAutoscaler(workload.Autoscaler(spec))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// What the autoscaler decides, or a stop, does not hide what was typed.
		for _, now := range []int32{0, 9} {
			d, err := workload.Deployment(spec)
			if err != nil {
				t.Fatal(err)
			}
			d.Spec.Replicas = &now
			workload.SetScaledReplicas(d, 9)
			if got := workload.FirstReplicas(d); got != spec.Replicas {
				t.Errorf("with %d pods, it was to start with %d, want %d", now, got, spec.Replicas)
			}
		}
	}
}

func TestValidateAutoscaling(t *testing.T) {
	with := func(change func(*release.Autoscaling)) func(*release.Spec) {
		return func(s *release.Spec) {
			s.Autoscaling = autoscaled().Autoscaling
			change(s.Autoscaling)
		}
	}
	unrequested := func(name string) func(*release.Spec) {
		return func(s *release.Spec) {
			s.Autoscaling = autoscaled().Autoscaling
			delete(s.Content.Container.Resources.Requests, name)
			delete(s.Content.Container.Resources.Limits, name) // which would be requested
		}
	}
	runChecks(t, map[string]check{
		"min":       {with(func(a *release.Autoscaling) { a.Min = 0 }), "autoscaling.min", []string{"min is 0", "1 or more"}},
		"max":       {with(func(a *release.Autoscaling) { a.Min, a.Max = 5, 4 }), "autoscaling.max", []string{"max is 4", "5 or more"}},
		"replicas":  {with(func(a *release.Autoscaling) { a.Max = 2 }), "replicas", []string{"at 3", "autoscaling.max, which is 2"}},
		"no target": {with(func(a *release.Autoscaling) { a.CPU, a.Memory = nil, nil }), "autoscaling", []string{"Set cpu or memory"}},
		"cpu":       {with(func(a *release.Autoscaling) { a.CPU = new(int32(0)) }), "autoscaling.cpu", []string{"percentage", "1 or more"}},
		"no cpu":    {unrequested("cpu"), "autoscaling.cpu", []string{"container.resources.requests.cpu"}},
		"no memory": {unrequested("memory"), "autoscaling.memory", []string{"container.resources.requests.memory"}},
		"cpu is zero": {func(s *release.Spec) {
			s.Autoscaling = autoscaled().Autoscaling
			s.Content.Container.Resources.Requests["cpu"] = "0"
		}, "autoscaling.cpu", []string{"requests none"}},
	})
	for name, change := range map[string]func(*release.Spec){
		"a patch": func(s *release.Spec) {
			s.Content.TemplatePatch = "spec: {containers: [{name: api, resources: {requests: {cpu: 1}}}]}"
		},
		"a limit": func(s *release.Spec) { s.Content.Container.Resources.Limits["cpu"] = "1" },
	} {
		spec := typical()
		unrequested("cpu")(&spec)
		change(&spec)
		for _, p := range workload.Validate(spec) {
			if p.At() == "autoscaling.cpu" {
				t.Errorf("%s requests: %s", name, p)
			}
		}
	}
}

// Only what nobody else has is reset by leaving it out.
func TestOnlyOursOnARealServer(t *testing.T) {
	b := newBench(t)
	want := b.rendered(typical())
	d := b.apply(want, release.FieldManager)
	if !workload.OnlyOurs(d, workload.ReplicasField) {
		t.Error("what we have just applied is not only ours")
	}
	also := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: d.Name}}
	if _, err := b.cluster.Client().AppsV1().Deployments(b.namespace).Patch(b.Context(), also.Name, types.ApplyPatchType,
		[]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"`+d.Name+`"},"spec":{"replicas":3}}`), metav1.PatchOptions{FieldManager: "another"}); err != nil {
		t.Fatal(err)
	}
	if workload.OnlyOurs(b.live(d.Name), workload.ReplicasField) {
		t.Error("what another one has, too, is only ours")
	}
	b.scale(d.Name, 7)
	if workload.OnlyOurs(b.live(d.Name), workload.ReplicasField) {
		t.Error("what the scale subresource has set is only ours")
	}
}
