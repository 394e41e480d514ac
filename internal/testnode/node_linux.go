package testnode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	initTimeout = 15 * time.Second // for the first process to end, once asked
	linkTimeout = 10 * time.Second // for the kernel to take a link away
)

// node is a running node, seen from this side.
type node struct {
	layout layout
	slot   *slot
	init   *exec.Cmd
	stdin  io.WriteCloser
	ready  chan struct{} // closed when everything on the node is started
	failed chan error    // the first thing that failed on it
	exited chan struct{}
	once   sync.Once
	err    error // of stop

	asking  sync.Mutex  // one command at a time
	replies chan string // to commands
}

// startNode takes a slot, starts the first process in new namespaces, prepares
// what it needs, and connects it with this machine.
func startNode(ctx context.Context, programs programs, options Options) (*node, error) {
	found, err := inspect("linux", os.Geteuid(), os.Stat)
	if err != nil {
		return nil, err
	}
	if err := Sweep(ctx); err != nil {
		return nil, fmt.Errorf("remove what a cluster left that was killed: %w", err)
	}
	s, err := takeSlot(ctx)
	if err != nil {
		return nil, err
	}
	n := &node{
		layout: s.layout, slot: s,
		ready: make(chan struct{}), failed: make(chan error, 1), exited: make(chan struct{}),
		replies: make(chan string, 1),
	}
	if err := n.start(plan{Layout: s.layout, Programs: programs}); err != nil {
		return nil, errors.Join(err, s.release())
	}
	// From here on there is somebody to clean up, should this process be killed.
	err = n.prepare(programs, found, options)
	if err == nil {
		err = n.connectNetwork(ctx)
	}
	if err == nil {
		err = n.wait(ctx)
	}
	if err != nil {
		return nil, errors.Join(n.explain(err), n.stop())
	}
	return n, nil
}

// prepare fills the directory and makes the cgroups. It starts nothing: what
// this process starts would go on when it is killed.
func (n *node) prepare(programs programs, found machine, options Options) error {
	l := n.layout
	for _, dir := range []string{"private", "programs", "pod-logs", "volume-plugins"} {
		if err := os.MkdirAll(l.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := l.configure(found, options); err != nil {
		return err
	}
	if err := os.Symlink(programs.Devnode, l.path("kubectl")); err != nil {
		return err
	}
	return makeCgroups(l.cgroup())
}

// start starts this very program as the first process in new namespaces; see
// init_linux.go. It has the slot's lock, too: the slot is free when both of us
// are gone.
func (n *node) start(p plan) error {
	encoded, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(p.Layout.Dir, 0o700), os.WriteFile(p.Layout.path(planFile), encoded, 0o600)); err != nil {
		return err
	}
	log, err := os.Create(n.layout.path("node.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if err := os.Mkdir(p.Layout.path("tmp"), 0o700); err != nil {
		return err
	}
	n.init = &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{initName, n.layout.Dir},
		Dir:        "/",
		Env:        []string{"PATH=" + searchPath, "HOME=" + n.layout.Dir, "TMPDIR=" + n.layout.path("tmp"), "LANG=C.UTF-8"},
		Stderr:     log,
		ExtraFiles: []*os.File{n.slot.file}, // lockFile
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
			Setsid:     true, // the terminal's Ctrl-C is ours to hear
		},
	}
	if n.stdin, err = n.init.StdinPipe(); err != nil {
		return err
	}
	stdout, err := n.init.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.init.Start(); err != nil {
		return fmt.Errorf("start a process in new namespaces: %w", err)
	}
	go n.listen(stdout)
	return nil
}

// listen follows what the first process says until it has ended.
func (n *node) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if lines.Text() == readyLine {
			close(n.ready)
			continue
		}
		if line := lines.Text(); line == doneLine || strings.HasPrefix(line, failedLine) {
			n.replies <- line
			continue
		}
		n.fail(errors.New(lines.Text()))
	}
	if err := n.init.Wait(); err != nil {
		n.fail(fmt.Errorf("the node's first process ended: %w", err))
	}
	close(n.exited)
}

// fail keeps the first failure: others follow from it.
func (n *node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// connectNetwork lays the cable into the node's namespace.
func (n *node) connectNetwork(ctx context.Context) error {
	l := n.layout
	for _, args := range [][]string{
		{"link", "add", l.link(), "type", "veth", "peer", "name", nodeLink, "netns", strconv.Itoa(n.pid())},
		{"address", "add", l.host() + "/24", "dev", l.link()},
		{"link", "set", l.link(), "up"},
		{"route", "add", l.network(), "via", l.node()},
	} {
		if err := ip(ctx, args...); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(n.stdin, connectedLine)
	return err
}

func (n *node) wait(ctx context.Context) error {
	select {
	case <-n.ready:
		return nil
	case why := <-n.failed:
		return why
	case <-n.exited:
		return errors.New("the node's first process ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends the node, and waits until nothing of it is left.
func (n *node) stop() error {
	n.once.Do(func() {
		_, _ = fmt.Fprintln(n.stdin, stopLine)
		_ = n.stdin.Close()
		select {
		case <-n.exited:
		case <-time.After(initTimeout):
			_ = n.init.Process.Kill()
			<-n.exited
		}
		n.err = n.slot.release()
	})
	return n.err
}

// explain adds to an error the last lines that the node's programs wrote.
func (n *node) explain(err error) error {
	logs, globErr := filepath.Glob(n.layout.path("*.log"))
	if globErr != nil || len(logs) == 0 {
		return err
	}
	slices.Sort(logs)
	var text strings.Builder
	for _, log := range logs {
		content, readErr := os.ReadFile(log)
		if readErr != nil || len(content) == 0 {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(&text, "\n%s:\n  %s", filepath.Base(log), strings.Join(lines[max(0, len(lines)-8):], "\n  "))
	}
	return fmt.Errorf("%w%s", err, text.String())
}

// ip configures the network.
func ip(ctx context.Context, args ...string) error {
	program := findProgram("ip", func(path string) bool { _, err := os.Stat(path); return err == nil })
	if output, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}

// pid is the first process', as it is known on this side.
func (n *node) pid() int { return n.init.Process.Pid }
