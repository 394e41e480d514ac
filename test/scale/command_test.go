//go:build scale

package scale_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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

// terraform runs the CLI in a directory, and watches the memory that it takes.
func terraform(t *testing.T, dir string, args ...string) used {
	t.Helper()
	ids := filepath.Join(t.TempDir(), "providers")
	if err := os.WriteFile(ids, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	command := exec.CommandContext(t.Context(), cli.Path, args...)
	command.Dir, command.Stdout, command.Stderr = dir, &output, &output
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1", "TF_CLI_ARGS=", "TF_LOG=", providersEnv+"="+ids)
	began := time.Now()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var u used
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case err := <-ended:
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			waiting = false
		case <-tick.C:
			u.cliPeak = max(u.cliPeak, peak(strconv.Itoa(command.Process.Pid)))
			list, _ := os.ReadFile(ids)
			for _, id := range strings.Fields(string(list)) {
				u.providerPeak = max(u.providerPeak, peak(id))
			}
		}
	}
	u.wall, u.code, u.output = time.Since(began), command.ProcessState.ExitCode(), output.String()
	u.cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	u.warnings = strings.Count(u.output, "Warning: ") - strings.Count(u.output, "Warning: Provider development overrides")
	return u
}

// peak is the most memory that a process has had so far.
func peak(id string) int64 {
	status, err := os.ReadFile("/proc/" + id + "/status")
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
