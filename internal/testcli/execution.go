package testcli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Bound is how long a command may take: so long that only one that hangs meets it.
const Bound = 5 * time.Minute

// ErrHung is that a command had not ended within its bound, and was killed.
var ErrHung = errors.New("it hung")

// Execution is a command of the CLI that runs, or has run, with its providers.
type Execution struct {
	Began time.Time

	command *exec.Cmd
	ids     string // path of the file with the ids of the providers
	output  transcript
	exited  chan struct{}
	err     error // once it has exited
}

// Start runs the CLI. A test that meets a hang fails, whatever it expects of the
// command; the test's end kills what is left.
func (w *Workspace) Start(t testing.TB, args ...string) *Execution {
	t.Helper()
	cli, err := CLI()
	if err != nil {
		t.Fatal(err)
	}
	bound := cmp.Or(w.Bound, Bound)
	ctx, cancel := context.WithTimeoutCause(t.Context(), bound, fmt.Errorf("%w: it had not ended after %s", ErrHung, bound))
	x := &Execution{
		command: exec.CommandContext(ctx, cli.Path, args...), ids: filepath.Join(t.TempDir(), "providers"),
		output: transcript{line: w.Line}, exited: make(chan struct{}),
	}
	x.command.Env, err = w.Provider.environment(ctx, append([]string{idsEnv + "=" + x.ids}, w.Env...)...)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	x.command.Dir, x.command.Stdout, x.command.Stderr = w.Dir, &x.output, &x.output
	x.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	x.command.Cancel, x.command.WaitDelay = x.Kill, 10*time.Second
	x.Began = time.Now()
	if err := x.command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		defer close(x.exited)
		defer cancel()
		if err := x.command.Wait(); err != nil {
			x.err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(cli.Path), strings.Join(args, " "), errors.Join(err, context.Cause(ctx)), x.Output())
		}
		if errors.Is(x.err, ErrHung) {
			t.Error(x.err)
		}
	}()
	t.Cleanup(func() {
		<-x.exited
		_ = x.KillProviders()
	})
	return x
}

// Exited is closed when the command has ended.
func (x *Execution) Exited() <-chan struct{} { return x.exited }

// Wait waits for the command's end. The error of one that fails is an
// [exec.ExitError], of one that hangs also [ErrHung], and has what was printed.
func (x *Execution) Wait() error {
	<-x.exited
	return x.err
}

// Code waits for the command's end, too, and is its exit code; -1: a signal
// ended it.
func (x *Execution) Code() int {
	<-x.exited
	return x.command.ProcessState.ExitCode()
}

// CPU waits for the command's end, too, and is what it and its providers had of
// the processors.
func (x *Execution) CPU() time.Duration {
	<-x.exited
	return x.command.ProcessState.UserTime() + x.command.ProcessState.SystemTime()
}

// Output is what the command has printed until now.
func (x *Execution) Output() string { return x.output.String() }

// Args are the command's arguments.
func (x *Execution) Args() []string { return x.command.Args[1:] }

// Pid is the id of the CLI's process, and of the process group.
func (x *Execution) Pid() int { return x.command.Process.Pid }

// Signal sends a signal to the CLI and its providers, as a terminal does.
func (x *Execution) Signal(s syscall.Signal) error { return syscall.Kill(-x.Pid(), s) }

// Freeze stops the CLI and its providers, and returns when all of them stand still:
// on a busy machine, threads run on for a moment after the signal. SIGCONT lets them
// go on.
func (x *Execution) Freeze() error {
	if err := x.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	tick, limit := time.NewTicker(time.Millisecond), time.NewTimer(Bound)
	defer tick.Stop()
	defer limit.Stop()
	for _, id := range append(x.Providers(), x.Pid()) {
		for !still(id) {
			select {
			case <-tick.C:
			case <-limit.C:
				return fmt.Errorf("process %d runs on: %w", id, ErrHung)
			}
		}
	}
	return nil
}

// still says that no thread of a process runs; also where nothing tells.
func still(id int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", id))
	return !slices.ContainsFunc(threads, func(path string) bool {
		content, err := os.ReadFile(path)
		if err != nil {
			return false // it has ended
		}
		_, state, _ := strings.Cut(string(content[bytes.LastIndexByte(content, ')')+1:]), " ")
		return !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
	})
}

// Kill kills the CLI and its providers at once.
func (x *Execution) Kill() error { return x.Signal(syscall.SIGKILL) }

// Providers are the ids of the provider processes that were started until now.
func (x *Execution) Providers() (ids []int) {
	content, _ := os.ReadFile(x.ids) // none is there before the first one
	for _, line := range strings.Fields(string(content)) {
		if id, err := strconv.Atoi(line); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// KillProviders kills the provider processes and spares the CLI. It is an error
// if none is alive.
func (x *Execution) KillProviders() error {
	killed, ids := 0, x.Providers()
	for _, id := range ids {
		// An id may be somebody else's by now: the process group tells.
		if group, err := syscall.Getpgid(id); err == nil && group == x.Pid() && syscall.Kill(id, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		return fmt.Errorf("no provider of %v is alive", ids)
	}
	return nil
}

// transcript is what a command prints.
type transcript struct {
	line func([]byte) // hears each line; may be nil
	rest []byte       // of a line whose end is not there yet

	mu   sync.Mutex
	text bytes.Buffer
}

// Write is called by one goroutine at a time: both streams are this writer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.text.Write(p)
	t.mu.Unlock()
	if t.line == nil {
		return len(p), nil
	}
	lines := bytes.SplitAfter(append(t.rest, p...), []byte("\n"))
	for _, line := range lines[:len(lines)-1] {
		t.line(line)
	}
	t.rest = lines[len(lines)-1]
	return len(p), nil
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
