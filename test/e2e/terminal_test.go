//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// plugin is kubectl's plugin, built once.
var plugin = sync.OnceValues(func() (string, error) {
	root, err := devtools.Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "e2e-plugin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubectl-switchback")
	command := exec.Command("go", "build", "-o", path, "./cmd/kubectl-switchback") //nolint:noctx // as long as it takes
	command.Dir, command.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build kubectl's plugin: %w\n%s", err, output)
	}
	return path, nil
})

// terminal is a second one, beside that in which an apply runs.
type terminal struct {
	t    testing.TB
	path string
	args []string // of every command
}

func secondTerminal(c canary) terminal {
	c.test().Helper()
	path, err := plugin()
	if err != nil {
		c.test().Fatal(err)
	}
	return terminal{c.test(), path, []string{"--kubeconfig", c.kubeconfig, "-n", c.namespace}}
}

func (s terminal) command(args ...string) *exec.Cmd {
	return exec.CommandContext(s.t.Context(), s.path, append(args, s.args...)...) //nolint:gosec // the plugin
}

// says runs a command to its end, which must be a good one, and logs what it has said.
func (s terminal) says(args ...string) {
	s.t.Helper()
	output, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s ended with %v:\n%s", strings.Join(args, " "), err, output)
	}
	s.t.Logf("$ kubectl switchback %s\n%s", strings.Join(args, " "), output)
}

// screen is what a command shows that draws.
type screen struct {
	terminal
	socket string
}

// shown runs a command that draws, in a terminal of its own.
func (s terminal) shown(args ...string) screen {
	s.t.Helper()
	c := screen{s, filepath.Join(s.t.(interface{ TempDir() string }).TempDir(), "tmux")}
	command := s.command(args...)
	c.tmux(append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "140", "-y", "50"}, command.Args...)...)
	s.t.Cleanup(c.killed)
	return c
}

