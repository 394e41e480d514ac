package testcluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// bind makes a pod on the kubelet's node, without a scheduler.
func bind(t *testing.T, k *testcluster.Kubelet, client kubernetes.Interface, namespace, name string, containers ...string) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: k.Node}}
	for _, c := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: c, Image: "demo/" + c + ":v1"})
	}
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func read(ctx context.Context, client kubernetes.Interface, namespace, pod string, options corev1.PodLogOptions) (string, error) {
	log, err := client.CoreV1().Pods(namespace).GetLogs(pod, &options).Stream(ctx)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(log)
	return string(content), errors.Join(err, log.Close())
}

func TestKubeletAnswersForLogs(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	k, namespace := c.Kubelet(t), c.Namespace(t)
	k.Status(func(pod *corev1.Pod) corev1.PodStatus {
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{
			"loop": testcluster.CrashLoop(3, 4), "pull": testcluster.WaitingFor("ImagePullBackOff", "no such image"),
		})
	})
	bind(t, k, c.Client(), namespace, "api-1", "app", "loop", "pull")
	k.AwaitPods(t, 1)
	old := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	k.Write(testcluster.LogOf{Pod: "api-", Container: "app"}, testcluster.LogLine{Time: old, Text: "one"})
	k.Write(testcluster.LogOf{Pod: "api-", Container: "app"}, testcluster.Lines("two", "three")...)
	k.Write(testcluster.LogOf{Container: "loop", Previous: true}, testcluster.Lines("last words")...)

	number := func(n int64) *int64 { return &n }
	for name, tt := range map[string]struct {
		options corev1.PodLogOptions
		want    string
		refused string
	}{
		"all":                 {corev1.PodLogOptions{Container: "app"}, "one\ntwo\nthree\n", ""},
		"tail":                {corev1.PodLogOptions{Container: "app", TailLines: number(2)}, "two\nthree\n", ""},
		"none":                {corev1.PodLogOptions{Container: "app", TailLines: number(0)}, "", ""},
		"since":               {corev1.PodLogOptions{Container: "app", SinceSeconds: number(60)}, "two\nthree\n", ""},
		"since a time":        {corev1.PodLogOptions{Container: "app", SinceTime: &metav1.Time{Time: old.Add(time.Minute)}}, "two\nthree\n", ""},
		"limit":               {corev1.PodLogOptions{Container: "app", LimitBytes: number(6)}, "one\ntw", ""},
		"timestamps":          {corev1.PodLogOptions{Container: "app", LimitBytes: number(34), Timestamps: true}, old.Format("2006-01-02T15:04:05.000000000Z") + " one", ""},
		"before":              {corev1.PodLogOptions{Container: "loop", Previous: true}, "last words\n", ""},
		"not begun again":     {corev1.PodLogOptions{Container: "loop"}, "last words\n", ""},
		"never ended":         {corev1.PodLogOptions{Container: "app", Previous: true}, "", `previous terminated container "app" in pod "api-1" not found`},
		"never began":         {corev1.PodLogOptions{Container: "pull"}, "", `container "pull" in pod "api-1" is waiting to start: trying and failing to pull image`},
		"no such container":   {corev1.PodLogOptions{Container: "web"}, "", "container web is not valid for pod api-1"},
		"nobody wrote to one": {corev1.PodLogOptions{Container: "app", SinceSeconds: number(60), TailLines: number(0)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t.Context(), c.Client(), namespace, "api-1", tt.options)
			if tt.refused != "" {
				if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("want a refusal with %q, got %q, %v", tt.refused, got, err)
				}
			} else if err != nil || got != tt.want {
				t.Errorf("want %q, got %q, %v", tt.want, got, err)
			}
		})
	}
	if asked := k.Requests(); !slices.Contains(asked, namespace+"/api-1/app?tailLines=2") {
		t.Errorf("the API server asked %q", asked)
	}
}

// TestKubeletIsAskedInTheApiServersName: who may not read logs is refused before
// that, by the real authorizer.
func TestKubeletIsAskedInTheApiServersName(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	k, namespace := c.Kubelet(t), c.Namespace(t)
	bind(t, k, c.Client(), namespace, "api-1", "app")
	k.AwaitPods(t, 1)
	k.Write(testcluster.LogOf{Container: "app"}, testcluster.Lines("hello")...)
	rule := func(resource string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{resource}}}
	}
	if got, err := read(t.Context(), clientFor(t, c.RestrictedKubeconfig(t, namespace, rule("pods/log"))), namespace, "api-1", corev1.PodLogOptions{}); err != nil || got != "hello\n" {
		t.Errorf("who may read logs: %q, %v", got, err)
	}
	asked := len(k.Requests())
	if _, err := read(t.Context(), clientFor(t, c.RestrictedKubeconfig(t, namespace, rule("pods"))), namespace, "api-1", corev1.PodLogOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("who may only read pods: %v", err)
	}
	if len(k.Requests()) != asked {
		t.Error("the kubelet was asked for somebody who may not read logs")
	}
}

// TestKubeletFollows: a log that is followed goes on with what is written later.
func TestKubeletFollows(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	k, namespace := c.Kubelet(t), c.Namespace(t)
	bind(t, k, c.Client(), namespace, "api-1", "app")
	k.AwaitPods(t, 1)
	k.Write(testcluster.LogOf{Container: "app"}, testcluster.Lines("one")...)
	log, err := c.Client().CoreV1().Pods(namespace).GetLogs("api-1", &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	reader := bufio.NewReader(log)
	for _, want := range []string{"one\n", "two\n", "three\n"} {
		if got, err := reader.ReadString('\n'); err != nil || got != want {
			t.Fatalf("want %q, got %q, %v", want, got, err)
		}
		if next := map[string]string{"one\n": "two", "two\n": "three"}[want]; next != "" {
			k.Write(testcluster.LogOf{Container: "app"}, testcluster.Lines(next)...)
		}
	}
}

// TestKubeletRunsWhatControllersMake: pods of a Deployment have their statuses
// from the kubelet, another one when the test says so, and go when it is deleted.
func TestKubeletRunsWhatControllersMake(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	k, namespace := c.Kubelet(t), c.Namespace(t)
	legacy := c.Legacy(t, namespace, "api", "demo/api:v1", onNode(k.Node))
	k.AwaitPods(t, 1)
	k.Status(func(pod *corev1.Pod) corev1.PodStatus {
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"legacy": testcluster.CrashLoop(1, 3)})
	})
	testcluster.Eventually(t, testcluster.Hang, "the Deployment to have no ready pod", func() error {
		d, err := c.Client().AppsV1().Deployments(namespace).Get(t.Context(), legacy.Name+"-legacy", metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != 0 {
			err = fmt.Errorf("it has %d", d.Status.ReadyReplicas)
		}
		return err
	})
	if err := c.Client().AppsV1().Deployments(namespace).Delete(t.Context(), legacy.Name+"-legacy", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	k.AwaitPods(t, 0)
}

// onNode puts a Deployment's pods on a node.
func onNode(node string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.NodeName = node }
}
