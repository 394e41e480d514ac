package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// writes is an entry of a workload's managed fields, of a manager that wrote a field of
// the spec so many minutes after noon.
func writes(manager, subresource, field string, minutes int) metav1.ManagedFieldsEntry {
	operation := metav1.ManagedFieldsOperationUpdate
	if manager == "switchback" {
		operation = metav1.ManagedFieldsOperationApply
	}
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: subresource, APIVersion: "apps/v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(fmt.Sprintf(`{"f:spec":{"f:%s":{}}}`, field)), Time: new(metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))),
	}
}

// TestAPausedDeployment is a cause only while it is what holds up the rollout.
func TestAPausedDeployment(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status appsv1.DeploymentStatus
		cause  health.Cause
	}{
		"nothing is there yet":       {appsv1.DeploymentStatus{}, health.CausePaused},
		"only pods of the former":    {appsv1.DeploymentStatus{Replicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, health.CausePaused},
		"half of them":               {appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 1, ReadyReplicas: 2, AvailableReplicas: 2}, health.CausePaused},
		"all of them, and a former":  {appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 2, ReadyReplicas: 3, AvailableReplicas: 3}, health.CausePaused},
		"all of them, not yet ready": {appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 1, AvailableReplicas: 1}, ""},
		"all of them":                {appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}, ""},
	} {
		in := baking(2)
		tc.status.ObservedGeneration = 1
		in.Workload.Status, in.Workload.Spec.Paused = tc.status, true
		v := health.Compute(in)
		cause := health.Cause("")
		if len(v.Findings) > 0 {
			cause = v.Findings[0].Cause
		}
		if cause != tc.cause || (cause != "") != (v.State == health.Failed) {
			t.Errorf("%s: %+v", name, v)
		}
		in.Workload.Spec.Paused = false
		if v := health.Compute(in); len(v.Findings) > 0 {
			t.Errorf("%s, not paused: %+v", name, v.Findings)
		}
	}
}

// TestWhoPausedIt, since when and how it goes on is in the text. What ails the pods of
// an earlier template is not.
func TestWhoPausedIt(t *testing.T) {
	t.Parallel()
	in := crashing(4, corev1.ContainerStateTerminated{ExitCode: 1})
	in.Workload.Namespace, in.Workload.Spec.Paused, in.Workload.Spec.Replicas = "shop", true, new(int32(1))
	in.Workload.Status.Replicas = 1
	in.Workload.ManagedFields = []metav1.ManagedFieldsEntry{
		writes("switchback", "", "replicas", 0), writes("kubectl-edit", "", "paused", 1), writes("kubectl-rollout", "", "paused", 2), writes("argo", "", "paused", -9),
		{Manager: "broken", FieldsV1: metav1.NewFieldsV1(`{"f:spec":`)}, {Manager: "empty"},
	}
	v := health.Compute(in)
	if len(v.Findings) != 1 {
		t.Fatalf("it tells of earlier pods: %+v", v.Findings)
	}
	wantFinding(t, v.Findings[0], health.CausePaused, health.Certain,
		`the Deployment is paused by the field manager "kubectl-rollout": 0 of its 1 pods have its present template`,
		`spec.paused is true, written by the field manager "kubectl-rollout" at 2026-03-01T12:02:00Z`, "\n  kubectl --namespace shop rollout resume deployment/api-1")
	in.Workload.ManagedFields, in.Workload.Status.UpdatedReplicas, in.WantReplicas = nil, 1, 2
	v = health.Compute(in)
	wantFinding(t, v.Findings[0], health.CausePaused, health.Certain, "is paused by somebody else (Kubernetes has not recorded who): 1 of its 2 pods")
	if len(v.Findings) < 2 || v.Findings[len(v.Findings)-1].Cause != health.CauseCrashLoop {
		t.Errorf("it does not tell of its own pods: %+v", v.Findings)
	}
}

