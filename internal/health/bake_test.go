package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

// baking is a release with so many pods, all of them ready.
func baking(pods int) health.Input {
	n := int32(pods)
	in := health.Input{WantReplicas: n, Workload: &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "api", UID: "api", Generation: 1},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n},
	}}
	for i := range pods {
		name := fmt.Sprintf("api-%d", i)
		in.Pods = append(in.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "api"}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
				Name: "api", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}}},
		})
	}
	return in
}

// ended is a container that has ended so often, the last time like that, and is
// up again.
func ended(in health.Input, pod int, times int32, reason string) {
	status := &in.Pods[pod].Status.ContainerStatuses[0]
	status.RestartCount = times
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: reason, FinishedAt: metav1.NewTime(time.Unix(int64(times), 0)),
	}
}

// TestBake: what a release does at each look, and at which one it has failed.
func TestBake(t *testing.T) {
	t.Parallel()
	type look struct {
		ready int32
		do    func(health.Input) health.Input
	}
	fine := func(in health.Input) health.Input { return in }
	wants := func(n int32) func(health.Input) health.Input {
		return func(in health.Input) health.Input { in.WantReplicas = n; return in }
	}
	scaled := func(n int32) func(health.Input) health.Input {
		return func(in health.Input) health.Input {
			in.WantReplicas = n
			in.Workload.ManagedFields = []metav1.ManagedFieldsEntry{writes("kube-controller-manager", "scale", "replicas", 0)}
			return in
		}
	}
	ends := func(times int32, reason string, pods ...int) func(health.Input) health.Input {
		return func(in health.Input) health.Input {
			for _, pod := range pods {
				ended(in, pod, times, reason)
			}
			return in
		}
	}
	looping := func(in health.Input) health.Input {
		in.Workload.Status.ReadyReplicas, in.Workload.Status.AvailableReplicas = 2, 2
		in.Pods[0].Status.ContainerStatuses[0] = corev1.ContainerStatus{
			Name: "api", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}},
		}
		return in
	}
	tests := map[string]struct {
		pods  int
		looks []look
		want  string // of the last look; the others pass
	}{
		"all is well":                     {3, []look{{3, fine}, {3, fine}}, ""},
		"one pod is replaced":             {3, []look{{3, fine}, {2, fine}, {3, fine}}, ""},
		"two pods leave":                  {3, []look{{3, fine}, {1, fine}}, "1 of its 3 pods was ready, and it needs 2"},
		"the only pod leaves":             {1, []look{{1, fine}, {0, fine}}, "0 of its 1 pods were ready, and it needs 1"},
		"one of two leaves":               {2, []look{{2, fine}, {1, fine}}, ""},
		"it was not ready at the first":   {3, []look{{1, fine}}, "it needs 2"},
		"an autoscaler wants more":        {3, []look{{3, fine}, {3, wants(9)}, {2, wants(9)}}, ""},
		"an autoscaler has just asked":    {3, []look{{3, scaled(9)}, {3, scaled(9)}, {5, scaled(9)}, {3, scaled(9)}}, "3 of its 9 pods were ready, and it needs 4"},
		"none is left of what it scaled":  {3, []look{{0, scaled(9)}}, "0 of its 9 pods were ready, and it needs 1"},
		"it had more, and loses them":     {3, []look{{3, fine}, {9, wants(9)}, {7, wants(9)}}, "7 of its 9 pods were ready, and it needs 8"},
		"an autoscaler wants fewer":       {3, []look{{3, fine}, {1, wants(1)}}, ""},
		"it is scaled to nothing":         {3, []look{{3, fine}, {0, wants(0)}}, "0 of its 0 pods were ready, and it needs 1"},
		"it is deleted":                   {3, []look{{3, fine}, {3, func(in health.Input) health.Input { in.Workload = nil; return in }}}, "deleted"},
		"a pod crashes again and again":   {3, []look{{3, fine}, {2, looping}}, "ended with exit code 1 and was restarted 3 times"},
		"it crashed before":               {3, []look{{3, ends(7, "Error", 0)}, {3, ends(9, "Error", 0)}}, ""},
		"it crashes between two looks":    {3, []look{{3, ends(7, "Error", 0)}, {3, ends(10, "Error", 0)}}, `container "api" of pod api-0 was restarted 3 times`},
		"a node with all pods restarts":   {3, []look{{3, fine}, {3, ends(1, "Error", 0, 1, 2)}}, ""},
		"one kill for memory":             {3, []look{{3, fine}, {3, ends(1, "OOMKilled", 0)}, {3, ends(1, "OOMKilled", 0)}}, ""},
		"kills for memory in two pods":    {3, []look{{3, fine}, {3, ends(1, "OOMKilled", 0)}, {3, ends(1, "OOMKilled", 0, 2)}}, "ran out of memory 2 times"},
		"two kills for memory in one pod": {3, []look{{3, fine}, {3, ends(1, "OOMKilled", 0)}, {3, ends(2, "OOMKilled", 0)}}, "ran out of memory 2 times"},
		"killed for memory before":        {3, []look{{3, ends(1, "OOMKilled", 0, 1)}, {3, ends(1, "OOMKilled", 0, 1)}}, ""},
		"before, and twice more":          {3, []look{{3, ends(1, "OOMKilled", 0, 1)}, {3, ends(2, "OOMKilled", 0, 1)}}, "ran out of memory 2 times"},
		"a pod that came later is at fault": {3, []look{{3, fine}, {3, func(in health.Input) health.Input {
			in.Pods[0].UID = "another"
			ended(in, 0, 3, "Error")
			return in
		}}}, "was restarted 3 times"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bake health.Bake
			for i, l := range tt.looks {
				got := bake.Judge(l.do(baking(tt.pods)), l.ready)
				last := i == len(tt.looks)-1
				if !last && got != "" || last && (got == "") != (tt.want == "") || last && !strings.Contains(got, tt.want) {
					t.Errorf("look %d: %q, want %q at the last", i+1, got, tt.want)
				}
			}
		})
	}
}
