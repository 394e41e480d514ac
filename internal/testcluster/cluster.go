package testcluster

import (
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// KubeconfigEnv names the environment variable with the kubeconfig of a
// cluster to use instead of the shared one.
const KubeconfigEnv = "SWITCHBACK_TEST_KUBECONFIG"

// Cluster is a Kubernetes cluster and its administrator's access to it.
type Cluster struct {
	KubeconfigPath string
	REST           *rest.Config // without a client-side rate limit

	client  *kubernetes.Clientset
	process *process // nil for a cluster that was there before
}

var shared = sync.OnceValues(func() (*Cluster, error) {
	if path := os.Getenv(KubeconfigEnv); path != "" {
		return connect(path, nil)
	}
	return start()
})

// sharedUsed tells Run whether there is a cluster to stop.
var sharedUsed atomic.Bool

// Run runs the tests and stops the shared cluster. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }
//
// Without it, the cluster ends a moment after the test process does.
func Run(m *testing.M) int {
	code := m.Run()
	if sharedUsed.Load() {
		if c, err := shared(); err == nil && c.process != nil {
			c.process.stop()
		}
	}
	return code
}

// Shared returns the cluster that all tests of the process share, started when
// the first one asks.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	sharedUsed.Store(true)
	c, err := shared()
	if err != nil {
		t.Fatalf("the shared test cluster: %v", err)
	}
	return c
}

// Start starts a cluster for this test alone, which is stopped at its end.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatalf("a test cluster: %v", err)
	}
	t.Cleanup(c.process.stop)
	return c
}

func start() (*Cluster, error) {
	p, err := startProcess()
	if err != nil {
		return nil, err
	}
	c, err := connect(p.kubeconfig, p)
	if err != nil {
		p.stop()
	}
	return c, err
}

func connect(kubeconfig string, p *process) (*Cluster, error) {
	c := &Cluster{KubeconfigPath: kubeconfig, process: p}
	var err error
	c.REST, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	c.REST.QPS = -1
	c.REST.WarningHandler = rest.NoWarnings{}
	c.client, err = kubernetes.NewForConfig(c.REST)
	return c, err
}

// Client is the administrator's client.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Stop ends the cluster for good: connections are refused. Only for clusters
// from [Start].
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.own(t).stop()
}

// Pause freezes the cluster until [Cluster.Resume]: connections are accepted
// and never answered. Only for clusters from [Start].
func (c *Cluster) Pause(t testing.TB) {
	t.Helper()
	if err := c.own(t).pause(); err != nil {
		t.Fatalf("pause the cluster: %v", err)
	}
}

// Resume lets a paused cluster go on.
func (c *Cluster) Resume(t testing.TB) {
	t.Helper()
	if err := c.own(t).resume(); err != nil {
		t.Fatalf("resume the cluster: %v", err)
	}
}

// own is the cluster's process, if it is this test's to stop.
func (c *Cluster) own(t testing.TB) *process {
	t.Helper()
	if c.process == nil {
		t.Fatal("this cluster was not started by the tests, who must not stop it")
	}
	if sharedUsed.Load() {
		if s, err := shared(); err == nil && s == c {
			t.Fatal("the shared cluster is not one test's to stop: use testcluster.Start")
		}
	}
	return c.process
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace for the test, with a short name like
// promote-4f3a1c, ready for pods. It is deleted, without waiting, at the
// test's end.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	prefix := notInNames.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-")
	prefix = strings.Trim(prefix[:min(len(prefix), 16)], "-")
	name := prefix + "-" + strings.ToLower(rand.Text()[:6])
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	t.Cleanup(func() { c.deleteNamespace(t, name) })
	// Pods are refused until the controllers have made the service account.
	Eventually(t, Hang, "the default service account in "+name, func() error {
		_, err := c.client.CoreV1().ServiceAccounts(name).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	return name
}

// Hang is a bound that only what hangs meets, however slow and busy the machine
// is. Tests wait for events: this is what ends them where none comes.
const Hang = 5 * time.Minute

// Eventually polls until check returns nil, and fails the test with check's
// last error when that takes too long. Where the limit is no promise to anybody,
// it is [Hang].
func Eventually(t testing.TB, timeout time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s: %v", timeout, what, err)
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, errors.Join(t.Context().Err(), err))
		}
	}
}
