package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// holdVerb is how this command starts itself again: a cluster lives as long as
// the process that holds it.
const holdVerb = "hold"

const (
	defaultName = "default"
	stopTimeout = time.Minute
)

// up starts a process in the background that holds the cluster.
func up(ctx context.Context, name string) error {
	if name == "" {
		name = defaultName
	}
	if err := testnode.Check(); err != nil {
		return err
	}
	for _, h := range holders() {
		if h.name == name {
			fmt.Fprintln(os.Stdout, h.kubeconfig)
			return nil
		}
	}
	if err := testnode.Build(ctx, os.Stderr); err != nil {
		return err
	}
	holder := exec.Command("/proc/self/exe", holdVerb, name)
	holder.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	said, err := holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := holder.Start(); err != nil {
		return err
	}
	abandon := context.AfterFunc(ctx, func() { _ = holder.Process.Kill() })
	defer abandon()
	answer, err := io.ReadAll(said) // until it closes that, or ends
	if err != nil {
		return err
	}
	kubeconfig, ok := strings.CutPrefix(string(answer), upLine)
	if !ok {
		return errors.Join(errors.New(strings.TrimSpace(string(answer))), holder.Wait())
	}
	fmt.Fprint(os.Stdout, kubeconfig)
	return nil
}

const upLine = "up "

// hold holds a cluster until it gets a signal.
func hold(ctx context.Context, name string) error {
	c, err := testnode.Up(ctx, testnode.Options{}, io.Discard)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Dir, "holder"), fmt.Appendf(nil, "%d %s", os.Getpid(), name), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return err
	}
	fmt.Fprintln(os.Stdout, upLine+c.KubeconfigPath)
	_ = os.Stdout.Close()
	<-ctx.Done()
	return c.Down()
}

// holder is a process that holds a cluster.
type holder struct {
	pid             int
	name            string
	dir, kubeconfig string
}

// holders are those that run.
func holders() []holder {
	files, err := filepath.Glob(filepath.Join(testnode.StateRoot, "*", "holder"))
	if err != nil {
		return nil
	}
	var all []holder
	for _, file := range files {
		content, err := os.ReadFile(file)
		pid, name, ok := strings.Cut(string(content), " ")
		number, numberErr := strconv.Atoi(pid)
		if err != nil || !ok || numberErr != nil || syscall.Kill(number, 0) != nil {
			continue
		}
		dir := filepath.Dir(file)
		all = append(all, holder{pid: number, name: name, dir: dir, kubeconfig: testnode.KubeconfigIn(dir)})
	}
	return all
}

// down tells the holders to end, and waits until nothing is left.
func down(ctx context.Context, name string) error {
	if err := testnode.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	found := false
	for _, h := range holders() {
		if name != "" && h.name != name {
			continue
		}
		found = true
		if err := h.stop(ctx); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	if !found {
		fmt.Fprintln(os.Stderr, "no such cluster runs")
	}
	return testnode.Sweep(ctx)
}

func (h holder) stop(ctx context.Context) error {
	if err := syscall.Kill(h.pid, syscall.SIGTERM); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(h.pid, 0) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("its holder does not end")
		}
	}
	if _, err := os.Stat(h.dir); err == nil {
		return fmt.Errorf("%s is still there", h.dir)
	}
	return nil
}
