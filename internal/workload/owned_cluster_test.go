package workload_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestOwnedAppliedAgainChangesNothing applies what Owned makes of live
// workloads, as they were applied and as others have edited them since: the
// pods must not be touched, and every field that was ours stays ours.
func TestOwnedAppliedAgainChangesNothing(t *testing.T) {
	b := newBench(t)
	again := func(t *testing.T, b bench, name string) {
		t.Helper()
		before := b.live(name)
		owned, err := workload.Owned(before)
		if err != nil {
			t.Fatal(err)
		}
		owned.ResourceVersion = "" // a controller writes the status meanwhile
		after := b.apply(owned, release.FieldManager)
		if after.Generation != before.Generation {
			t.Errorf("generation %d became %d:\n%s", before.Generation, after.Generation, cmp.Diff(before.Spec, after.Spec))
		}
		if diff := cmp.Diff(before.Labels, after.Labels); diff != "" {
			t.Errorf("labels: %s", diff)
		}
		had, has := workload.Baseline(before), workload.Baseline(after)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(had)), slices.Sorted(maps.Keys(has))); diff != "" {
			t.Errorf("our fields differ (-before +after):\n%s", diff)
		}
	}
	for name, spec := range map[string]release.Spec{
		"minimal": minimal(), "typical": typical(), "rich": rich(), "privileged": privileged(), "bare": bare(), "patched": patched(),
	} {
		t.Run(name, func(t *testing.T) {
			b := bench{t, b.cluster, b.cluster.Namespace(t)}
			again(t, b, b.apply(b.rendered(spec), release.FieldManager).Name)
		})
	}
	for name, edited := range edits {
		t.Run("after "+name, func(t *testing.T) {
			b := bench{t, b.cluster, b.cluster.Namespace(t)}
			d := b.rendered(rich())
			b.apply(d.DeepCopy(), release.FieldManager)
			edited.edit(b, d)
			again(t, b, d.Name)
		})
	}
}

// TestOwnedWithOneFieldChanged scales to zero and back, and asks for a restart,
// by way of Owned.
func TestOwnedWithOneFieldChanged(t *testing.T) {
	b := newBench(t)
	first := b.apply(b.rendered(typical()), release.FieldManager)
	change := func(f func(*appsv1.Deployment)) *appsv1.Deployment {
		owned, err := workload.Owned(b.live(first.Name))
		if err != nil {
			t.Fatal(err)
		}
		owned.ResourceVersion = ""
		f(owned)
		return b.apply(owned, release.FieldManager)
	}
	none := int32(0)
	stopped := change(func(d *appsv1.Deployment) { d.Spec.Replicas = &none })
	if *stopped.Spec.Replicas != 0 || !cmp.Equal(stopped.Spec.Template, first.Spec.Template) {
		t.Errorf("scaled to zero: %s", cmp.Diff(first.Spec, stopped.Spec))
	}
	if n := workload.StartedReplicas(stopped); n != *first.Spec.Replicas {
		t.Errorf("a stopped one starts with %d pods, want %d", n, *first.Spec.Replicas)
	}
	restarted := change(func(d *appsv1.Deployment) { workload.SetRestartedAt(d, "2026-01-02T03:04:05Z") })
	if workload.RestartedAt(restarted) != "2026-01-02T03:04:05Z" {
		t.Errorf("restarted at %q", workload.RestartedAt(restarted))
	}
	back := change(func(d *appsv1.Deployment) { workload.SetRestartedAt(d, "") })
	if !cmp.Equal(back.Spec, stopped.Spec) {
		t.Errorf("taken back: %s", cmp.Diff(stopped.Spec, back.Spec))
	}
	drift := workload.Baseline(restarted)
	if _, ok := drift["spec.template.metadata.annotations["+release.AnnotationRestartedAt+"]"]; ok {
		t.Error("a restart is watched for drift")
	}
}
