package testnode

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// initName is the name under which this program is started again as the first
// process of a node.
const initName = "switchback-node-init"

// What is said over the pipes between the two.
const (
	connectedLine = "connected" // to the first process: the cable is there
	stopLine      = "stop"      // to it: end, and leave the slot to whoever asked
	readyLine     = "ready"     // from it; all other lines are failures
)

const (
	lockFile      = 3 // the first of the extra files
	nodeLink      = "eth0"
	socketTimeout = time.Minute
)

const planFile = "plan.json"

// plan is what the first process has to do.
type plan struct {
	Layout   layout
	Programs programs
}

// Whatever program uses this package can be a node's first process: a test's
// binary has no other place where it could be told.
func init() {
	if os.Args[0] == initName {
		os.Exit(runInit(os.Args[1]))
	}
}

// runInit sets up the namespaces it was started in, runs everything in them,
// and removes everything when standard input ends: whoever started this has
// stopped it, or is dead.
func runInit(dir string) int {
	content, err := os.ReadFile(filepath.Join(dir, planFile))
	var p plan
	if err == nil {
		err = json.Unmarshal(content, &p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	syscall.CloseOnExec(lockFile) // the lock is not for the node's programs
	// A pipe that nobody reads must not end this process before it has cleaned
	// up; a signal that is ignored would be so for all programs in containers.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	i := &initProcess{plan: p, processes: newProcesses(), programs: map[string]*program{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	connected, over := make(chan struct{}), make(chan struct{})
	asked := false
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			switch lines.Text() {
			case connectedLine:
				close(connected)
			case stopLine:
				asked = true
				return
			default:
				go i.obey(ctx, lines.Text()) // stopLine must be heard meanwhile
			}
		}
	}()
	started := make(chan struct{})
	go func() {
		defer close(started)
		if err := i.start(ctx, connected); err != nil {
			i.say(err.Error())
		} else {
			i.say(readyLine)
		}
	}()
	<-over
	cancel()
	i.processes.close() // what is waited for ends, so that the start does
	<-started
	if err := i.tearDown(!asked); err != nil {
		fmt.Fprintln(os.Stderr, "tear down:", err)
		return 1
	}
	return 0
}

// initProcess is the first process of a node.
type initProcess struct {
	plan
	processes *processes
	before    []mountPoint // what was mounted when it started
	own       []mountPoint // and after its own mounts

	mu       sync.Mutex
	programs map[string]*program // by name
}

// say tells the other side one line.
func (i *initProcess) say(line string) {
	line, _, _ = strings.Cut(line, "\n")
	_, _ = fmt.Fprintln(os.Stdout, line)
	if line != readyLine && line != doneLine {
		_, _ = fmt.Fprintln(os.Stderr, line)
	}
}

