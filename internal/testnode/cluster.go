package testnode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	buildTimeout = 35 * time.Minute // on the slowest machine; usually all is built already
	startTimeout = 2 * time.Minute
)

// NodeName is the node's name in the cluster.
const NodeName = "node-1"

// The account that may pull from the registry's private/ and basic/.
const (
	RegistryUser     = "puller"
	RegistryPassword = "open-sesame"
)

// Options are what a test may want otherwise.
type Options struct {
	// Kubelet has fields of the KubeletConfiguration that replace the usual
	// ones, such as maxPods or evictionHard.
	Kubelet map[string]any
}

// Cluster is a running cluster and its administrator's access to it.
type Cluster struct {
	KubeconfigPath string
	REST           *rest.Config // without a client-side rate limit
	Registry       string       // host:port of the registry, for names of images
	KubectlPath    string
	Dir            string // the state and the logs

	client  kubernetes.Interface
	images  string // the images program
	node    *node
	gateway gatewayOnce
}

// Start starts a cluster for this test, and stops it at its end. Where that is
// impossible, the test fails with what is missing.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	c, err := Up(t.Context(), options, os.Stderr)
	if err != nil {
		t.Fatalf("a cluster with a real node: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
	})
	return c
}

var shared struct {
	sync.Mutex
	started bool
	cluster *Cluster
	err     error
}

// Shared returns the cluster that all tests of the process share, started when
// the first one asks. It needs [Run] in TestMain.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		shared.started = true
		shared.cluster, shared.err = Up(context.Background(), Options{}, os.Stderr)
	}
	if shared.err != nil {
		t.Fatalf("the shared cluster with a real node: %v", shared.err)
	}
	return shared.cluster
}

// Run runs the tests and stops the shared cluster. Use it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(testnode.Run(m)) }
//
// Without it, the cluster ends a moment after the test process does.
func Run(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return code
	}
	if err := shared.cluster.Down(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared cluster:", err)
		return max(code, 1)
	}
	return code
}

// Up starts a cluster that runs until [Cluster.Down], or until this process
// ends. What takes long is told on log.
func Up(ctx context.Context, options Options, log io.Writer) (*Cluster, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	programs, err := build(ctx, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("it was not ready after %s", startTimeout))
	defer cancel()
	n, err := startNode(ctx, programs, options)
	if err != nil {
		return nil, err
	}
	c, err := n.connect(programs)
	if err == nil {
		err = c.waitUntilReady(ctx)
	}
	if err != nil {
		return nil, errors.Join(n.explain(err), n.stop())
	}
	return c, nil
}

// connect makes the clients for a cluster whose API server is up.
func (n *node) connect(programs programs) (*Cluster, error) {
	c := &Cluster{
		KubeconfigPath: n.layout.kubeconfig(),
		Registry:       n.layout.registry(),
		KubectlPath:    n.layout.path("kubectl"),
		Dir:            n.layout.Dir,
		images:         programs.Images,
		node:           n,
	}
	var err error
	c.REST, err = clientcmd.BuildConfigFromFlags("", c.KubeconfigPath)
	if err != nil {
		return nil, err
	}
	c.REST.QPS = -1
	c.REST.WarningHandler = rest.NoWarnings{}
	c.client, err = kubernetes.NewForConfig(c.REST)
	return c, err
}

// waitUntilReady waits until pods can be scheduled.
func (c *Cluster) waitUntilReady(ctx context.Context) error {
	return c.until(ctx, func() error {
		found, err := c.client.CoreV1().Nodes().Get(ctx, NodeName, metav1.GetOptions{})
		if err == nil && !schedulable(found) {
			err = errors.New("the node is not ready")
		}
		return err
	})
}

// until tries until it works, or something on the node has failed.
func (c *Cluster) until(ctx context.Context, try func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case why := <-c.node.failed:
			return why
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

func schedulable(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0
		}
	}
	return false
}

// Down stops the cluster and removes all that it left on the machine. It
// reports what failed while the cluster ran, too.
func (c *Cluster) Down() error {
	err := c.node.stop()
	select {
	case why := <-c.node.failed:
		err = errors.Join(err, why)
	default:
	}
	return err
}

