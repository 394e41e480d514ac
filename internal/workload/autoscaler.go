package workload

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ReplicasField is the path of the number of pods that a workload is asked to
// have.
const ReplicasField = "spec.replicas"

// Autoscaler renders what chooses the number of pods, or nil where the release
// has a fixed one. It goes by the application's own container: what injected
// sidecars use, or do not request, has no part in it.
func Autoscaler(spec release.Spec) *autoscalingv2.HorizontalPodAutoscaler {
	if spec.Autoscaling == nil {
		return nil
	}
	c := spec.Content.Normalize()
	name, least := spec.NameFor(c.Hash()), spec.Autoscaling.Min
	var metrics []autoscalingv2.MetricSpec
	for _, m := range targets(spec.Autoscaling) {
		if m.percent == nil {
			continue
		}
		metrics = append(metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.ContainerResourceMetricSourceType,
			ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
				Name: m.resource, Container: c.Application,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: m.percent},
			},
		})
	}
	return &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: string(release.CompanionAutoscaler)},
		ObjectMeta: metav1.ObjectMeta{Namespace: spec.Namespace, Name: name, Labels: Labels(spec)},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			MinReplicas:    &least,
			MaxReplicas:    spec.Autoscaling.Max,
			Metrics:        metrics,
		},
	}
}

type target struct {
	resource corev1.ResourceName
	percent  *int32
}

func targets(a *release.Autoscaling) []target {
	return []target{{corev1.ResourceCPU, a.CPU}, {corev1.ResourceMemory, a.Memory}}
}

// FromAutoscaler is Autoscaler backwards: what the user typed.
func FromAutoscaler(h *autoscalingv2.HorizontalPodAutoscaler) *release.Autoscaling {
	a := &release.Autoscaling{Min: typedFloor(h), Max: h.Spec.MaxReplicas}
	for _, m := range h.Spec.Metrics {
		if m.ContainerResource == nil || m.ContainerResource.Target.AverageUtilization == nil {
			continue
		}
		percent := *m.ContainerResource.Target.AverageUtilization
		switch m.ContainerResource.Name {
		case corev1.ResourceCPU:
			a.CPU = &percent
		case corev1.ResourceMemory:
			a.Memory = &percent
		}
	}
	return a
}

// FirstReplicas is the number of pods that an autoscaled workload was to start
// with, as the user typed it.
func FirstReplicas(d *appsv1.Deployment) int32 {
	return max(1, counted(d, release.AnnotationReplicas))
}

// ScaledReplicas is the number of pods that an autoscaled workload had when it
// was stopped; 0: it was not, or had none.
func ScaledReplicas(d *appsv1.Deployment) int32 {
	return counted(d, release.AnnotationScaledReplicas)
}

// SetScaledReplicas writes down, for a stop, how many pods an autoscaled
// workload has; 0 forgets it.
func SetScaledReplicas(d *appsv1.Deployment, n int32) {
	annotations := maps.Clone(d.Annotations)
	delete(annotations, release.AnnotationScaledReplicas)
	if n > 0 {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[release.AnnotationScaledReplicas] = strconv.Itoa(int(n))
	}
	d.Annotations = annotations
}

// OnlyOurs says that nobody but our own apply has a field: leaving it out of the
// next one would reset it.
func OnlyOurs(obj Object, field string) bool {
	mine := false
	for _, entry := range obj.GetManagedFields() {
		has := false
		fieldSet(entry).Iterate(func(p fieldpath.Path) { has = has || fieldText(p) == field })
		if has && !ours(entry) {
			return false
		}
		mine = mine || has
	}
	return mine
}

// SwitchedOff is the drift of a workload that somebody scaled to zero under its
// autoscaler, which takes that for an order to do nothing; nil for any other,
// also one that is to be stopped.
func SwitchedOff(d *appsv1.Deployment, spec release.Spec) *FieldDrift {
	if spec.Autoscaling == nil || spec.DesiredState == release.DesiredStopped || d.Spec.Replicas == nil || *d.Spec.Replicas > 0 || Ignored(ReplicasField, spec.IgnoreDrift) {
		return nil
	}
	return &FieldDrift{
		Field: ReplicasField, Expected: "at least " + strconv.Itoa(int(spec.Autoscaling.Min)), Actual: "0", Manager: scaler(d),
	}
}

// scaler is who has scaled a workload to zero. Of a zero that came through the scale
// subresource nobody is recorded, and it was not us.
func scaler(d Object) string {
	if manager := managerOf(ReplicasField, d.GetManagedFields()); manager != release.FieldManager {
		return manager
	}
	return ""
}