func (c screen) tmux(args ...string) string {
	c.t.Helper()
	output, err := exec.CommandContext(context.WithoutCancel(c.t.Context()), "tmux", append([]string{"-S", c.socket}, args...)...).CombinedOutput() //nolint:gosec // a test's words
	if err != nil {
		c.t.Fatalf("tmux (on Debian or Ubuntu, apt-get install tmux) %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// killed ends it without a chance to say goodbye.
func (c screen) killed() {
	_ = exec.CommandContext(context.WithoutCancel(c.t.Context()), "tmux", "-S", c.socket, "kill-server").Run() //nolint:gosec // a test's words
}

// shows waits for a frame with all of that in it.
func (c screen) shows(texts ...string) string {
	c.t.Helper()
	frame := ""
	testcluster.Eventually(c.t, testcluster.Hang, strings.Join(texts, ", ")+" in a frame", func() error {
		frame = c.tmux("capture-pane", "-p")
		for _, text := range texts {
			if !strings.Contains(frame, text) {
				return fmt.Errorf("there is no %q:\n%s", text, frame)
			}
		}
		return nil
	})
	return frame
}

// untilMoved waits until the other release's share was changed so many times.
func (c canary) untilMoved(times int) {
	c.test().Helper()
	testcluster.Eventually(c.test(), testcluster.Hang, fmt.Sprintf("%d changes of the weight", times), func() error {
		if n := len(c.moved()); n < times {
			return fmt.Errorf("there were %d", n)
		}
		return nil
	})
}

// tells says that a text is in what a CLI said, however it has broken the lines.
func tells(output, text string) bool {
	return strings.Contains(strings.Join(strings.Fields(output), " "), text)
}

// TestSecondTerminal follows a canary that an apply runs from another terminal, and holds
// it, lets it go on, aborts it, and rolls it back. Who follows may be killed: nothing
// changes. Terraform's next plan tells what was done, and the next apply leaves it so. No
// request fails.
func TestSecondTerminal(t *testing.T) {
	beside(t, loaded)
	c := newCanaryBy(t, `{ weight = 25, pause = "4m" }, { weight = 50, pause = "4m" }`, gateway(t, shared(t)))
	s := secondTerminal(c)
	watch := s.shown("watch", "web")
	watch.shows("web  ready", "main", "100%")

	x := c.startApply(c.v2)
	c.until(25)
	t.Logf("it shows\n%s", watch.shows("candidate", " 25%", "-> pause 4m", "ok shift 25%"))
	watch.killed()
	watch = s.shown("watch", "web")
	watch.shows("candidate", " 25%")
	s.says("hold", "web", "--yes", "--reason", "the latency looks odd")
	if output, err := x.wait(); err != nil || !tells(output, "the latency looks odd") {
		t.Fatalf("the apply that was held ended with %v:\n%s", err, output)
	}
	watch.shows("candidate", " 25%", "the latency looks odd")
	c.planIsEmpty(c.v2) // the state has it
	c.mustApply(c.v2)

	s.says("resume", "web", "--yes", "--reason", "it was the network")
	s.says("promote", "web", "--yes") // past the pause, which is not over
	x = c.startApply(c.v2)
	c.until(50) // the pause is over with that
	watch.shows("web  working  running", "candidate", " 50%", "ok shift 50%")
	pause(t, watched)
	s.says("abort", "web", "--yes", "--reason", "not today")
	if output, err := x.wait(); err == nil || !tells(output, "not today") {
		t.Errorf("the apply that was aborted ended with %v:\n%s", err, output)
	}
	c.until(0)
	watch.shows("main", "100%")

	x = c.startApply(c.v2)
	c.untilMoved(4)
	watch.shows("web  working  running", " 25%", "-> pause 4m")
	pause(t, watched)
	s.says("rollback", "web", "--yes", "--reason", "it answers with errors")
	if output, err := x.wait(); err == nil || !tells(output, "it answers with errors") {
		t.Errorf("the apply that was rolled back ended with %v:\n%s", err, output)
	}
	c.untilMoved(5)
	watch.shows("main", "100%")
	if _, output, err := c.plan(c.v2); err != nil || !tells(output, "it answers with errors") {
		t.Errorf("the plan does not tell that it was rolled back: %v\n%s", err, output)
	}
	unrelated := c.v2
	unrelated.keep = 2
	c.mustApply(unrelated)
	pause(t, watched)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	s.says("history", "web")
	c.load.draw(t, "second-terminal", "held, let go on, aborted at 50 %, and rolled back at 25 %: answers a second", answers, c.marks())
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(25, 50, 0, 25, 0)
	c.close()
}

// TestGuardTakesBack kills an apply where a bad release has a quarter of the traffic, and
// two of its three pods lose their readiness. A guard in another terminal gives all of the
// traffic back. What fails is what the release has answered itself.
func TestGuardTakesBack(t *testing.T) {
	beside(t, loaded)
	c := newCanaryBy(t, `{ weight = 25, pause = "4m" }`, gateway(t, shared(t)))
	bad := c.v2
	bad.replicas, bad.env = 3, map[string]string{"APP_TCP_PORT": bad.env["APP_TCP_PORT"], "APP_ERROR_RATE": "0.2"}
	x := c.startApply(bad)
	c.until(25)
	if err := x.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_, _ = x.wait()
	pause(t, watched)
	s := secondTerminal(c)
	guard := s.command("guard", "web", "--reason", "its apply was killed")
	var said bytes.Buffer
	guard.Stdout, guard.Stderr = &said, &said
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	pods := c.podsOf(c.sharer())
	if len(pods) != bad.replicas {
		t.Fatalf("v2 has %d pods", len(pods))
	}
	for _, pod := range pods[:2] {
		loseReadiness(t, pod.Status.PodIP)
	}
	lost := time.Now()
	returned := c.until(0)
	const tookBack = 4
	if _ = guard.Wait(); guard.ProcessState.ExitCode() != tookBack || !strings.Contains(said.String(), " ready, and it needs 2") {
		t.Errorf("the guard ended with %d, and says\n%s", guard.ProcessState.ExitCode(), said.String())
	}
	pause(t, watched)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("two of its pods were told to lose their readiness → all of the traffic was given back: %s", ms(lost, returned.asked))
	marks := append(c.marks(), mark{killed, "killed"}, mark{lost, "two pods are not ready"})
	c.load.draw(t, "guarded", "an apply is killed at 25 %, and a guard takes it back: answers a second", answers, marks)
	for i, a := range answers {
		if a.err != nil && a.version == "v2" {
			answers[i].err = nil // an answer as any other
		}
	}
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(25, 0)
	c.close()
}
