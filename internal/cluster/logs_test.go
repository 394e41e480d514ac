package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// logged is a pod that has crashed before and runs now, with a log of each run.
func logged(t *testing.T) (wired, *testcluster.Kubelet) {
	t.Helper()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	k := testcluster.Shared(t).Kubelet(t)
	k.Status(func(pod *corev1.Pod) corev1.PodStatus {
		app := testcluster.CrashLoop(3, 1)
		app.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"app": app})
	})
	k.Write(testcluster.LogOf{Container: "app"}, testcluster.Lines("one", "two")...)
	k.Write(testcluster.LogOf{Container: "app", Previous: true}, testcluster.Lines("last words")...)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "api"},
		Spec:       corev1.PodSpec{NodeName: k.Node, Containers: []corev1.Container{{Name: "app", Image: "demo/api:v1"}}},
	}
	if _, err := w.direct.CoreV1().Pods(w.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.AwaitPods(t, 1)
	return w, k
}

func (w wired) logOf(ctx context.Context, options corev1.PodLogOptions) (string, error) {
	log, err := w.Log(ctx, w.namespace, "api", &options)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(log)
	return string(content), errors.Join(err, log.Close())
}

func isLog(r *testcluster.Request) bool { return strings.HasSuffix(r.Path, "/log") }

// TestLog: what options ask for, whatever happens to the first request on its way.
func TestLog(t *testing.T) {
	t.Parallel()
	w, _ := logged(t)
	one := int64(1)
	for name, tt := range map[string]struct {
		options corev1.PodLogOptions
		want    string
	}{
		"all":      {corev1.PodLogOptions{}, "one\ntwo\n"},
		"tail":     {corev1.PodLogOptions{TailLines: &one}, "two\n"},
		"previous": {corev1.PodLogOptions{Previous: true}, "last words\n"},
	} {
		for fault, happens := range map[string]testcluster.Fault{
			"":                     {},
			", after a reset":      testcluster.ConnectionReset(),
			", after a lost reply": testcluster.LostReply(),
			", after a 503":        testcluster.Unavailable(),
			", after a 429":        testcluster.TooManyRequests(time.Second),
		} {
			w.proxy.SetFault(onFirst(isLog, happens))
			if got, err := w.logOf(t.Context(), tt.options); err != nil || got != tt.want {
				t.Errorf("%s%s: got %q, %v", name, fault, got, err)
			}
		}
	}
}

// TestLogRefused: what a kubelet refuses is not asked for again, and told as it was
// said.
func TestLogRefused(t *testing.T) {
	t.Parallel()
	w, _ := logged(t)
	w.proxy.Reset()
	_, err := w.logOf(t.Context(), corev1.PodLogOptions{Container: "web"})
	var failed *RequestError
	if !errors.As(err, &failed) || !apierrors.IsBadRequest(err) ||
		err.Error() != fmt.Sprintf(`cluster "prod": cannot read the log of Pod %s/api: container web is not valid for pod api`, w.namespace) {
		t.Errorf("a container that is not there: %v", err)
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
	if _, err := w.Log(t.Context(), w.namespace, "web", &corev1.PodLogOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a pod that is not there: %v", err)
	}
}

// TestLogForbidden: the error names verb, resource and namespace.
func TestLogForbidden(t *testing.T) {
	t.Parallel()
	w, _ := logged(t)
	kubeconfig := testcluster.Shared(t).RestrictedKubeconfig(t, w.namespace, []rbacv1.PolicyRule{
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"pods"}},
	})
	_, err := connect(t, Config{ConfigPath: kubeconfig}).Log(t.Context(), w.namespace, "api", &corev1.PodLogOptions{})
	if !apierrors.IsForbidden(err) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{`cluster "prod": cannot read the log of Pod ` + w.namespace + "/api", `cannot get resource "pods/log"`, `in the namespace "` + w.namespace + `"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
}

// TestLogThatIsFollowedEnds: with its context, when it is closed, and when the
// wire breaks; the kubelet does not go on sending.
func TestLogThatIsFollowedEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(t *testing.T, w wired, log io.Closer, cancel context.CancelFunc)
		want error // of what is read then; nil: any
	}{
		"context": {func(_ *testing.T, _ wired, _ io.Closer, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"close":   {func(_ *testing.T, _ wired, log io.Closer, _ context.CancelFunc) { _ = log.Close() }, nil},
		"wire":    {func(t *testing.T, w wired, _ io.Closer, _ context.CancelFunc) { w.proxy.Down(t) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, k := logged(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log, err := w.Log(ctx, w.namespace, "api", &corev1.PodLogOptions{Follow: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = log.Close() }()
			reader := bufio.NewReader(log)
			for _, want := range []string{"one\n", "two\n", "three\n"} {
				if want == "three\n" { // the attempt that opened it is long over
					k.Write(testcluster.LogOf{Container: "app"}, testcluster.Lines("three")...)
				}
				if got, err := reader.ReadString('\n'); got != want {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if n := k.Sending(); n != 1 {
				t.Fatalf("the kubelet sends %d logs", n)
			}
			tt.end(t, w, log, cancel)
			if _, err := reader.ReadString('\n'); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("it ended with %v", err)
			}
			testcluster.Eventually(t, testcluster.Hang, "the kubelet to stop sending", func() error {
				if n := k.Sending(); n != 0 {
					return fmt.Errorf("it sends %d logs", n)
				}
				return nil
			})
		})
	}
}

// TestLogThatDoesNotBegin: an attempt that is not answered does not hold the caller
// up beyond its context.
func TestLogThatDoesNotBegin(t *testing.T) {
	t.Parallel()
	w, _ := logged(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if isLog(r) && r.Method == http.MethodGet {
			asked.Add(1)
			cancel()
			return testcluster.Blackhole()
		}
		return testcluster.Fault{}
	})
	_, err := w.logOf(ctx, corev1.PodLogOptions{})
	var late *InterruptedError
	if !errors.As(err, &late) || asked.Load() != 1 {
		t.Errorf("it asked %d times: %v", asked.Load(), err)
	}
}

// TestLogOfANodeThatIsGone is not waited for as long as for an API server: what it
// says of a node that it cannot reach is told soon.
func TestLogOfANodeThatIsGone(t *testing.T) {
	t.Parallel()
	w, k := logged(t)
	k.Stop()
	w.proxy.Reset()
	_, err := w.logOf(t.Context(), corev1.PodLogOptions{})
	if n := len(w.proxy.Requests()); err == nil || n > 2 || !strings.Contains(err.Error(), "connect: connection refused") {
		t.Errorf("after %d tries: %v", n, err)
	}
}
