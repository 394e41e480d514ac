//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// withEnv sets variables of the application.
func withEnv(pairs ...string) func(*corev1.PodSpec) {
	return func(spec *corev1.PodSpec) {
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			spec.Containers[0].Env = append(spec.Containers[0].Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
}

// TestApplicationFailsAsAsked shows that the test application and the node
// make the failures that other tests are about.
func TestApplicationFailsAsAsked(t *testing.T) {
	c := shared(t)
	namespace := testcluster.Shared(t).Namespace(t)
	for _, tc := range []struct {
		name, image string
		edit        func(*corev1.PodSpec)
		failed      func(corev1.ContainerStatus) bool
	}{
		{"crash", testnode.AppImage("v1"), withEnv("APP_CRASH_AFTER=100ms", "APP_CRASH_MESSAGE=no database"), func(s corev1.ContainerStatus) bool {
			last := s.LastTerminationState.Terminated
			return s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff" && last != nil && last.ExitCode == 3
		}},
		{"memory", testnode.AppImage("v1"), func(spec *corev1.PodSpec) {
			withEnv("APP_MEMORY_MB=200")(spec)
			spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("32Mi")}
		}, func(s corev1.ContainerStatus) bool {
			last := s.LastTerminationState.Terminated
			return last != nil && last.Reason == "OOMKilled"
		}},
		{"never-ready", testnode.AppImage("v1"), func(spec *corev1.PodSpec) {
			withEnv("APP_NEVER_READY=true")(spec)
			spec.Containers[0].ReadinessProbe = &corev1.Probe{
				ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8080)}},
				PeriodSeconds: 1,
			}
		}, func(s corev1.ContainerStatus) bool { return s.State.Running != nil && !s.Ready }},
		{"unhealthy", testnode.AppImage("v1"), func(spec *corev1.PodSpec) {
			withEnv("APP_UNHEALTHY_AFTER=1s")(spec)
			spec.Containers[0].LivenessProbe = &corev1.Probe{
				ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}},
				PeriodSeconds: 1, FailureThreshold: 1,
			}
		}, func(s corev1.ContainerStatus) bool { return s.RestartCount > 0 }},
		{"stock-as-user", testnode.StockImage, func(spec *corev1.PodSpec) {
			spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true)}
		}, func(s corev1.ContainerStatus) bool {
			return s.State.Waiting != nil && s.State.Waiting.Reason == "CreateContainerConfigError"
		}},
		{"stock-read-only", testnode.StockImage, func(spec *corev1.PodSpec) {
			spec.Containers[0].SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: new(true)}
		}, func(s corev1.ContainerStatus) bool {
			last := s.LastTerminationState.Terminated
			return last != nil && last.ExitCode == 2
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			beside(t, light)
			run(t, c, namespace, tc.name, tc.image, tc.edit)
			testcluster.Eventually(t, testcluster.Hang, "the failure", func() error {
				status, err := container(t, c, namespace, tc.name)
				if err == nil && !tc.failed(status) {
					err = fmt.Errorf("it is %+v, after %+v", status.State, status.LastTerminationState)
				}
				return err
			})
		})
	}
}

// TestRequestsUnderWayAreAnswered deletes a pod while it answers.
func TestRequestsUnderWayAreAnswered(t *testing.T) {
	c := shared(t)
	namespace := testcluster.Shared(t).Namespace(t)
	run(t, c, namespace, "graceful", testnode.AppImage("v3"), func(spec *corev1.PodSpec) {
		spec.TerminationGracePeriodSeconds = new(int64(20))
	})
	address := "http://" + podAddress(t, c, namespace, "graceful") + ":8080"
	getEventually(t, address)

	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	slow := make(chan string, 1)
	go func() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/?ms=2000", nil)
		if err != nil {
			slow <- err.Error()
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			slow <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		slow <- fmt.Sprint(string(body), err)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	select {
	case <-time.After(500 * time.Millisecond): // both are under way
	case <-ctx.Done():
	}
	if err := c.Client().CoreV1().Pods(namespace).Delete(ctx, "graceful", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-slow; got != "version=v3 pod=graceful\n<nil>" {
		t.Errorf("the request under way got %q", got)
	}
	text, err := io.ReadAll(stream.Body)
	if err != nil || !strings.HasSuffix(string(text), "goodbye\n") {
		t.Errorf("the stream ends with %q, %v", text[max(0, len(text)-80):], err)
	}
}