// TestScaledByOthers: fewer pods than were asked for never are enough; more of them are
// waited for, and count.
func TestScaledByOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked, has, ready int32
		state             health.State
		class             health.Class
		patience          time.Duration
	}{
		"as asked":            {3, 3, 3, health.Healthy, "", 0},
		"to zero":             {3, 0, 0, health.Failed, health.Certain, 0},
		"down":                {3, 2, 2, health.Failed, health.Certain, time.Minute},
		"down in a moment":    {3, 2, 3, health.Failed, health.Certain, time.Minute},
		"up, and not all are": {3, 5, 3, health.Progressing, health.Warning, 0},
		"up":                  {3, 5, 5, health.Healthy, health.Warning, 0},
		"up from zero":        {0, 2, 2, health.Healthy, health.Warning, 0},
	} {
		in := baking(int(tc.ready))
		in.WantReplicas, in.Workload.Spec.Replicas = tc.asked, &tc.has
		v := health.Compute(in)
		if v.State != tc.state || v.Class != tc.class || v.Want != max(tc.asked, tc.has) || (len(v.Certain) > 0) != (tc.class == health.Certain) || len(v.Certain) > 0 && v.Certain[0].Patience != tc.patience {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestWhoScaledIt is in the text where Kubernetes has recorded it, and the ways out.
func TestWhoScaledIt(t *testing.T) {
	t.Parallel()
	scaled := func(to int32, fields ...metav1.ManagedFieldsEntry) health.Input {
		in := baking(int(to))
		in.WantReplicas, in.Workload.Spec.Replicas, in.Workload.Namespace = 3, &to, "shop"
		in.Workload.ManagedFields = fields
		return in
	}
	told := func(in health.Input, class health.Class, tells ...string) {
		t.Helper()
		wantFinding(t, health.Compute(in).Findings[0], health.CauseScaled, class, tells...)
	}
	ours := writes("switchback", "", "replicas", 0)
	told(scaled(1, ours, writes("kubectl", "scale", "replicas", 3)), health.Certain,
		`the Deployment was scaled to 1 by the field manager "kubectl", and this release waits for 3`,
		`spec.replicas is 1, written by the field manager "kubectl" through the subresource scale at 2026-03-01T12:03:00Z`,
		"the attribute autoscaling", `ignore_drift = ["spec.replicas"]`, "\n  kubectl --namespace shop scale deployment/api --replicas=3")
	if got := health.Changed(scaled(1, ours).Workload, 3); got != "the Deployment was scaled to 1 by somebody else (Kubernetes has not recorded who), and this release waits for 3" {
		t.Error(got)
	}
	if got := health.Changed(scaled(5, ours).Workload, 3) + health.Changed(scaled(3, ours).Workload, 3); got != "" {
		t.Error(got)
	}
	told(scaled(5, writes("kubectl-edit", "", "replicas", 3)), health.Warning, `was scaled to 5 by the field manager "kubectl-edit", and this release asks for 3: all of them are waited for`)
	// The scale subresource leaves a zero out: what is recorded is of before.
	zero := scaled(0, ours, writes("kubectl", "scale", "replicas", 3))
	told(zero, health.Certain, "was scaled to 0 by somebody else (Kubernetes has not recorded who)")
	zero.Events = []*corev1.Event{{
		Reason: "ScalingReplicaSet", Message: "Scaled down replica set api-5d9f from 3 to 0",
		InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Namespace: "shop", Name: "api", UID: "api"},
	}}
	told(zero, health.Certain, `event "ScalingReplicaSet": Scaled down replica set api-5d9f from 3 to 0`)
	up := zero.Events[0].DeepCopy() // in the same second, and before
	up.Name, zero.Events[0].Name, up.Message = "api.18ec5b0a1c000001", "api.18ec5b0a1d000001", "Scaled up replica set api-5d9f from 0 to 3"
	zero.Events = append(zero.Events, up)
	told(zero, health.Certain, `event "ScalingReplicaSet": Scaled down replica set api-5d9f from 3 to 0`)
	zero.Events = zero.Events[:1]
	zero.Events[0].Message = "Scaled up replica set api-5d9f from 0 to 3"
	if got := health.Compute(zero).Findings[0].Evidence; strings.Contains(got, "0 to 3") {
		t.Errorf("it quotes what was before: %s", got)
	}
	hpa := scaled(2, writes("kube-controller-manager", "scale", "replicas", 3))
	hpa.Around.Autoscaler = &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "api-load"}}
	told(hpa, health.Certain, `by the field manager "kube-controller-manager" for the HorizontalPodAutoscaler "api-load"`)
	hpa.Workload.ManagedFields[0].Subresource = ""
	if got := health.Compute(hpa).Findings[0].Sentence; strings.Contains(got, "api-load") {
		t.Errorf("somebody else's write is an autoscaler's: %s", got)
	}
}
