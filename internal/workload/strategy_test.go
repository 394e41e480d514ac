package workload_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func onRolling(change func(*release.Rolling)) func(*release.Spec) {
	return func(s *release.Spec) {
		s.Strategy = release.StrategyRolling
		change(&s.Rolling)
	}
}

func TestValidateStrategy(t *testing.T) {
	runChecks(t, map[string]check{
		"unknown":       {func(s *release.Spec) { s.Strategy = "canary" }, "strategy", []string{`"canary"`, "rolling or recreate"}},
		"not rolling":   {func(s *release.Spec) { s.Rolling.MaxSurge = "1" }, "rolling_update", []string{`"blue_green"`, `strategy = "rolling"`}},
		"recreate":      {func(s *release.Spec) { s.Strategy, s.Rolling.MaxSurge = release.StrategyRecreate, "1" }, "rolling_update", []string{`"recreate"`}},
		"no number":     {onRolling(func(r *release.Rolling) { r.MaxSurge = "a few" }), "rolling_update.max_surge", []string{`"a few"`, `"25%"`}},
		"negative":      {onRolling(func(r *release.Rolling) { r.MaxUnavailable = "-1" }), "rolling_update.max_unavailable", []string{`"-1"`}},
		"more than all": {onRolling(func(r *release.Rolling) { r.MaxUnavailable = "101%" }), "rolling_update.max_unavailable", []string{`"101%"`, "100%"}},
		"not growing":   {onRolling(func(r *release.Rolling) { r.PauseAt = stops(50, 50) }), "rolling_update.pause_at[1].percent", []string{"50 % follows 50 %", "higher percent"}},
		"stops, not":    {func(s *release.Spec) { s.Rolling.PauseAt = stops(50) }, "rolling_update", []string{`"blue_green"`, `strategy = "rolling"`}},
		"both zero":     {onRolling(func(r *release.Rolling) { r.MaxSurge = "0%" }), "rolling_update.max_surge", []string{"both 0", "max_surge costs"}},
	})
	for name, spec := range map[string]release.Spec{"rolling": rolling(), "recreate": recreated()} {
		for _, p := range workload.Validate(spec) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// stops are shares with a pause each, and a gate at the last one.
func stops(percents ...int) (all []release.RollStop) {
	for _, percent := range percents {
		all = append(all, release.RollStop{Percent: percent, Pause: time.Minute})
	}
	all[len(all)-1].Gate = release.GateManual
	return all
}

// TestStopsAreTold where a change comes by them, with how long that takes.
func TestStopsAreTold(t *testing.T) {
	spec := rolling()
	spec.Rolling.PauseAt = stops(25, 50)
	got := workload.StrategyAdvice(spec)
	if len(got) != 1 || !strings.Contains(got[0].Detail, "stops at 25 %, 50 % of the pods") || !strings.Contains(got[0].Detail, "2m in all") || !strings.Contains(got[0].Detail, "Somebody has to let it go on") {
		t.Errorf("it says %v", got)
	}
}

func TestStrategyAdvice(t *testing.T) {
	for _, s := range release.Strategies() {
		if got := workload.StrategyAdvice(release.Spec{Strategy: s}); (len(got) > 0) != (s == release.StrategyRecreate) {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// TestStrategyIsReadBack from the annotation, and from what lives without it.
func TestStrategyIsReadBack(t *testing.T) {
	stopping := rolling()
	stopping.Rolling.PauseAt = stops(25, 50)
	for name, spec := range map[string]release.Spec{"rolling": rolling(), "recreate": recreated(), "blue-green": typical(), "stopping": stopping} {
		d, err := workload.Deployment(spec)
		if err != nil {
			t.Fatal(err)
		}
		got, exact, err := workload.FromDeployment(d)
		if err != nil || !exact || got.Strategy != spec.Strategy || !reflect.DeepEqual(got.Rolling, spec.Rolling) || got.NameFor(workload.ContentHash(d)) != d.Name {
			t.Errorf("%s: %+v, exact %v: %v", name, got, exact, err)
		}
		delete(d.Annotations, release.AnnotationSpec)
		got, _, err = workload.FromDeployment(d)
		spec.Rolling.PauseAt = nil // no field of Kubernetes' tells them
		if err != nil || got.Strategy != spec.Strategy || !reflect.DeepEqual(got.Rolling, spec.Rolling) || got.NameFor(workload.ContentHash(d)) != d.Name {
			t.Errorf("%s without the annotation: %+v: %v", name, got, err)
		}
	}
}

// TestRevision is what lives with another template, and nothing of a stranger's.
func TestRevision(t *testing.T) {
	before, after := rolling(), rolling()
	after.Content.Image, after.Content.Version = "ghcr.io/acme/api:v2", "v2"
	was, err := workload.Deployment(before)
	if err != nil {
		t.Fatal(err)
	}
	live, err := workload.Deployment(after)
	if err != nil {
		t.Fatal(err)
	}
	live.UID = types.UID("1")
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Annotations: map[string]string{release.AnnotationVersion: was.Annotations[release.AnnotationVersion], release.AnnotationSpec: was.Annotations[release.AnnotationSpec]},
	}, Spec: appsv1.ReplicaSetSpec{Template: *was.Spec.Template.DeepCopy()}}
	set.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "abc"
	hash := workload.ContentHash(was)
	if got, err := workload.Revision(live, set, hash); got != nil || err != nil {
		t.Errorf("a stranger's: %v, %v", got, err)
	}
	set.OwnerReferences = []metav1.OwnerReference{{UID: live.UID}}
	if got, err := workload.Revision(live, set, workload.ContentHash(live)); got != nil || err != nil {
		t.Errorf("of other content: %v, %v", got, err)
	}
	owned := live.DeepCopy()
	owned.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:switchback.dev/content-hash":{}},"f:labels":{"f:app.kubernetes.io/version":{}}},"f:spec":{"f:replicas":{}}}`),
	}}
	got, err := workload.Revision(owned, set, hash)
	if err != nil || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	if diff := cmp.Diff(was.Spec.Template, got.Spec.Template); diff != "" {
		t.Errorf("the template differs:\n%s", diff)
	}
	if workload.ContentHash(got) != hash || got.Annotations[release.AnnotationVersion] != before.Content.Version || got.Labels[release.LabelVersion] != was.Labels[release.LabelVersion] {
		t.Errorf("it says %v, %v", got.Annotations, got.Labels)
	}
}

// TestSetFormerLeavesReplicas to whoever has them now, or had them.
func TestSetFormerLeavesReplicas(t *testing.T) {
	at := func(n *int32) *appsv1.Deployment { return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: n}} }
	for name, c := range map[string]struct{ now, former, want *int32 }{
		"ours all along":       {new(int32(5)), new(int32(3)), new(int32(3))},
		"an autoscaler's now":  {nil, new(int32(3)), nil},
		"an autoscaler's then": {new(int32(5)), nil, new(int32(5))},
	} {
		d := at(c.now)
		workload.SetFormer(d, at(c.former))
		if diff := cmp.Diff(c.want, d.Spec.Replicas); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
