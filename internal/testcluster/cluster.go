package testcluster

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// KubeconfigEnv names the environment variable with the kubeconfigs of clusters
// that are there already, separated as in PATH: the first one is the shared one,
// the others are those of [Clusters].
const KubeconfigEnv = "SWITCHBACK_TEST_KUBECONFIG"

// Cluster is a Kubernetes cluster and its administrator's access to it.
type Cluster struct {
	KubeconfigPath string
	REST           *rest.Config // without a client-side rate limit

	client   *kubernetes.Clientset
	quick    *rest.Config             // REST, with the token instead of the certificate where there is one
	upstream func() (upstream, error) // of its proxies
	process  *process                 // nil for a cluster that was there before
	shared   bool                     // by all tests of the process: none may stop it
}

// pool has clusters that the tests of the process share.
type pool struct {
	take func(n int) (*Cluster, error)

	mu       sync.Mutex
	clusters []func() (*Cluster, error)
}

// shared are for all tests, and routed for those of routes.
var shared, routed = &pool{take: share}, &pool{take: startRouted}

// get is the pool's cluster with a number, taken when the first test asks.
func (p *pool) get(n int) (*Cluster, error) {
	p.mu.Lock()
	for i := len(p.clusters); i <= n; i++ {
		p.clusters = append(p.clusters, sync.OnceValues(func() (*Cluster, error) { return p.take(i) }))
	}
	get := p.clusters[n]
	p.mu.Unlock()
	return get()
}

// first are so many of the pool's clusters.
func (p *pool) first(t testing.TB, n int) (all []*Cluster) {
	t.Helper()
	for i := range n {
		c, err := p.get(i)
		if err != nil {
			t.Fatalf("the shared test cluster %d: %v", i+1, err)
		}
		all = append(all, c)
	}
	return all
}

// stop stops those that were started.
func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, get := range p.clusters {
		if c, err := get(); err == nil && c.process != nil {
			c.process.stop()
		}
	}
}

// share takes a cluster that is there, or else starts one.
func share(n int) (c *Cluster, err error) {
	if there := filepath.SplitList(os.Getenv(KubeconfigEnv)); n < len(there) {
		c, err = connect(there[n], nil)
	} else {
		c, err = start()
	}
	if err == nil {
		c.shared = true
	}
	return c, err
}

// Run runs the tests, as many at once as this machine bears (unless the command
// line says how many), and stops the clusters that they shared. Use it in
// TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }
//
// Without it, the clusters end a moment after the test process does.
func Run(m *testing.M) int {
	if err := bear(ThisMachine()); err != nil {
		fmt.Fprintln(os.Stderr, "testcluster:", err)
		return 1
	}
	code := m.Run()
	shared.stop()
	routed.stop()
	return code
}

// bear sets how many tests run at once.
func bear(machine Machine) error {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if said {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(machine.Parallel()))
}

// Shared returns the cluster that all tests of the process share, started when
// the first one asks.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	return Clusters(t, 1)[0]
}

// Clusters returns so many clusters, the first of which is the shared one. The
// tests of the process share the others, too, and must not stop them: see
// [Start].
func Clusters(t testing.TB, n int) []*Cluster {
	t.Helper()
	return shared.first(t, n)
}

// Up starts so many clusters, for the tests of several processes: their
// kubeconfigs are for [KubeconfigEnv]. They end with down, and in any case with
// this process.
func Up(n int) (kubeconfigs []string, down func(), err error) {
	processes, errs := make([]*process, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { processes[i], errs[i] = startProcess() })
	}
	wg.Wait()
	down = func() {
		for _, p := range processes {
			if p != nil {
				p.stop()
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		down()
		return nil, nil, err
	}
	for _, p := range processes {
		kubeconfigs = append(kubeconfigs, p.kubeconfig)
	}
	return kubeconfigs, down, nil
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
	if c.REST, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return nil, err
	}
	c.REST.QPS = -1
	c.REST.ContentType, c.REST.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	c.REST.WarningHandler = rest.NoWarnings{}
	if c.quick, err = withToken(c.REST, kubeconfig); err != nil {
		return nil, err
	}
	c.upstream = sync.OnceValues(func() (upstream, error) { return newUpstream(c.quick) })
	c.client, err = kubernetes.NewForConfig(c.quick)
	return c, err
}

// tokenUser is the user in a devcluster's kubeconfig who has a token. The API
// server looks it up; the signature of a certificate it would check at every request.
const tokenUser = "token"

// withToken is an administrator who shows the token that his kubeconfig has beside
// the certificate; the same one where it has none.
func withToken(admin *rest.Config, kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	user := config.AuthInfos[tokenUser]
	if user == nil || user.Token == "" {
		return admin, nil
	}
	quick := rest.CopyConfig(admin)
	quick.CertData, quick.KeyData, quick.BearerToken = nil, nil, user.Token
	return quick, nil
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
	if c.shared {
		t.Fatal("a shared cluster is not one test's to stop: use testcluster.Start")
	}
	return c.process
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace for the test, with a short name like
// promote-4f3a1c, ready for pods. What runs there is ended, without waiting, at
// the test's end.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	prefix := notInNames.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-")
	prefix = strings.Trim(prefix[:min(len(prefix), 16)], "-")
	name := prefix + "-" + strings.ToLower(rand.Text()[:6])
	c.NamespaceNamed(t, name)
	return name
}

// NamespaceNamed is [Cluster.Namespace] with a name that the test has from another
// cluster.
func (c *Cluster) NamespaceNamed(t testing.TB, name string) {
	t.Helper()
	if _, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("create namespace: %v", err)
	}
	t.Cleanup(func() { c.empty(t, name) })
	// Pods are refused until there is one. The controllers make the same, later.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := c.client.CoreV1().ServiceAccounts(name).Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("create the default service account in %s: %v", name, err)
	}
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
	for pause := 10 * time.Millisecond; ; pause = min(pause*5/4, 200*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-deadline.C:
			t.Fatalf("waited %s for %s: %v", timeout, what, err)
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, errors.Join(t.Context().Err(), err))
		}
	}
}
