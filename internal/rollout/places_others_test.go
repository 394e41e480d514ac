package rollout_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// othersPlaces are what somebody else does to the workload itself, as the commands of
// kubectl do it.
var othersPlaces = map[string]place{
	"paused": {
		edit:  func(_ *testing.T, _ *scene, d *appsv1.Deployment) { d.Spec.Replicas = new(int32(2)) },
		then:  func(t *testing.T, s *scene) { s.settles(t, 2); s.pauses(t); s.edited(t) },
		asked: 2, cause: health.CausePaused, class: health.Certain,
		tells: []string{
			`the Deployment is paused by the field manager "kubectl-rollout": 0 of its 2 pods have its present template`,
			`spec.paused is true, written by the field manager "kubectl-rollout" at `, "rollout resume deployment/web",
		},
	},
	"scaled-to-zero": {
		edit:  func(_ *testing.T, _ *scene, d *appsv1.Deployment) { d.Spec.Replicas = new(int32(2)) },
		then:  func(t *testing.T, s *scene) { s.settles(t, 2); s.scales(t, 0) },
		asked: 2, cause: health.CauseScaled, class: health.Certain,
		tells: []string{
			"the Deployment was scaled to 0 by somebody else (Kubernetes has not recorded who), and this release waits for 2", "spec.replicas is 0",
			"from 2 to 0", "scale deployment/web --replicas=2",
		},
	},
	"scaled-down": {
		edit:  func(_ *testing.T, _ *scene, d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) },
		then:  func(t *testing.T, s *scene) { s.settles(t, 3); s.scales(t, 2) },
		asked: 3, cause: health.CauseScaled, class: health.Certain,
		tells: []string{`the Deployment was scaled to 2 by the field manager "kubectl", and this release waits for 3`, `spec.replicas is 2, written by the field manager "kubectl" through the subresource scale`},
	},
	"scaled-up": {
		then:  func(t *testing.T, s *scene) { s.settles(t, 1); s.scales(t, 2) },
		asked: 1, cause: health.CauseScaled, class: health.Warning, healthy: true,
		tells: []string{`the Deployment was scaled to 2 by the field manager "kubectl", and this release asks for 1: all of them are waited for`},
	},
}

// settles waits until the workload has so many pods that are ready.
func (s *scene) settles(t *testing.T, pods int32) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, "the pods to be ready", func() error {
		d, err := s.Client().AppsV1().Deployments(s.namespace).Get(t.Context(), workloadName, metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != pods {
			err = fmt.Errorf("%d are", d.Status.ReadyReplicas)
		}
		return err
	})
}

// pauses does what kubectl rollout pause does.
func (s *scene) pauses(t *testing.T) {
	t.Helper()
	_, err := s.Client().AppsV1().Deployments(s.namespace).Patch(t.Context(), workloadName, types.StrategicMergePatchType, []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{FieldManager: "kubectl-rollout"})
	must(t, err)
}

// scales does what kubectl scale does.
func (s *scene) scales(t *testing.T, replicas int32) {
	t.Helper()
	_, err := s.Client().AppsV1().Deployments(s.namespace).Patch(t.Context(), workloadName, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{FieldManager: "kubectl"}, "scale")
	must(t, err)
}
