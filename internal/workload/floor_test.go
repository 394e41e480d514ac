package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestRaisedFloorRemembersWhatWasTyped, however often it is raised, until it is set back.
func TestRaisedFloorRemembersWhatWasTyped(t *testing.T) {
	t.Parallel()
	spec := autoscaled()
	typed := workload.Autoscaler(spec)
	h := typed.DeepCopy()
	if workload.RaisedFloor(h) != 0 {
		t.Error("it is raised before anything")
	}
	for _, floor := range []int32{4, 6} {
		workload.RaiseFloor(h, floor)
		if workload.Floor(h) != floor || workload.RaisedFloor(h) != floor {
			t.Errorf("raised to %d, it is %d, and says %d", floor, workload.Floor(h), workload.RaisedFloor(h))
		}
		if diff := cmp.Diff(spec.Autoscaling, workload.FromAutoscaler(h)); diff != "" {
			t.Errorf("an import does not find what was typed (-want +got):\n%s", diff)
		}
	}
	theirs := h.DeepCopy()
	theirs.Spec.MinReplicas = nil // among our fields, it is not
	if workload.RestoreFloor(theirs); theirs.Spec.MinReplicas != nil || len(theirs.Annotations) > 0 {
		t.Errorf("what is somebody else's becomes %d, %v", *theirs.Spec.MinReplicas, theirs.Annotations)
	}
	if workload.RestoreFloor(h); workload.Floor(h) != workload.Floor(typed) || len(h.Annotations) > 0 {
		t.Errorf("set back, it is %d, %v", workload.Floor(h), h.Annotations)
	}
	for _, raised := range []int32{1, 100} {
		kept := typed.DeepCopy()
		workload.KeepFloor(kept, raised)
		if want := min(max(raised, *typed.Spec.MinReplicas), typed.Spec.MaxReplicas); workload.Floor(kept) != want {
			t.Errorf("what was raised to %d is kept at %d, want %d", raised, workload.Floor(kept), want)
		}
	}
}
