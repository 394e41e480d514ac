package cluster

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// wires passes bytes on between clients and an API server, so that they speak
// HTTP/2 with each other, until they are cut: then what is sent on them is lost
// and nothing closes them, as behind a router that has forgotten them.
type wires struct {
	address string

	mu   sync.Mutex
	open []*lossyWire
}

type lossyWire struct {
	net.Conn
	mu  sync.Mutex
	cut bool
}

func (w *lossyWire) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
}

func (w *lossyWire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func stretch(t *testing.T, to string) *wires {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wires{address: listener.Addr().String()}
	t.Cleanup(func() {
		_ = listener.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, wire := range w.open {
			_ = wire.Close()
		}
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			up, down := &lossyWire{Conn: server}, &lossyWire{Conn: client}
			w.mu.Lock()
			w.open = append(w.open, up, down)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(up, client); _ = up.Conn.Close() }()
			go func() { _, _ = io.Copy(down, server); _ = down.Conn.Close() }()
		}
	}()
	return w
}

func (w *wires) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open) / 2
}

// cut loses what is sent on the connections that are open now.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wire := range w.open {
		wire.lose()
	}
}

// A connection that neither answers nor ends is noticed: by the pings of
// HTTP/2, on which one connection carries all requests and watches.
func TestHalfOpenConnection(t *testing.T) {
	t.Parallel()
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	config, err := clientcmd.LoadFromFile(cluster.KubeconfigPath)
	if err != nil {
		t.Fatal(err)
	}
	var authority []byte
	for _, c := range config.Clusters {
		authority = c.CertificateAuthorityData
	}
	wires := stretch(t, strings.TrimPrefix(cluster.REST.Host, "https://"))
	c := connect(t, Config{ConfigPath: cluster.Kubeconfig(t, testcluster.WithServer("https://"+wires.address, authority))})
	c.transport.HTTP2.SendPingTimeout /= 20 // the test should not take as long as users may wait
	c.transport.HTTP2.PingTimeout /= 20

	v, like := c.View(namespace), &corev1.ConfigMap{}
	awaitView(t, v, like, "x", false)
	if err := c.Get(t.Context(), "", namespace, &corev1.Namespace{}); err != nil {
		t.Fatal(err)
	}
	if n := wires.count(); n != 1 {
		t.Errorf("%d connections, want one for everything: is it not HTTP/2?", n)
	}
	wires.cut()
	if _, err := cluster.Client().CoreV1().ConfigMaps(namespace).Create(t.Context(), configMap(namespace, "x"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// On the old connection, a request would wait for readTimeout, and the watch
	// for ever.
	if err := c.Get(t.Context(), namespace, "x", &corev1.ConfigMap{}); err != nil {
		t.Error(err)
	}
	awaitView(t, v, like, "x", true)
	testcluster.Eventually(t, testcluster.Hang, "a new connection to be used", func() error {
		if wires.count() < 2 {
			return errors.New("there is only the old one")
		}
		return nil
	})
}
