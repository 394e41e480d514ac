package testnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endTimeout is what a program has that is told to end: connections may be open.
const endTimeout = 30 * time.Second

// The commands that the first process takes after the start, each answered by
// doneLine or by failedLine and why.
const (
	killLine    = "kill "  // a program, not to be missed
	endLine     = "end "   // the same, as it ends when it is told to
	startLine   = "start " // that program, again
	gatewayLine = "gateway"
	rebootLine  = "reboot"
	doneLine    = "done"
	failedLine  = "failed: "
)

// nodePrograms are what a reboot ends and starts again, in the order they are
// started. The control plane, the gateway and the registry are of other machines,
// really.
var nodePrograms = []string{containerdName, "kube-proxy", "kubelet"}

// otherPrograms may be ended as well.
var otherPrograms = []string{controlPlaneName, GatewayProgram}

const (
	containerdName   = "containerd"
	controlPlaneName = ControlPlane
)

// program is one of the node's programs.
type program struct {
	pid    int
	killed bool          // on purpose
	gone   chan struct{} // closed when it has ended
	again  func() error  // starts it again
}

// do does what a line asks for.
func (i *initProcess) do(ctx context.Context, line string) error {
	switch line {
	case gatewayLine:
		return i.startGateway()
	case rebootLine:
		return i.reboot(ctx)
	}
	if name, ok := strings.CutPrefix(line, killLine); ok {
		return i.kill(name)
	}
	if name, ok := strings.CutPrefix(line, endLine); ok {
		return i.end(name, syscall.SIGTERM, endTimeout)
	}
	if name, ok := strings.CutPrefix(line, startLine); ok {
		return i.startAgain(ctx, name)
	}
	return fmt.Errorf("%q is not a command", line)
}

// obey does what the other side asks for, and answers.
func (i *initProcess) obey(ctx context.Context, line string) {
	if err := i.do(ctx, line); err != nil {
		i.say(failedLine + strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	i.say(doneLine)
}

// kill ends a program at once, as a crash does.
func (i *initProcess) kill(name string) error { return i.end(name, syscall.SIGKILL, killTimeout) }

// end ends a program by a signal, and waits until it has ended.
func (i *initProcess) end(name string, signal syscall.Signal, timeout time.Duration) error {
	i.mu.Lock()
	p := i.programs[name]
	if p == nil || !slices.Contains(nodePrograms, name) && !slices.Contains(otherPrograms, name) {
		i.mu.Unlock()
		return fmt.Errorf("%s is not running", name)
	}
	p.killed = true
	i.mu.Unlock()
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return eventually(timeout, func() error {
		select {
		case <-p.gone:
			return nil
		default:
			return fmt.Errorf("%s does not end", name)
		}
	})
}

func (i *initProcess) startAgain(ctx context.Context, name string) error {
	i.mu.Lock()
	p := i.programs[name]
	again := p != nil && p.killed
	i.mu.Unlock()
	if !again {
		return fmt.Errorf("%s was not killed", name)
	}
	if name == controlPlaneName {
		usable, err := i.startControlPlane()
		if err != nil {
			return err
		}
		return i.await(ctx, usable)
	}
	if name == containerdName { // whoever waits for the socket waits for the new one
		if err := os.Remove(i.Layout.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := p.again(); err != nil {
		return err
	}
	if name == containerdName {
		return i.waitForSocket(ctx)
	}
	return nil
}

// reboot is what the node's containers and programs notice of one: all of them
// are killed, and mounts, links and rules are gone when the programs start.
func (i *initProcess) reboot(ctx context.Context) error {
	for _, name := range slices.Backward(nodePrograms) {
		if err := i.kill(name); err != nil {
			return err
		}
	}
	if err := i.killContainers(); err != nil {
		return err
	}
	if err := unmountExcept(i.own); err != nil {
		return err
	}
	names, err := filepath.Glob("/run/netns/*")
	if err != nil {
		return err
	}
	for _, path := range append(names, i.Layout.path("containerd", "state")) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return err
	}
	for _, command := range [][]string{{"nft", "flush", "ruleset"}, {"conntrack", "-F"}} {
		if err := i.processes.run(ctx, exec.Command(command[0], command[1:]...)); err != nil {
			return err
		}
	}
	for _, name := range nodePrograms {
		if err := i.startAgain(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// killContainers kills every process on the node but this one and the programs
// that run.
func (i *initProcess) killContainers() error {
	keep := []int{os.Getpid()}
	i.mu.Lock()
	for _, p := range i.programs {
		if !p.killed {
			keep = append(keep, p.pid)
		}
	}
	i.mu.Unlock()
	return eventually(killTimeout, func() error {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		left := 0
		for _, entry := range entries {
			pid, err := strconv.Atoi(entry.Name())
			if err != nil || slices.Contains(keep, pid) || ended(pid) {
				continue
			}
			left++
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if left > 0 {
			return fmt.Errorf("%d processes are still there", left)
		}
		return nil
	})
}

// ended tells whether nothing is left of a process but its entry.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// ask gives the first process a command, and waits until it is done. Whoever
// gives up waiting cannot ask again: the next reply is still to the last command.
func (n *node) ask(ctx context.Context, line string) error {
	n.asking.Lock()
	defer n.asking.Unlock()
	if _, err := fmt.Fprintln(n.stdin, line); err != nil {
		return err
	}
	select {
	case reply := <-n.replies:
		if reply == doneLine {
			return nil
		}
		return errors.New(line + ": " + strings.TrimPrefix(reply, failedLine))
	case <-n.exited:
		return errors.New(line + ": the node's first process ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (n *node) killProgram(ctx context.Context, name string) error {
	return n.ask(ctx, killLine+name)
}

func (n *node) endProgram(ctx context.Context, name string) error {
	return n.ask(ctx, endLine+name)
}

func (n *node) startGateway(ctx context.Context) error { return n.ask(ctx, gatewayLine) }

func (n *node) startProgram(ctx context.Context, name string) error {
	return n.ask(ctx, startLine+name)
}

func (n *node) reboot(ctx context.Context) error { return n.ask(ctx, rebootLine) }
