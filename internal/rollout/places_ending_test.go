package rollout_test

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// endingPlaces end pods that were well. Nobody plays their node: what is deleted
// there stays until a kubelet says that it has ended.
var endingPlaces = map[string]place{
	"drained": {
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) }, edit: ownNode,
		then: func(t *testing.T, s *scene) {
			pod := s.pod(t)
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: s.namespace}}
			if err := s.Client().CoreV1().Pods(s.namespace).EvictV1(t.Context(), eviction); err != nil {
				t.Fatal(err)
			}
		},
		cause: health.CauseDrained, class: health.Patient,
		tells: []string{"is being evicted through the API, as when its node", "is drained", "Eviction API: evicting", "nothing, as long as other nodes have room"},
	},
	"preempted": {
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) },
		edit: func(t *testing.T, s *scene, d *appsv1.Deployment) {
			ownNode(t, s, d)
			d.Spec.Template.Spec.Containers[0].Resources.Requests = of(corev1.ResourceCPU, "2")
		},
		then:  preempt,
		cause: health.CausePreempted, class: health.Patient, second: true,
		tells: []string{"the scheduler removes the pod from node", "for one of a higher priority", "preempting to accommodate a higher priority pod", "priorityClassName"},
	},
	"emptied": {
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) }, edit: ownNode,
		then: func(t *testing.T, s *scene) {
			s.pod(t)
			taints := []byte(`{"spec":{"taints":[{"key":"maintenance","effect":"NoExecute"}]}}`)
			if _, err := s.Client().CoreV1().Nodes().Patch(t.Context(), s.namespace, types.MergePatchType, taints, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		cause: health.CauseNodeNotReady, class: health.Patient, second: true,
		tells: []string{"has a taint that it does not tolerate", "Taint manager: deleting due to NoExecute taint"},
	},
	"node-not-ready": { // takes the node lifecycle controller's grace period: most of a minute
		prepare: func(t *testing.T, s *scene) { s.node(t, roomy) }, edit: ownNode,
		then: func(t *testing.T, s *scene) {
			s.starts(t, s.pod(t)) // and no kubelet is heard of after that
		},
		cause: health.CauseNodeNotReady, class: health.Patient,
		tells: []string{"the pod's node ", "does not answer", `event "NodeNotReady": Node is not ready`, "ask who runs the nodes"},
	},
	// With strategy Recreate a pod that does not go keeps the next one away.
	"terminating-finalizer": {
		prepare: func(t *testing.T, s *scene) { s.after = 2 * time.Minute; s.node(t, roomy) },
		edit:    oneAtATime,
		then: func(t *testing.T, s *scene) {
			pod := s.pod(t)
			pods := s.Client().CoreV1().Pods(s.namespace)
			if _, err := pods.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/stays"]}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_, _ = pods.Patch(context.WithoutCancel(t.Context()), pod.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			})
			s.change(t)
		},
		cause: health.CauseTerminating, class: health.Patient,
		tells: []string{"the pod was deleted and stays beyond its grace period on node", "it waits for its finalizers example.com/stays", "see that the controller of the finalizer runs", "should be gone since"},
	},
	"terminating-node": {
		prepare: func(t *testing.T, s *scene) { s.after = 2 * time.Minute; s.node(t, roomy) },
		edit:    oneAtATime,
		then:    func(t *testing.T, s *scene) { s.pod(t); s.change(t) },
		cause:   health.CauseTerminating, class: health.Patient,
		tells: []string{"the pod was deleted and stays beyond its grace period on node", "see whether node"},
	},
}

func ownNode(_ *testing.T, s *scene, d *appsv1.Deployment) {
	onItsOwn(s.namespace, &d.Spec.Template.Spec)
}

func oneAtATime(t *testing.T, s *scene, d *appsv1.Deployment) {
	ownNode(t, s, d)
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
}

// change has the workload want other pods.
func (s *scene) change(t *testing.T) {
	t.Helper()
	s.edited(t)
	testcluster.Eventually(t, testcluster.Hang, "the pod to be deleted", func() error {
		if pod := s.pod(t); pod.DeletionTimestamp == nil {
			return context.DeadlineExceeded
		}
		return nil
	})
}

// edited gives the workload another template.
func (s *scene) edited(t *testing.T) {
	t.Helper()
	patch := []byte(`{"spec":{"template":{"metadata":{"annotations":{"changed":"yes"}}}}}`)
	if _, err := s.Client().AppsV1().Deployments(s.namespace).Patch(t.Context(), workloadName, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// starts says of a pod what a kubelet says of one that is ready.
func (s *scene) starts(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	now := metav1.Now()
	pod.Status.Phase = corev1.PodRunning
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "web", Image: "demo/web:v1", Ready: true, Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
	if _, err := s.Client().CoreV1().Pods(s.namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the workload to be healthy", func() error {
		in, err := s.look(t)
		if err == nil && health.Compute(in).State != health.Healthy {
			err = context.DeadlineExceeded
		}
		return err
	})
}

// preempt makes a pod that is more important, and has room only in another's place.
func preempt(t *testing.T, s *scene) {
	s.pod(t)
	classes := s.Client().SchedulingV1().PriorityClasses()
	if _, err := classes.Create(t.Context(), &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}, Value: 1000}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = classes.Delete(context.WithoutCancel(t.Context()), s.namespace, metav1.DeleteOptions{})
	})
	other := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "important"}, Spec: s.workload().Spec.Template.Spec}
	other.Spec.PriorityClassName = s.namespace
	other.Spec.Containers[0].Resources.Requests = of(corev1.ResourceCPU, "2")
	onItsOwn(s.namespace, &other.Spec)
	testcluster.Eventually(t, testcluster.Hang, "the more important pod", func() error { // its class is known a moment later
		_, err := s.Client().CoreV1().Pods(s.namespace).Create(t.Context(), other, metav1.CreateOptions{})
		return err
	})
}
