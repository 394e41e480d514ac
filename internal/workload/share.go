package workload

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ShareReplicas is how many pods a workload has because its share of the traffic takes no
// more; 0: it has all of its pods, or none.
func ShareReplicas(d *appsv1.Deployment) int32 { return counted(d, release.AnnotationShareReplicas) }

// SetShareReplicas asks for so many of a workload's pods, and says in the same object that
// its share of the traffic takes no more than these: whoever reads one reads the other.
func SetShareReplicas(d *appsv1.Deployment, pods, all int32) {
	d.Spec.Replicas = &pods
	d.Annotations = maps.Clone(d.Annotations)
	delete(d.Annotations, release.AnnotationShareReplicas)
	if pods >= all {
		return
	}
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[release.AnnotationShareReplicas] = strconv.Itoa(int(pods))
}
