package workload

import (
	"encoding/json"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// StartedReplicas is how many pods a workload has while it is started: what it
// is asked for now, or, scaled to zero or to its share of the traffic, what it was asked
// for before.
func StartedReplicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1 // the API server's default
	}
	if *d.Spec.Replicas > 0 && ShareReplicas(d) == 0 {
		return *d.Spec.Replicas
	}
	return max(1, counted(d, release.AnnotationReplicas))
}

// counted is a number of pods that is kept in an annotation; 0: none is.
func counted(d *appsv1.Deployment, annotation string) int32 {
	return numberIn(d.Annotations, annotation)
}

func numberIn(annotations map[string]string, annotation string) int32 {
	n, err := strconv.ParseInt(annotations[annotation], 10, 32)
	if err != nil || n < 1 {
		return 0
	}
	return int32(n)
}

// RestartedAt is when the workload's pods were last asked to be replaced; empty:
// never.
func RestartedAt(d *appsv1.Deployment) string {
	return d.Spec.Template.Annotations[release.AnnotationRestartedAt]
}

// SetRestartedAt asks for the pods to be replaced when at differs from what
// lives; empty stands for never.
func SetRestartedAt(d *appsv1.Deployment, at string) {
	annotations := maps.Clone(d.Spec.Template.Annotations)
	if at == "" {
		delete(annotations, release.AnnotationRestartedAt)
	} else {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[release.AnnotationRestartedAt] = at
	}
	if len(annotations) == 0 {
		annotations = nil
	}
	d.Spec.Template.Annotations = annotations
}

// RestartTriggers are those that the workload was last applied with.
func RestartTriggers(d *appsv1.Deployment) map[string]string {
	var triggers map[string]string
	if json.Unmarshal([]byte(d.Annotations[release.AnnotationRestartTriggers]), &triggers) != nil || len(triggers) == 0 {
		return nil
	}
	return triggers
}

// SetRestartTriggers writes down what the pods have been restarted for.
func SetRestartTriggers(d *appsv1.Deployment, triggers map[string]string) error {
	annotations := maps.Clone(d.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	err := setRestartTriggers(annotations, triggers)
	d.Annotations = annotations
	return err
}

func setRestartTriggers(annotations, triggers map[string]string) error {
	delete(annotations, release.AnnotationRestartTriggers)
	if len(triggers) == 0 {
		return nil
	}
	text, err := json.Marshal(triggers) // maps are written in key order
	annotations[release.AnnotationRestartTriggers] = string(text)
	return err
}

// SetStartedReplicas writes down how many pods a workload has while it is
// started.
func SetStartedReplicas(d *appsv1.Deployment, n int32) {
	annotations := maps.Clone(d.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[release.AnnotationReplicas] = strconv.Itoa(int(n))
	d.Annotations = annotations
}
