//go:build scale

package scale_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// used is what one command took. Peaks are in bytes, and 0 where the system does
// not tell.
type used struct {
	wall         time.Duration
	cpu          time.Duration // of the CLI and its providers
	cliPeak      int64
	providerPeak int64
	code         int
	output       string
	requests     map[string]int // by cluster; watches that go on are among them
	writes       int            // on all clusters
	warnings     int
}

// bound is how long a command may take, with very many clusters, too.
const bound = time.Hour

// terraform runs the CLI in a workspace, and watches the memory that it takes.
func terraform(t *testing.T, w *testcli.Workspace, args ...string) used {
	t.Helper()
	x := w.Start(t, args...)
	var u used
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-x.Exited():
			waiting = false
		case <-tick.C:
			u.cliPeak = max(u.cliPeak, peak(x.Pid()))
			for _, id := range x.Providers() {
				u.providerPeak = max(u.providerPeak, peak(id))
			}
		}
	}
	u.wall, u.cpu, u.code, u.output = time.Since(x.Began), x.CPU(), x.Code(), x.Output()
	u.warnings = strings.Count(u.output, "Warning: ") - strings.Count(u.output, "Warning: Provider development overrides")
	return u
}

// peak is the most memory that a process has had so far.
func peak(id int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	if err != nil {
		return 0
	}
	return field(string(status), "VmHWM:")
}

func field(status, name string) int64 {
	_, rest, _ := strings.Cut(status, name)
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// controlPlanes is the memory that the simulated clusters have: this process's
// children. 0 where the system does not tell.
func controlPlanes() (all int64) {
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, id := range strings.Fields(string(children)) {
			status, _ := os.ReadFile("/proc/" + id + "/status")
			all += field(string(status), "VmRSS:")
		}
	}
	return all
}
