package testcluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// drain is short, to keep the tests so, and far above the watch's tolerance.
const (
	drain = 1500 * time.Millisecond
	long  = time.Hour // no machine takes so long to delete something
)

// release is a Service that selects the pods of "old", beside which "new" runs.
func release(t *testing.T, c *testcluster.Cluster) (namespace string, watch *testcluster.MainWatch) {
	t.Helper()
	namespace = c.Namespace(t)
	watch = c.WatchMain(t, namespace, "main")
	deploy(t, c.Client(), namespace, "old", "demo/api:v1", 2)
	deploy(t, c.Client(), namespace, "new", "demo/api:v2", 2)
	_, err := c.Client().CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "main"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "old"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	behind(t, watch, "old-", 2)
	testcluster.Eventually(t, testcluster.Hang, "the new pods", func() error {
		d, err := c.Client().AppsV1().Deployments(namespace).Get(t.Context(), "new", metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != 2 {
			err = fmt.Errorf("%d are available", d.Status.AvailableReplicas)
		}
		return err
	})
	return namespace, watch
}

// behind waits until so many pods are behind the Service, all with the prefix.
func behind(t *testing.T, watch *testcluster.MainWatch, prefix string, count int) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, prefix+" behind the Service", func() error {
		pods := watch.Pods(t)
		for _, pod := range pods {
			if !strings.HasPrefix(pod, prefix) {
				return fmt.Errorf("got %v", pods)
			}
		}
		if len(pods) != count {
			return fmt.Errorf("got %v", pods)
		}
		return nil
	})
}

func pointAt(t *testing.T, client kubernetes.Interface, namespace, app string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"selector":{"app":%q}}}`, app)
	if _, err := client.CoreV1().Services(namespace).Patch(t.Context(), "main", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, client kubernetes.Interface, namespace, name string) {
	t.Helper()
	if err := client.AppsV1().Deployments(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the pods of "+name+" to be gone", func() error {
		pods, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("%d are left", len(pods.Items))
		}
		return err
	})
}

func TestMainWatchAcceptsAProperSwitch(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace, watch := release(t, c)
	pointAt(t, c.Client(), namespace, "new")
	behind(t, watch, "new-", 2)
	wait(t, drain)
	remove(t, c.Client(), namespace, "old")
	watch.Check(t, drain)
	if history := watch.History(); len(history) < 2 {
		t.Errorf("the history is %v", history)
	}
}

func TestMainWatchFindsFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(t *testing.T, client kubernetes.Interface, namespace string, watch *testcluster.MainWatch)
		want string
	}{
		"old side deleted before the switch": {func(t *testing.T, client kubernetes.Interface, namespace string, watch *testcluster.MainWatch) {
			remove(t, client, namespace, "old")
			pointAt(t, client, namespace, "new")
			behind(t, watch, "new-", 2)
		}, "had no ready pod"},
		"one selected pod deleted": {func(t *testing.T, client kubernetes.Interface, namespace string, watch *testcluster.MainWatch) {
			if err := client.CoreV1().Pods(namespace).Delete(t.Context(), watch.Pods(t)[0], metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			behind(t, watch, "old-", 2)
		}, "while it was behind Service main"},
		"no drain": {func(t *testing.T, client kubernetes.Interface, namespace string, watch *testcluster.MainWatch) {
			pointAt(t, client, namespace, "new")
			behind(t, watch, "new-", 2)
			remove(t, client, namespace, "old")
		}, "sooner than " + long.String()},
		"a moment without pods": {func(t *testing.T, client kubernetes.Interface, namespace string, watch *testcluster.MainWatch) {
			pointAt(t, client, namespace, "nothing")
			behind(t, watch, "none-", 0)
			pointAt(t, client, namespace, "old")
			behind(t, watch, "old-", 2)
		}, "had no ready pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testcluster.Shared(t)
			namespace, watch := release(t, c)
			tc.do(t, c.Client(), namespace, watch)
			var found failures
			found.TB = t
			watch.Check(&found, long)
			if len(found.messages) == 0 || !strings.Contains(strings.Join(found.messages, "\n"), tc.want) {
				t.Errorf("found %q, want %q", found.messages, tc.want)
			}
		})
	}
}

// failures collects what a check reports, instead of failing the test.
type failures struct {
	testing.TB
	messages []string
}

func (f *failures) Error(args ...any) { f.messages = append(f.messages, fmt.Sprint(args...)) }

func (f *failures) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}
