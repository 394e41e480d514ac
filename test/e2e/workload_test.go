//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// pointOthers makes testcluster's helpers use the shared cluster, too.
var pointOthers sync.Once

// shared is the cluster that most tests share. testcluster.Shared is the same
// one after that, and has namespaces, restricted accounts and faults for it.
func shared(t testing.TB) *testnode.Cluster {
	t.Helper()
	c := testnode.Shared(t)
	pointOthers.Do(func() {
		if err := os.Setenv(testcluster.KubeconfigEnv, c.KubeconfigPath); err != nil { //nolint:usetesting // it is for all tests, not this one
			t.Fatal(err)
		}
	})
	return c
}

// deploy makes a Deployment and a Service of the same name, waits until the
// Deployment is available, and returns the Service's address.
func deploy(t testing.TB, c *testnode.Cluster, namespace, name, image string, replicas int32) string {
	t.Helper()
	labels := map[string]string{"app": name}
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	ctx := t.Context()
	_, err := c.Client().AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "app", Image: image,
					ReadinessProbe: &corev1.Probe{
						ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)}},
						PeriodSeconds: 1,
					},
				}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := c.Client().CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: meta,
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, name+" to be available", func() error {
		d, err := c.Client().AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != replicas {
			err = fmt.Errorf("%d of %d replicas are available", d.Status.AvailableReplicas, replicas)
		}
		return err
	})
	return service.Spec.ClusterIP
}

// run makes a pod with one container.
func run(t testing.TB, c *testnode.Cluster, namespace, name, image string, edit ...func(*corev1.PodSpec)) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}, TerminationGracePeriodSeconds: new(int64(0))},
	}
	for _, e := range edit {
		e(&pod.Spec)
	}
	if _, err := c.Client().CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// container returns the status of a pod's container.
func container(t testing.TB, c *testnode.Cluster, namespace, pod string) (corev1.ContainerStatus, error) {
	t.Helper()
	p, err := c.Client().CoreV1().Pods(namespace).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		return corev1.ContainerStatus{}, err
	}
	if len(p.Status.ContainerStatuses) == 0 {
		return corev1.ContainerStatus{}, errors.New("no container yet")
	}
	return p.Status.ContainerStatuses[0], nil
}

// podAddress waits for a pod's address.
func podAddress(t testing.TB, c *testnode.Cluster, namespace, name string) (address string) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, "the address of "+name, func() error {
		pod, err := c.Client().CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && pod.Status.PodIP == "" {
			err = errors.New("it has none yet")
		}
		if err == nil {
			address = pod.Status.PodIP
		}
		return err
	})
	return address
}

// get makes one request, over a connection of its own.
func get(ctx context.Context, url string) (body string, header http.Header, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, content)
	}
	return string(content), response.Header, err
}

// getEventually is get for a Service that kube-proxy may not know yet.
func getEventually(t testing.TB, url string) (body string, header http.Header) {
	t.Helper()
	testcluster.Eventually(t, 10*time.Second, url+" to answer", func() (err error) {
		body, header, err = get(t.Context(), url)
		return err
	})
	return body, header
}
