package testcluster_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// wired is a client that goes through a proxy, and one that does not.
type wired struct {
	proxy     *testcluster.Proxy
	through   *kubernetes.Clientset
	direct    kubernetes.Interface
	namespace string
}

func wire(t *testing.T) wired {
	t.Helper()
	c := testcluster.Shared(t)
	proxy := c.Proxy(t)
	return wired{proxy: proxy, through: clientFor(t, proxy.KubeconfigPath), direct: c.Client(), namespace: c.Namespace(t)}
}

func (w wired) create(ctx context.Context, name string) error {
	_, err := w.through.CoreV1().ConfigMaps(w.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}

// exists asks the API server itself.
func (w wired) exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := w.direct.CoreV1().ConfigMaps(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

func TestProxyRecordsRequests(t *testing.T) {
	t.Parallel()
	w := wire(t)
	if err := w.create(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	configMaps := w.through.CoreV1().ConfigMaps(w.namespace)
	if _, err := configMaps.Get(t.Context(), "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if err := configMaps.Delete(t.Context(), "one", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	if err := configMaps.Delete(t.Context(), "one", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/namespaces/" + w.namespace + "/configmaps"
	want := []struct {
		method, path         string
		index, write, status int
	}{
		{http.MethodPost, path, 1, 1, http.StatusCreated},
		{http.MethodGet, path + "/none", 2, 0, http.StatusNotFound},
		{http.MethodDelete, path + "/one", 3, 0, http.StatusOK},
		{http.MethodDelete, path + "/one", 4, 2, http.StatusOK},
	}
	got := w.proxy.Requests()
	if len(got) != len(want) {
		t.Fatalf("%d requests, want %d: %v", len(got), len(want), got)
	}
	for i, r := range got {
		if r.Method != want[i].method || r.Path != want[i].path || r.Index != want[i].index || r.WriteIndex != want[i].write || r.Status != want[i].status {
			t.Errorf("request %d is %+v, want %+v", i, r, want[i])
		}
	}
	if len(got[0].Body) == 0 || got[0].UserAgent == "" {
		t.Errorf("the body or the user agent is missing: %+v", got[0])
	}
	if writes := w.proxy.Writes(); len(writes) != 2 {
		t.Errorf("%d writes, want 2", len(writes))
	}
	w.proxy.Reset()
	if left := w.proxy.Requests(); len(left) != 0 {
		t.Errorf("%d requests after Reset", len(left))
	}
}

func TestProxyFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault   testcluster.Fault
		check   func(error) bool
		created bool
	}{
		"pass":              {testcluster.Fault{}, func(err error) bool { return err == nil }, true},
		"conflict":          {testcluster.Conflict(), apierrors.IsConflict, false},
		"unavailable":       {testcluster.Unavailable(), apierrors.IsServiceUnavailable, false},
		"reject":            {testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "no"), apierrors.IsForbidden, false},
		"connection reset":  {testcluster.ConnectionReset(), connectionLost, false},
		"lost reply":        {testcluster.LostReply(), connectionLost, true},
		"blackhole":         {testcluster.Blackhole(), timedOut, false},
		"delay":             {testcluster.Delay(time.Hour), timedOut, false},
		"too many requests": {testcluster.TooManyRequests(time.Second), func(err error) bool { return err == nil }, true}, // client-go tries again
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wire(t)
			w.proxy.SetFault(testcluster.OnWrite(1, tc.fault))
			limit := testcluster.Hang
			if name == "blackhole" || name == "delay" {
				limit = 3 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if err := w.create(ctx, "x"); !tc.check(err) {
				t.Errorf("the client got: %v", err)
			}
			if got := w.exists(t, "x"); got != tc.created {
				t.Errorf("the object exists: %t, want %t", got, tc.created)
			}
			if err := w.create(t.Context(), "y"); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestProxyCallsBeforeAndAfterTheReply(t *testing.T) {
	t.Parallel()
	w := wire(t)
	var replied atomic.Bool
	release, after := make(chan struct{}), make(chan struct{})
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.Fault{}.
		BeforeReply(func() {
			if !w.exists(t, "x") {
				t.Error("called before the API server was done")
			}
			if replied.Load() {
				t.Error("called after the client had its reply")
			}
			<-release
		}).
		AfterReply(func() { close(after) })))
	done := make(chan error, 1)
	go func() {
		err := w.create(t.Context(), "x")
		replied.Store(true)
		done <- err
	}()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-after
}

func TestProxyPassesTheIdentityOn(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	proxy, namespace := c.Proxy(t), c.Namespace(t)
	client := clientFor(t, proxy.Through(t, c.RestrictedKubeconfig(t, namespace,
		[]rbacv1.PolicyRule{{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}})))
	if _, err := client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("the administrator's rights leak through: %v", err)
	}
}

func TestProxyStreamsAndDropsWatches(t *testing.T) {
	t.Parallel()
	w := wire(t)
	watcher, err := w.through.CoreV1().ConfigMaps(w.namespace).Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=seen"})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	if n := w.proxy.OpenWatches(); n != 1 {
		t.Errorf("%d open watches, want 1", n)
	}
	if err := w.create(t.Context(), "seen"); err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-watcher.ResultChan():
		if made, ok := event.Object.(*corev1.ConfigMap); !ok || made.Name != "seen" {
			t.Errorf("got %v", event)
		}
	case <-time.After(testcluster.Hang):
		t.Fatal("the event is held back")
	}
	w.proxy.DropWatches()
	select {
	case _, open := <-watcher.ResultChan():
		if open {
			t.Error("an event instead of the end")
		}
	case <-time.After(testcluster.Hang):
		t.Fatal("the watch goes on")
	}
}

func TestProxyDownAndUp(t *testing.T) {
	t.Parallel()
	w := wire(t)
	if err := w.create(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	watcher, err := w.through.CoreV1().ConfigMaps(w.namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	w.proxy.Down(t)
	w.proxy.Down(t) // twice is fine
	if err := w.create(t.Context(), "b"); err == nil || w.exists(t, "b") {
		t.Errorf("a request got through: %v", err)
	}
	for range watcher.ResultChan() {
		continue // until it ends
	}
	address := w.through.CoreV1().RESTClient().Get().URL().Host
	if l, err := net.Listen("tcp", address); err == nil {
		t.Error("somebody else got the port", l.Close())
	}
	if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a connection was not refused: %v, %v", conn, err)
	}
	w.proxy.Up(t)
	w.proxy.Up(t)
	if err := w.create(t.Context(), "c"); err != nil {
		t.Error(err)
	}
}

// connectionLost is an error that is no answer of any server.
func connectionLost(err error) bool {
	var status apierrors.APIStatus
	return err != nil && !errors.As(err, &status) && !timedOut(err)
}

func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