func (i *initProcess) start(ctx context.Context, connected <-chan struct{}) error {
	select {
	case <-connected:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := i.mount(); err != nil {
		return err
	}
	if err := i.network(ctx); err != nil {
		return err
	}
	return i.startPrograms(ctx)
}

// network configures the node's own links.
func (i *initProcess) network(ctx context.Context) error {
	l := i.Layout
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", l.node() + "/24", "dev", nodeLink},
		{"link", "set", nodeLink, "up"},
		{"route", "add", "default", "via", l.host()},
	} {
		if err := i.processes.run(ctx, exec.Command("ip", args...)); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return err
	}
	// Traffic between pods must pass kube-proxy's rules. Where the bridge does
	// not filter at all, the file is missing.
	err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// startPrograms starts the node's programs, each when it can work at once.
func (i *initProcess) startPrograms(ctx context.Context) error {
	l := i.Layout
	if err := i.daemon("containerd", "containerd", "-c", l.path("containerd.toml")); err != nil {
		return err
	}
	if err := i.daemon("registry", l.path("programs", "images"), "serve", "-listen", l.registry()); err != nil {
		return err
	}
	usable, err := i.startControlPlane()
	if err != nil {
		return err
	}
	if err := i.loadImages(ctx); err != nil {
		return err
	}
	if err := i.await(ctx, usable); err != nil {
		return err
	}
	if err := i.daemon("kube-proxy", l.path("programs", "kube-proxy"), "--config", l.path("kube-proxy.json")); err != nil {
		return err
	}
	return i.daemon("kubelet", l.path("programs", "kubelet"),
		"--config", l.path("kubelet.json"), "--kubeconfig", l.kubeconfig(),
		"--root-dir", l.path("kubelet"), "--cert-dir", l.path("kubelet-certificates"),
		"--hostname-override", NodeName, "--node-ip", l.node())
}

// startControlPlane starts the control plane; the channel gets nil when it is
// usable.
func (i *initProcess) startControlPlane() (<-chan error, error) {
	l := i.Layout
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	command := exec.Command(l.path("programs", "devcluster"),
		"-dir", filepath.Dir(l.kubeconfig()), "-nodes", "0", "-bind", l.node(), "-advertise", l.node(), "-port", "6443",
		"-service-cidr", l.services(), "-endpoint-reconciler", "lease")
	command.Stdout = write
	err = i.watch(controlPlaneName, command)
	_ = write.Close()
	if err != nil {
		return nil, errors.Join(err, read.Close())
	}
	usable := make(chan error, 1)
	go func() {
		defer func() { _ = read.Close() }()
		if _, err := bufio.NewReader(read).ReadString('\n'); err != nil {
			usable <- errors.New("the control plane ended before it was usable")
			return
		}
		usable <- nil
	}()
	return usable, nil
}

func (i *initProcess) await(ctx context.Context, usable <-chan error) error {
	select {
	case err := <-usable:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loadImages packs the images and gives them to containerd.
func (i *initProcess) loadImages(ctx context.Context) error {
	l := i.Layout
	specs, err := os.Open(l.path("images.json"))
	if err != nil {
		return err
	}
	defer func() { _ = specs.Close() }()
	pack := exec.Command(l.path("programs", "images"), "pack", "-program", l.path("programs", "app"), "-out", l.path("images.tar"))
	pack.Stdin = specs
	if err := i.processes.run(ctx, pack); err != nil {
		return err
	}
	if err := i.waitForSocket(ctx); err != nil {
		return err
	}
	return i.processes.run(ctx, exec.Command("ctr", "-a", l.socket(), "-n", "k8s.io", "images", "import", l.path("images.tar")))
}

func (i *initProcess) waitForSocket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	tick := time.NewTicker(busyInterval)
	defer tick.Stop()
	for !exists(i.Layout.socket()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("containerd does not listen")
		}
	}
	return nil
}

// startGateway starts the gateway, whose program is in the directory by now.
func (i *initProcess) startGateway() error {
	args, env := i.Layout.gatewayCommand()
	command := exec.Command(args[0], args[1:]...)
	command.Env = append(os.Environ(), env...)
	return i.watch(GatewayProgram, command)
}

// daemon starts a program that is not expected to end.
func (i *initProcess) daemon(name, program string, args ...string) error {
	return i.watch(name, exec.Command(program, args...))
}

// watch starts a command with a log of its own, and tells when it ends without
// having been killed on purpose.
func (i *initProcess) watch(name string, command *exec.Cmd) error {
	log, err := os.OpenFile(i.Layout.path(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args, env := slices.Clone(command.Args), command.Env
	command.Stderr = log
	if command.Stdout == nil {
		command.Stdout = log
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	exit, err := i.processes.start(command)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p := &program{
		pid: command.Process.Pid, gone: make(chan struct{}),
		again: func() error {
			next := exec.Command(args[0], args[1:]...)
			next.Env = env
			return i.watch(name, next)
		},
	}
	i.programs[name] = p
	go func() {
		status, ok := <-exit
		if !ok {
			return
		}
		i.mu.Lock()
		killed := p.killed
		i.mu.Unlock()
		close(p.gone)
		if !killed {
			i.say(fmt.Sprintf("%s ended: %s", name, describe(status)))
		}
	}()
	return nil
}

// tearDown removes everything: processes, mounts, cgroups and the directory.
// The links go with the namespace, when the caller exits. The slot is given
// back where nobody else can: whoever is alive may still need it.
func (i *initProcess) tearDown(alone bool) error {
	if err := i.processes.killAll(); err != nil {
		return err
	}
	if err := i.unmount(); err != nil {
		return err
	}
	s := &slot{layout: i.Layout, file: os.NewFile(lockFile, i.Layout.lock())}
	err := errors.Join(removeCgroups(i.Layout.cgroup()), s.removeDir())
	if alone {
		err = errors.Join(err, s.unlock())
	}
	return err
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
