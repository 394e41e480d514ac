//go:build scale

package scale_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// used is what one command took.
type used struct {
	testcli.Usage
	code     int
	output   string
	requests map[string]int // by cluster; watches that go on are among them
	writes   int            // on all clusters
	warnings int
}

// bound is how long a command may take, with very many clusters, too.
const bound = time.Hour

// terraform runs the CLI in a workspace, and watches what it takes.
func terraform(t *testing.T, w *testcli.Workspace, args ...string) used {
	t.Helper()
	x := w.Start(t, args...)
	u := used{Usage: x.Measure(), code: x.Code(), output: x.Output()}
	u.warnings = strings.Count(u.output, "Warning: ") - strings.Count(u.output, "Warning: Provider development overrides")
	return u
}

// controlPlanes is the memory that the simulated clusters have: this process's
// children. 0 where the system does not tell.
func controlPlanes() (all int64) {
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for _, id := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(id); err == nil {
				all += testcli.Memory(n, "VmRSS")
			}
		}
	}
	return all
}
