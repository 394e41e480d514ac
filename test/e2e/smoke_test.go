//go:build e2e

package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// These tests compare the machine before and after, one at a time: none of
// them is parallel to another.

const gone = 20 * time.Second

// goneByItself is how long a cluster may take that nobody waits for.
const goneByItself = 30 * time.Second

func TestClusterRunsContainersAndLeavesNothing(t *testing.T) {
	before := takeFootprint(t)
	start := time.Now()
	c := testnode.Start(t, testnode.Options{})
	t.Logf("the node is ready after %s", time.Since(start).Round(10*time.Millisecond))

	start = time.Now()
	address := deploy(t, c, metav1.NamespaceDefault, "web", testnode.AppImage("v1"), 2)
	t.Logf("two replicas are available after %s", time.Since(start).Round(10*time.Millisecond))
	body, header := getEventually(t, "http://"+address)
	t.Logf("the Service answers after %s", time.Since(start).Round(10*time.Millisecond))
	if header.Get("X-Version") != "v1" || !strings.Contains(body, "version=v1 pod=web-") {
		t.Errorf("the Service answers %q, with %v", body, header)
	}
	logs, err := c.Kubectl(t.Context(), "logs", "deployment/web").CombinedOutput()
	if err != nil || !strings.Contains(string(logs), "starting version=v1") {
		t.Errorf("the logs are %q, %v", logs, err)
	}
	run(t, c, metav1.NamespaceDefault, "stock", testnode.StockImage)
	stock := podAddress(t, c, metav1.NamespaceDefault, "stock")
	if body, _ := getEventually(t, "http://"+stock); !strings.Contains(body, "version=stock") {
		t.Errorf("the stock image answers %q", body)
	}
	output, err := c.Enter(t.Context(), "ip", "-brief", "link").CombinedOutput()
	if err != nil || !strings.Contains(string(output), "pods0") {
		t.Errorf("the node's links are %s, %v", output, err)
	}
	if now := takeFootprint(t); len(now.since(before, "")) > 0 {
		for _, what := range now.since(before, c.Dir) {
			if strings.Contains(what, "setting") || strings.HasPrefix(what, "mount") || strings.HasPrefix(what, "path") {
				t.Errorf("while it runs, this is on the machine: %s", what)
			}
		}
	}

	tr := traceOf(t, c.Dir)
	if tr.processes < 10 || len(tr.namespaces) < 6 {
		t.Errorf("the cluster is %d processes in the namespaces %q", tr.processes, tr.namespaces)
	}
	start = time.Now()
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped after %s", time.Since(start).Round(10*time.Millisecond))
	tr.mustBeGone(t, before, gone)
}

