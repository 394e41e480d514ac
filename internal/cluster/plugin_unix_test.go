//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// hanging is a plugin that waits for a child of its own for ever. The file holds
// the child's process id.
func hanging(t *testing.T) (exec *Exec, child string) {
	t.Helper()
	child = filepath.Join(t.TempDir(), "child")
	exec, _ = plugin(t, "echo 'waiting for a login' >&2; sleep 1000 & echo $! >"+child+".new; mv "+child+".new "+child+"; wait")
	return exec, child
}

func processIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// ends fails the test unless the process whose id is in the file ends.
func ends(t *testing.T, file string) {
	t.Helper()
	pid := processIn(t, file)
	testcluster.Eventually(t, testcluster.Hang, "the plugin's child to end", func() error {
		// A process that nobody has asked about yet is still there, as a zombie.
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return nil
		}
		if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
}

// begun waits until the plugin has started its child.
func begun(t *testing.T, file string) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, "the plugin to start", func() error {
		_, err := os.Stat(file)
		return err
	})
}

// A plugin that hangs is blamed itself, at the deadline of what it was called for,
// and is gone then, with all that it has started.
func TestAHangingPluginIsBlamedAndEnded(t *testing.T) {
	t.Parallel()
	host, ca := serverOf(t, testcluster.Shared(t).KubeconfigPath)
	for name, ask := range map[string]func(context.Context, *Cluster) error{
		"the first contact": func(ctx context.Context, c *Cluster) error { return c.Check(ctx) },
		"a request": func(ctx context.Context, c *Cluster) error {
			return c.Get(ctx, "", "default", &corev1.Namespace{})
		},
		"a preflight": func(ctx context.Context, c *Cluster) error {
			_, err := c.Preflight(ctx, "default", []Feature{FeatureRefresh})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exec, child := hanging(t)
			c := connect(t, Config{Host: host, ClusterCACertificate: ca, Exec: exec})
			over := errors.New("the time is over")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				begun(t, child)
				cancel(over)
			}()
			err := ask(ctx, c)
			var blamed *CredentialError
			if !errors.Is(err, over) || !errors.As(err, &blamed) || !strings.Contains(err.Error(), exec.Command) || strings.Contains(err.Error(), "API server") {
				t.Errorf("got %v", err)
			}
			ends(t, child)
		})
	}
}

// What one caller does not wait for any more, another may.
func TestAPluginGoesOnForOthers(t *testing.T) {
	t.Parallel()
	proxy := testcluster.Shared(t).Proxy(t)
	host, ca := serverOf(t, proxy.KubeconfigPath)
	dir := t.TempDir()
	exec, calls := plugin(t, fmt.Sprintf(`: >%[1]s/begun; until [ -e %[1]s/go ]; do sleep 0.05; done
cat <<'END'
{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":" %[2]s\n"}}
END
`, dir, tokenOf(t, proxy.KubeconfigPath)))
	c := connect(t, Config{Host: host, ClusterCACertificate: ca, Exec: exec})
	done := make(chan error, 1)
	go func() { done <- c.Check(t.Context()) }()
	begun(t, filepath.Join(dir, "begun"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || calls() != 1 {
		t.Errorf("%d calls, %v", calls(), err)
	}
}

// What a plugin leaves behind on purpose, such as an agent, is no failure.
func TestAPluginMayLeaveAnAgent(t *testing.T) {
	t.Parallel()
	proxy := testcluster.Shared(t).Proxy(t)
	host, ca := serverOf(t, proxy.KubeconfigPath)
	agent := filepath.Join(t.TempDir(), "agent")
	exec, _ := plugin(t, fmt.Sprintf("sleep 1000 & echo $! >%s\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\"}}'",
		agent, tokenOf(t, proxy.KubeconfigPath)))
	t.Cleanup(func() { _ = syscall.Kill(processIn(t, agent), syscall.SIGKILL) })
	if err := connect(t, Config{Host: host, ClusterCACertificate: ca, Exec: exec}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// In a session of its own, a plugin that asks a question on the terminal fails at
// once: nobody could answer it.
func TestAPluginHasNoTerminal(t *testing.T) {
	t.Parallel()
	own := filepath.Join(t.TempDir(), "own")
	exec, _ := plugin(t, fmt.Sprintf("echo $$ >%[1]s.new; mv %[1]s.new %[1]s; sleep 1000", own))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	c := connect(t, Config{Host: "https://127.0.0.1:1", Exec: exec})
	go func() { done <- c.Check(ctx) }()
	begun(t, own)
	pid := processIn(t, own)
	if session, err := unix.Getsid(pid); err != nil || session != pid {
		t.Errorf("process %d is in session %d, %v", pid, session, err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	ends(t, own)
}

// What a plugin prints is sent as a header.
func TestAPluginsTokenThatCannotBeSent(t *testing.T) {
	t.Parallel()
	exec, _ := plugin(t, `cat <<'END'
{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"one\ntwo"}}
END
`)
	err := connect(t, Config{Host: "https://127.0.0.1:1", Exec: exec}).Check(t.Context())
	var blamed *CredentialError
	if !errors.As(err, &blamed) || !strings.Contains(err.Error(), "a newline") || !strings.Contains(err.Error(), exec.Command) || strings.Contains(err.Error(), "two") {
		t.Errorf("got %v", err)
	}
}
