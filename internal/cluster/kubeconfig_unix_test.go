//go:build unix

package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// Opening a FIFO waits for somebody to write to it.
func TestAFIFOIsNoHang(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	naming := func(name, user string) string {
		path := filepath.Join(dir, name)
		text := "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- {name: x, context: {cluster: x, user: x}}\n" +
			"clusters:\n- {name: x, cluster: {server: \"https://api.example\"" + map[bool]string{true: ", certificate-authority: fifo"}[user == ""] + "}}\n" +
			"users:\n- {name: x, user: {" + user + "}}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, config := range map[string]Config{
		"kubeconfig":         {ConfigPath: fifo},
		"one of many":        {ConfigPaths: []string{naming("good", "token: abc"), fifo}},
		"a device":           {ConfigPath: "/dev/null"},
		"CA":                 {ConfigPath: naming("ca", "")},
		"client certificate": {ConfigPath: naming("certificate", "client-certificate: fifo, client-key: fifo")},
		"token":              {ConfigPath: naming("token", "tokenFile: fifo")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan error, 1)
			go func() {
				_, err := New(config)
				done <- err
			}()
			select {
			case err := <-done:
				var fault *ConfigError
				if !errors.As(err, &fault) || !strings.HasPrefix(fault.Attribute, "config_path") || !strings.Contains(fault.Detail, "no regular file") {
					t.Errorf("got %v", err)
				}
			case <-time.After(testcluster.Hang):
				t.Error("it hangs")
			}
		})
	}
}