func TestClustersSideBySide(t *testing.T) {
	before := takeFootprint(t)
	var clusters [2]*testnode.Cluster
	var errs [2]error
	var all sync.WaitGroup
	for i := range clusters {
		all.Go(func() { clusters[i], errs[i] = testnode.Up(t.Context(), testnode.Options{}, os.Stderr) })
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	var traces [2]trace
	for i, c := range clusters {
		address := deploy(t, c, metav1.NamespaceDefault, "web", testnode.AppImage(testnode.AppVersions[i]), 1)
		if _, header := getEventually(t, "http://"+address); header.Get("X-Version") != testnode.AppVersions[i] {
			t.Errorf("cluster %d answers with %v", i, header)
		}
		traces[i] = traceOf(t, c.Dir)
	}
	if err := clusters[0].Down(); err != nil {
		t.Error(err)
	}
	traces[0].mustBeGone(t, before, gone)
	if _, err := clusters[1].Client().CoreV1().Nodes().Get(t.Context(), testnode.NodeName, metav1.GetOptions{}); err != nil {
		t.Errorf("the other cluster: %v", err)
	}
	if err := clusters[1].Down(); err != nil {
		t.Error(err)
	}
	traces[1].mustBeGone(t, before, gone)
}

// podWithHostFiles has files of this machine mounted in the two ways there are;
// the kubelet mounts a subPath below its own directory, which is removed later.
const podWithHostFiles = `{
  "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "host-files"},
  "spec": {
    "containers": [{"name": "app", "image": %q, "volumeMounts": [
      {"name": "files", "mountPath": "/all"}, {"name": "files", "mountPath": "/part", "subPath": "part"}
    ]}],
    "volumes": [{"name": "files", "hostPath": {"path": %q}}]
  }
}`

func TestKilledParentLeavesNothingAndTakesNothing(t *testing.T) {
	before := takeFootprint(t)
	files := t.TempDir()
	file := filepath.Join(files, "part", "file")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	holder, tr := startHolder(t)
	kubectl := func(stdin string, args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), filepath.Join(tr.dir, "kubectl"), append([]string{"--kubeconfig", testnode.KubeconfigIn(tr.dir)}, args...)...)
		command.Stdin = strings.NewReader(stdin)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("kubectl %q: %v\n%s", args, err, output)
		}
	}
	kubectl(fmt.Sprintf(podWithHostFiles, testnode.AppImage("v1"), files), "create", "-f", "-")
	kubectl("", "wait", "--for=condition=Ready", "pod/host-files", "--timeout=60s")

	start := time.Now()
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tr.mustBeGone(t, before, goneByItself)
	t.Logf("gone by itself after %s", time.Since(start).Round(10*time.Millisecond))
	if content, err := os.ReadFile(file); err != nil || string(content) != "precious" {
		t.Errorf("the machine's own file is %q, %v", content, err)
	}
}

// TestKilledWhileStarting kills the parent at moments when the cluster is not
// complete, from the first one on.
func TestKilledWhileStarting(t *testing.T) {
	for _, moment := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, 800 * time.Millisecond, 2 * time.Second} {
		t.Run(moment.String(), func(t *testing.T) {
			before := takeFootprint(t)
			holder, _ := newHolder(t)
			var dir string
			testcluster.Eventually(t, testcluster.Hang, "a first process", func() error {
				dir = dirOfChild(t, holder.Process.Pid)
				if dir == "" {
					return errors.New("there is none yet")
				}
				return nil
			})
			tr := traceOf(t, dir)
			select {
			case <-time.After(moment):
			case <-t.Context().Done():
			}
			if err := holder.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			tr.mustBeGone(t, before, goneByItself)
		})
	}
}

func TestKilledFirstProcessLeavesNothing(t *testing.T) {
	before := takeFootprint(t)
	c := testnode.Start(t, testnode.Options{})
	tr := traceOf(t, c.Dir)
	if err := syscall.Kill(tr.first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.Down(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("that the first process was killed is told as: %v", err)
	}
	tr.mustBeGone(t, before, gone)
}

func TestSweepRemovesWhatNobodyCould(t *testing.T) {
	before := takeFootprint(t)
	holder, tr := startHolder(t)
	for _, pid := range []int{holder.Process.Pid, tr.first} {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // neither sees the other die
			t.Fatal(err)
		}
	}
	for _, pid := range []int{holder.Process.Pid, tr.first} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	_ = holder.Wait()
	if _, err := os.Stat(tr.dir); err != nil {
		t.Errorf("there is nothing to sweep: %v", err)
	}
	testcluster.Eventually(t, gone, "the sweep", func() error {
		err := testnode.Sweep(t.Context())
		if _, statErr := os.Stat(tr.dir); err == nil && statErr == nil {
			err = errors.New("it was not swept: its first process is still ending")
		}
		return err
	})
	tr.mustBeGone(t, before, gone)
}

// startHolder starts a process that holds a cluster.
func startHolder(t *testing.T) (*exec.Cmd, trace) {
	t.Helper()
	holder, stdout := newHolder(t)
	dir, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the holder said %q: %v", dir, err)
	}
	return holder, traceOf(t, strings.TrimSpace(dir))
}

// newHolder starts a process that will hold a cluster.
func newHolder(t *testing.T) (holder *exec.Cmd, stdout io.Reader) {
	t.Helper()
	holder = exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"=1")
	holder.Stderr = os.Stderr
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	return holder, stdout
}
