package workload

import (
	"maps"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Floor is how few pods an autoscaler goes down to.
func Floor(h *autoscalingv2.HorizontalPodAutoscaler) int32 {
	if h.Spec.MinReplicas == nil {
		return 1 // the API server's default
	}
	return *h.Spec.MinReplicas
}

// RaisedFloor is what an autoscaler's floor was raised to, as it says itself; 0: it is the one
// that was typed.
func RaisedFloor(h *autoscalingv2.HorizontalPodAutoscaler) int32 {
	return numberIn(h.Annotations, release.AnnotationHeldReplicas)
}

// typedFloor is the floor that was typed.
func typedFloor(h *autoscalingv2.HorizontalPodAutoscaler) int32 {
	if typed := numberIn(h.Annotations, release.AnnotationMinReplicas); typed > 0 {
		return typed
	}
	return Floor(h)
}

// RaiseFloor raises an autoscaler's floor, and says in the same object what was typed: who
// reads one reads the other.
func RaiseFloor(h *autoscalingv2.HorizontalPodAutoscaler, floor int32) {
	typed := typedFloor(h)
	h.Annotations = maps.Clone(h.Annotations)
	if h.Annotations == nil {
		h.Annotations = map[string]string{}
	}
	h.Annotations[release.AnnotationMinReplicas] = strconv.Itoa(int(typed))
	h.Annotations[release.AnnotationHeldReplicas] = strconv.Itoa(int(floor))
	h.Spec.MinReplicas = &floor
}

// RestoreFloor gives an autoscaler the floor that was typed. One that somebody else has set
// meanwhile, so that it is not among our fields, stays.
func RestoreFloor(h *autoscalingv2.HorizontalPodAutoscaler) {
	if typed := typedFloor(h); h.Spec.MinReplicas != nil {
		h.Spec.MinReplicas = &typed
	}
	h.Annotations = maps.Clone(h.Annotations)
	delete(h.Annotations, release.AnnotationMinReplicas)
	delete(h.Annotations, release.AnnotationHeldReplicas)
}

// KeepFloor keeps a floor that was raised, on what is to take the autoscaler's place: within
// what is typed by now.
func KeepFloor(h *autoscalingv2.HorizontalPodAutoscaler, raised int32) {
	if raised = min(raised, h.Spec.MaxReplicas); raised > Floor(h) {
		RaiseFloor(h, raised)
	}
}