// Client is the administrator's client.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Kubectl is a kubectl command with the administrator's rights.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.KubectlPath, append([]string{"--kubeconfig", c.KubeconfigPath}, args...)...)
}

// Enter is a command that runs inside the node's namespaces, where its links,
// processes and mounts are.
func (c *Cluster) Enter(ctx context.Context, name string, args ...string) *exec.Cmd {
	target := strconv.Itoa(c.node.pid())
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", target, "-m", "-n", "-p", "-i", "--", name}, args...)...)
}

// ControlPlane is the program that is the API server, with its storage,
// controllers and scheduler: [Cluster.Kill] takes all of it away.
const ControlPlane = "devcluster"

// Kill kills one of the cluster's programs, as a crash would: containerd,
// kube-proxy, kubelet, [ControlPlane] or [GatewayProgram]. It stays away until
// [Cluster.Revive].
func (c *Cluster) Kill(ctx context.Context, program string) error {
	return c.node.killProgram(ctx, program)
}

// End tells one of these programs to end, as an operator would, and waits until it
// has. It stays away until [Cluster.Revive].
func (c *Cluster) End(ctx context.Context, program string) error {
	return c.node.endProgram(ctx, program)
}

// Revive starts a program again that [Cluster.Kill] or [Cluster.End] has ended. The control
// plane has what it had, and is usable when Revive returns.
func (c *Cluster) Revive(ctx context.Context, program string) error {
	return c.node.startProgram(ctx, program)
}

// Reboot is what a node's reboot is for its containers and programs: they are
// killed all at once, with everything that [Cluster.Enter] runs; mounts, links
// and rules are gone; and containerd, kube-proxy and the kubelet start again.
// The control plane goes on, as if it were on another machine. Reboot returns
// when the programs are started, not when the pods are back.
func (c *Cluster) Reboot(ctx context.Context) error { return c.node.reboot(ctx) }

// Push puts one of the node's images into the registry as repository:tag, and
// returns the name to pull it by.
func (c *Cluster) Push(ctx context.Context, image, as string) (string, error) {
	return c.push(ctx, c.node.layout.path("images.tar"), image, as)
}

// PushProgram is [Cluster.Push] of an image that has nothing but a static program, and
// runs it as an ordinary user.
func (c *Cluster) PushProgram(ctx context.Context, program, as string) (string, error) {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	specs, err := json.Marshal([]image{{Name: as, User: nobody}})
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "images.tar")
	pack := exec.CommandContext(ctx, c.images, "pack", "-program", program, "-out", archive)
	pack.Stdin = bytes.NewReader(specs)
	if output, err := pack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pack %s: %w\n%s", program, err, output)
	}
	return c.push(ctx, archive, as, as)
}

func (c *Cluster) push(ctx context.Context, archive, image, as string) (string, error) {
	target := c.Registry + "/" + as
	command := exec.CommandContext(ctx, c.images, "push", "-from", archive, image, target)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("push %s: %w\n%s", target, err, output)
	}
	return target, nil
}

// AppVersions are the versions of the application that are on the node.
var AppVersions = []string{"v1", "v2", "v3"}

// StockImage is like a stock image of a web server: it runs as root, has no
// USER, writes outside of volumes and listens on port 80.
const StockImage = "switchback.test/stock:1"

// AppImage names a version of the test application (test/app): it runs as a
// user and listens on port 8080.
func AppImage(version string) string { return "switchback.test/app:" + version }

const pauseImage = "switchback.test/pause:1"

// image is how an image is specified to tools/images.
type image struct {
	Name   string   `json:"name"`
	Args   []string `json:"args,omitempty"`
	Env    []string `json:"env,omitempty"`
	User   string   `json:"user,omitempty"`
	Expose string   `json:"expose,omitempty"`
}

// nobody is who programs run as that need nothing of the machine.
const nobody = "65532:65532"

func images() []image {
	all := []image{
		{Name: pauseImage, Args: []string{"pause"}, User: nobody},
		{Name: StockImage, Args: []string{"stock"}, Env: []string{"APP_VERSION=stock"}, Expose: "80/tcp"},
	}
	for _, version := range AppVersions {
		all = append(all, image{Name: AppImage(version), Env: []string{"APP_VERSION=" + version}, User: nobody, Expose: "8080/tcp"})
	}
	return all
}
