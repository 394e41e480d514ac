package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// A registry that is busy for a moment fails no release; one that stays busy
// fails it long before its time is up. The kubelets of before Kubernetes 1.32
// tell which of both only by events.
func TestRegistryThatIsBusy(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.unready()
	l.names = map[string]string{"v1": spec.Content.Name()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*testcluster.Hang)
	defer cancel()
	result := l.starting(ctx, t, l.process(t), spec)

	client := l.cluster.Client().CoreV1()
	var pod corev1.Pod
	testcluster.Eventually(t, testcluster.Hang, "a pod", func() error {
		pods, err := client.Pods(l.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name("v1")})
		if err == nil && (len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) != 1) {
			err = fmt.Errorf("%+v", pods.Items)
		}
		if err == nil {
			pod = pods.Items[0]
		}
		return err
	})
	status := pod.Status.ContainerStatuses[0]
	event, err := client.Events(l.namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: pod.Name + "."},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{" + status.Name + "}"},
		Type:           corev1.EventTypeWarning, Reason: "Failed", Count: 1, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
		Message: fmt.Sprintf("Failed to pull image %q: rpc error: code = Unknown desc = toomanyrequests: You have reached your pull rate limit.", status.Image),
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waits := func(reason string) {
		t.Helper()
		l.patchPods("v1", 1, fmt.Sprintf(`{"status":{"phase":"Pending","containerStatuses":[{"name":%q,"image":%q,"imageID":"","ready":false,"restartCount":0,
			"state":{"running":null,"waiting":{"reason":%q,"message":"Back-off pulling image \"%s\""}}}]}}`, status.Name, status.Image, reason, status.Image))
	}
	waits("ImagePullBackOff")
	select {
	case got := <-result:
		t.Fatalf("it has failed after one pull: %v", got.err)
	case <-time.After(3 * faultyTiming().Grace):
	}
	event.Count = health.PullThreshold
	if _, err := client.Events(l.namespace).Update(t.Context(), event, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	waits("ErrImagePull")
	got := <-result
	var failure *rollout.StartError
	if !errors.As(got.err, &failure) || failure.Summary() != "Deployment failed to start: ImagePullRateLimited" || failure.Err != nil {
		t.Errorf("got %v", got.err)
	}
}
