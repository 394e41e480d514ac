//go:build bench

package bench_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// applyTimeout ends an apply that hangs.
const applyTimeout = 4 * time.Minute

// told is what a failed apply said, and when.
type told struct {
	began    time.Time // the provider was asked to create
	returned time.Time // the provider had failed
	reported time.Time // the error was printed
	summary  string
	detail   string
}

// event is a line of the CLI's JSON output.
type event struct {
	Type       string `json:"type"`
	Diagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
	} `json:"diagnostic"`
}

// beginning is held by the one apply that starts: what a CLI and its providers
// take of the processors then is most of what they take at all, and would be
// measured by the others.
var beginning sync.Mutex

// apply applies a configuration that cannot work. It stamps every line of the
// output as it comes.
func apply(ctx context.Context, dir, configuration string) (told, error) {
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		return told{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, applyTimeout, fmt.Errorf("it had not ended after %s", applyTimeout))
	defer cancel()
	command := exec.CommandContext(ctx, here.cli.Path, "apply", "-auto-approve", "-input=false", "-json")
	command.Dir = dir
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+here.overrides, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_ARGS=", "TF_LOG=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 10 * time.Second
	output, err := command.StdoutPipe()
	if err != nil {
		return told{}, err
	}
	beginning.Lock()
	begun := sync.OnceFunc(beginning.Unlock)
	defer begun()
	if err := command.Start(); err != nil {
		return told{}, err
	}
	t, lines := read(output, begun)
	err = command.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		err = nil // as it should
	}
	if err == nil && (t.began.IsZero() || t.returned.IsZero() || t.reported.IsZero()) {
		err = errors.New("it did not fail as was expected")
	}
	if err != nil {
		return t, fmt.Errorf("%w\n%s", errors.Join(err, context.Cause(ctx)), strings.Join(lines, "\n"))
	}
	return t, nil
}

// read reads the output to its end. begun is called when the provider was asked
// to create.
func read(output io.Reader, begun func()) (t told, lines []string) {
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		now := time.Now()
		lines = append(lines, scanner.Text())
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) != nil {
			continue
		}
		switch {
		case e.Type == "apply_start" && t.began.IsZero():
			t.began = now
			begun()
		case e.Type == "apply_errored" && t.returned.IsZero():
			t.returned = now
		case e.Type == "diagnostic" && e.Diagnostic.Severity == "error" && t.reported.IsZero():
			t.reported, t.summary, t.detail = now, e.Diagnostic.Summary, e.Diagnostic.Detail
		}
	}
	return t, lines
}
