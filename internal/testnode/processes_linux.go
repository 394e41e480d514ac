package testnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const killTimeout = 10 * time.Second

// processes are the children of the first process in a namespace, which gets
// those of others, too, when their parents die, and has to take in all of them.
// One goroutine does, so that nobody may use the Wait of package exec.
type processes struct {
	mu     sync.Mutex
	exits  map[int]chan syscall.WaitStatus
	closed bool
}

var errOver = errors.New("the node is being stopped")

func newProcesses() *processes {
	p := &processes{exits: map[int]chan syscall.WaitStatus{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			p.reap()
		}
	}()
	return p
}

// reap takes in the children that have ended.
func (p *processes) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if exit, ok := p.exits[pid]; ok {
			exit <- status
			delete(p.exits, pid)
		}
	}
}

// start starts a command; the channel gets its status. Its output must be files
// (or nothing): copying would need the Wait that nobody may use.
func (p *processes) start(command *exec.Cmd) (<-chan syscall.WaitStatus, error) {
	p.mu.Lock() // a command that ends at once must not be taken in before it is known
	defer p.mu.Unlock()
	if p.closed {
		return nil, errOver
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	exit := make(chan syscall.WaitStatus, 1)
	p.exits[command.Process.Pid] = exit
	return exit, nil
}

// run runs a command to its end.
func (p *processes) run(ctx context.Context, command *exec.Cmd) error {
	output, err := os.CreateTemp("", filepath.Base(command.Path))
	if err != nil {
		return err
	}
	defer func() { _ = output.Close(); _ = os.Remove(output.Name()) }()
	command.Stdout, command.Stderr = output, output
	ended, err := p.start(command)
	if err != nil {
		return err
	}
	select {
	case status := <-ended:
		if status.ExitStatus() == 0 {
			return nil
		}
		text, _ := os.ReadFile(output.Name())
		return fmt.Errorf("%s: %s: %s", strings.Join(command.Args, " "), describe(status), bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\n"), []byte("; ")))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets no further command start.
func (p *processes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.exits = map[int]chan syscall.WaitStatus{} // that they end is no news any more
}

// killAll kills every process in the namespace but this, the first one.
func (p *processes) killAll() error {
	return eventually(killTimeout, func() error {
		if err := syscall.Kill(-1, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill: %w", err)
		}
		p.reap()
		if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); errors.Is(err, syscall.ECHILD) {
			return nil
		}
		return errors.New("processes are still there")
	})
}
