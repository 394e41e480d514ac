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
	gatewayWord = "with-gateway"
	stopTimeout = time.Minute
)

// up starts a process in the background that holds the cluster, with a gateway if
// that is asked for.
func up(ctx context.Context, name string, gateway bool) error {
	if name == "" {
		name = defaultName
	}
	if err := testnode.Check(); err != nil {
		return err
	}
	for _, h := range holders() {
		if h.name == name && gateway && !h.gateway() {
			return fmt.Errorf("the cluster %s runs without a gateway: stop it first", name)
		}
		if h.name == name {
			fmt.Fprint(os.Stdout, h.answer)
			return nil
		}
	}
	if err := testnode.Build(ctx, os.Stderr); err != nil {
		return err
	}
	args := []string{holdVerb, name}
	if gateway {
		if err := testnode.BuildGateway(ctx, os.Stderr); err != nil {
			return err
		}
		args = append(args, gatewayWord)
	}
	holder := exec.Command("/proc/self/exe", args...)
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
	heard, err := io.ReadAll(said) // until it closes that, or ends
	if err != nil {
		return err
	}
	answer, ok := strings.CutPrefix(string(heard), upLine)
	if !ok {
		return errors.Join(errors.New(strings.TrimSpace(string(heard))), holder.Wait())
	}
	fmt.Fprint(os.Stdout, answer)
	return nil
}

const upLine = "up "

// hold holds a cluster until it gets a signal.
func hold(ctx context.Context, name string, gateway bool) error {
	c, err := testnode.Up(ctx, testnode.Options{}, io.Discard)
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return err
	}
	answer, err := answer(ctx, c, gateway)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Dir, "holder"), fmt.Appendf(nil, "%d %s\n%s", os.Getpid(), name, answer), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return errors.Join(err, c.Down())
	}
	fmt.Fprint(os.Stdout, upLine+answer)
	_ = os.Stdout.Close()
	<-ctx.Done()
	return c.Down()
}

// answer is what a person has to know of a cluster. The kubeconfig's line comes
// first, and alone where there is no gateway.
func answer(ctx context.Context, c *testnode.Cluster, gateway bool) (string, error) {
	text := c.KubeconfigPath + "\n"
	if !gateway {
		return text, nil
	}
	g, err := c.Gateway(ctx, io.Discard)
	if err != nil {
		return "", err
	}
	return text + fmt.Sprintf("Gateway %s/%s, for routes of any namespace. With an HTTPRoute of the hostname app.example.com:\n", g.Namespace, g.Name) +
		fmt.Sprintf("  curl -H 'Host: app.example.com' http://%s/\n", strings.TrimSuffix(g.Web, ":80")), nil
}

// holder is a process that holds a cluster.
type holder struct {
	pid    int
	name   string
	dir    string
	answer string // see there
}

// gateway tells whether there is one.
func (h holder) gateway() bool { return strings.Count(h.answer, "\n") > 1 }

// holders are those that run.
func holders() []holder {
	files, err := filepath.Glob(filepath.Join(testnode.StateRoot, "*", "holder"))
	if err != nil {
		return nil
	}
	var all []holder
	for _, file := range files {
		content, err := os.ReadFile(file)
		who, answer, _ := strings.Cut(string(content), "\n")
		pid, name, ok := strings.Cut(who, " ")
		number, numberErr := strconv.Atoi(pid)
		if err != nil || !ok || numberErr != nil || syscall.Kill(number, 0) != nil {
			continue
		}
		all = append(all, holder{pid: number, name: name, dir: filepath.Dir(file), answer: answer})
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
