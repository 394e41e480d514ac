package health_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// podsAlone are so many ready pods of nobody knows what.
func podsAlone(n int) health.Input {
	in := baking(n)
	in.Workload, in.WantReplicas = nil, 0
	for _, pod := range in.Pods {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return in
}

// TestPodsWithoutAWorkload: they are judged by themselves.
func TestPodsWithoutAWorkload(t *testing.T) {
	t.Parallel()
	ends := func(in health.Input, i int, phase corev1.PodPhase, owner ...metav1.OwnerReference) health.Input {
		in.Pods[i].Status.Phase, in.Pods[i].Status.Conditions, in.Pods[i].OwnerReferences = phase, nil, owner
		return in
	}
	controller := metav1.OwnerReference{Kind: "ReplicaSet", Name: "api", Controller: new(true)}
	crashing := podsAlone(2)
	crashing.Pods[1].Status.Conditions[0].Status = corev1.ConditionFalse
	ended(crashing, 1, 4, "Error")
	crashing.Pods[1].Status.ContainerStatuses[0].Ready = false
	crashing.Pods[1].Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	leaving := podsAlone(2)
	leaving.Pods[0].DeletionTimestamp = new(metav1.Now())
	for name, tt := range map[string]struct {
		in          health.Input
		state       health.State
		ready, want int32
		cause       health.Cause
	}{
		"all ready":                    {podsAlone(3), health.Healthy, 3, 3, ""},
		"none":                         {podsAlone(0), health.Progressing, 0, 0, ""},
		"one crashes":                  {crashing, health.Failed, 1, 2, health.CauseCrashLoop},
		"one leaves":                   {leaving, health.Healthy, 1, 1, ""},
		"one has done its work":        {ends(podsAlone(2), 0, corev1.PodSucceeded), health.Healthy, 1, 1, ""},
		"all have":                     {ends(podsAlone(1), 0, corev1.PodSucceeded), health.Healthy, 0, 0, ""},
		"one failed, and is replaced":  {ends(podsAlone(2), 0, corev1.PodFailed, controller), health.Healthy, 1, 1, ""},
		"one failed, which nobody had": {ends(podsAlone(2), 0, corev1.PodFailed), health.Progressing, 1, 2, health.CausePodFailed},
		"all failed":                   {ends(podsAlone(1), 0, corev1.PodFailed, controller), health.Progressing, 0, 0, health.CausePodFailed},
	} {
		v := health.Compute(tt.in)
		var cause health.Cause
		if len(v.Findings) > 0 {
			cause = v.Findings[0].Cause
		}
		if v.State != tt.state || v.Ready != tt.ready || v.Want != tt.want || cause != tt.cause {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestEveryFixtureWithoutItsWorkload: what is wrong with pods is found without it.
func TestEveryFixtureWithoutItsWorkload(t *testing.T) {
	t.Parallel()
	for _, file := range fixtures(t) {
		in := fixture(t, file)
		with := health.Compute(in)
		in.Workload, in.WantReplicas = nil, 0
		alone := health.Compute(in)
		if len(with.Findings) > 0 && strings.HasPrefix(with.Findings[0].Object, "pod ") && len(alone.Findings) == 0 {
			t.Errorf("%s: nothing was found, and with its workload %s", file, with.Findings[0].Cause)
		}
	}
}
