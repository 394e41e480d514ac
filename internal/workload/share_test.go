package workload_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestShareReplicas: what has the pods of a share is asked for no more, and knows how many
// it has while it is started.
func TestShareReplicas(t *testing.T) {
	t.Parallel()
	d := &appsv1.Deployment{}
	workload.SetStartedReplicas(d, 4)
	for _, pods := range []int32{1, 3} {
		workload.SetShareReplicas(d, pods, 4)
		if *d.Spec.Replicas != pods || workload.ShareReplicas(d) != pods || workload.StartedReplicas(d) != 4 {
			t.Errorf("with %d of 4, it has %d, %d and %d", pods, *d.Spec.Replicas, workload.ShareReplicas(d), workload.StartedReplicas(d))
		}
	}
	workload.SetShareReplicas(d, 4, 4)
	if *d.Spec.Replicas != 4 || workload.ShareReplicas(d) != 0 || len(d.Annotations) != 1 {
		t.Errorf("with all, it has %d, %v", *d.Spec.Replicas, d.Annotations)
	}
	more := int32(6) // somebody has scaled what has all
	if d.Spec.Replicas = &more; workload.StartedReplicas(d) != 6 {
		t.Errorf("it is started with %d", workload.StartedReplicas(d))
	}
}
