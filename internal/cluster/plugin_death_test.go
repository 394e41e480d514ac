//go:build linux || freebsd

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// fileOfPlugin names, in the environment of a process that is to be killed, where
// its plugin writes its process id.
const fileOfPlugin = "SWITCHBACK_TEST_FILE_OF_PLUGIN"

// A provider that is killed takes its plugin with it. The one that dies is this
// very test in a process of its own.
func TestAPluginEndsWithTheProvider(t *testing.T) {
	t.Parallel()
	if file := os.Getenv(fileOfPlugin); file != "" {
		hanging, _ := plugin(t, "echo $$ >"+file+".new; mv "+file+".new "+file+"; exec sleep 1000")
		t.Error(connect(t, Config{Host: "https://127.0.0.1:1", Exec: hanging}).Check(t.Context()))
		return
	}
	file := filepath.Join(t.TempDir(), "plugin")
	provider := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	provider.Env = append(os.Environ(), fileOfPlugin+"="+file)
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	begun(t, file)
	if err := provider.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = provider.Wait() // it was killed
	ends(t, file)
}
