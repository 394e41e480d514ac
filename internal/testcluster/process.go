package testcluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

const (
	buildTimeout = 35 * time.Minute // on the slowest machine; usually it is built already
	startTimeout = Hang
	stopTimeout  = 5 * time.Second
)

// process is a running devcluster. Its standard input is a pipe whose other
// end this process holds: however we die, the devcluster sees the end of it
// and exits.
type process struct {
	kubeconfig string
	command    *exec.Cmd
	stdin      io.Closer
	exited     chan struct{}
	stopOnce   sync.Once
}

func startProcess() (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	program, err := devtools.Devcluster.Build(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	p := &process{
		command: exec.Command(program, "-nodes", "2", "-exit-on-stdin-eof"),
		exited:  make(chan struct{}),
	}
	// A control plane of tests spends a quarter of its time on garbage otherwise, and another
	// tenth on stacks that grow with every request, and on goroutines that are interrupted.
	p.command.Env = append(os.Environ(), "GOGC=800", "GOMEMLIMIT=3GiB",
		"GODEBUG="+strings.Trim(os.Getenv("GODEBUG")+",adaptivestackstart=1,asyncpreemptoff=1", ","))
	p.command.WaitDelay = time.Second
	var stderr bytes.Buffer
	p.command.Stderr = &stderr
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		ready <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		_ = p.command.Wait()
		close(p.exited)
	}()
	select {
	case p.kubeconfig = <-ready:
		if p.kubeconfig != "" {
			return p, nil
		}
		err = errors.New("it ended before it was ready")
	case <-time.After(startTimeout):
		err = fmt.Errorf("it was not ready after %s", startTimeout)
	}
	p.stop()
	return nil, fmt.Errorf("start devcluster: %w\n%s", err, stderr.String())
}

// stop ends the process and waits until it is gone.
func (p *process) stop() {
	p.stopOnce.Do(func() {
		_ = p.resume() // one that is paused takes no signal
		_ = p.stdin.Close()
		select {
		case <-p.exited:
			return
		case <-time.After(stopTimeout):
		}
		_ = p.command.Process.Kill()
		<-p.exited
	})
}

func (p *process) pause() error  { return p.command.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.command.Process.Signal(syscall.SIGCONT) }
