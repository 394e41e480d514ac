package cluster

import (
	"os"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }

// wired is a connection through a proxy, and a client that goes past it.
type wired struct {
	*Cluster
	proxy     *testcluster.Proxy
	direct    kubernetes.Interface
	namespace string
}

// wire connects through a new proxy. The first contact is made, and not
// counted.
func wire(t *testing.T, namespace string) wired {
	t.Helper()
	c := testcluster.Shared(t)
	proxy := c.Proxy(t)
	w := wired{connect(t, Config{ConfigPath: proxy.KubeconfigPath}), proxy, c.Client(), namespace}
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.Reset()
	return w
}

func connect(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	cfg.Name, cfg.UserAgent = "prod", "terraform-provider-switchback/test"
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// onFirst lets a fault happen once, to the first request that matches.
func onFirst(match func(*testcluster.Request) bool, fault testcluster.Fault) func(*testcluster.Request, int) testcluster.Fault {
	var once sync.Once
	return func(r *testcluster.Request, _ int) (f testcluster.Fault) {
		if match(r) {
			once.Do(func() { f = fault })
		}
		return f
	}
}

func configMap(namespace, name string, data ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{
			"app.kubernetes.io/managed-by": "switchback", deploymentLabel: name,
		}},
		Data: map[string]string{},
	}
	for i := 0; i+1 < len(data); i += 2 {
		m.Data[data[i]] = data[i+1]
	}
	return m
}

// tokenOf is the bearer token in a kubeconfig.
func tokenOf(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		return user.Token
	}
	t.Fatal("no user")
	return ""
}

// serverOf is the address and the CA in a kubeconfig.
func serverOf(t *testing.T, kubeconfig string) (host, ca string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		return cluster.Server, string(cluster.CertificateAuthorityData)
	}
	t.Fatal("no cluster")
	return "", ""
}

func lines(requests []testcluster.Request) []string {
	var all []string
	for _, r := range requests {
		all = append(all, r.String())
	}
	return all
}

func ptr[T any](v T) *T { return &v }
