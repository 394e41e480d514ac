package workload_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestDisplacing(t *testing.T) {
	const rolling, kind = `{"f:spec":{"f:strategy":{"f:rollingUpdate":{"f:maxSurge":{}}}}}`, `{"f:spec":{"f:strategy":{"f:type":{}}}}`
	for name, tt := range map[string]struct {
		fields, surge string
		want          bool
	}{
		"others have the kind alone": {kind, "25%", false},
		"others have the surge":      {rolling, "25%", true},
		"they have what we would":    {rolling, "1", true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := minimal()
			spec.Strategy = release.StrategyRolling
			spec.Rolling.MaxSurge = tt.surge
			live, err := workload.Deployment(spec)
			if err != nil {
				t.Fatal(err)
			}
			live.ManagedFields = []metav1.ManagedFieldsEntry{
				{Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(kind)},
				{Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(tt.fields)},
			}
			got, err := workload.Displacing(live)
			if err != nil || (got != nil) != tt.want {
				t.Fatalf("got %v, error: %v", got, err)
			}
			if got == nil {
				return
			}
			pace := got.Spec.Strategy.RollingUpdate
			if pace.MaxSurge.String() == tt.surge || *pace.MaxUnavailable != intstr.FromInt32(1) || len(got.Spec.Template.Spec.Containers) != 0 {
				t.Errorf("it is applied with %+v", got.Spec)
			}
			live.Spec.Strategy.RollingUpdate = nil
			if got, err := workload.Displacing(live); got != nil || err != nil {
				t.Errorf("nothing is there, and %v is applied: %v", got, err)
			}
		})
	}
}

func TestChanged(t *testing.T) {
	was := minimal()
	was.Strategy = release.StrategyRolling
	now := was
	now.Strategy, now.Content.Image, now.Content.PriorityClass = release.StrategyRecreate, "nginx:1.28", "high"
	got := workload.Changed(was, now)
	for _, want := range []string{"spec.strategy.type", "spec.strategy.rollingUpdate.maxSurge", "spec.template.spec.containers[job].image", "spec.template.spec.priorityClassName"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	if slices.Contains(got, "spec.replicas") || len(workload.Changed(was, was)) > 0 {
		t.Errorf("changed: %q, and of nothing %q", got, workload.Changed(was, was))
	}
	now.Content.TemplatePatch = "["
	if got := workload.Changed(was, now); got != nil {
		t.Errorf("what cannot be rendered changes %q", got)
	}
}
