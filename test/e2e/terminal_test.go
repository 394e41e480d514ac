//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
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
	asked := time.Now()
	s.says("hold", "web", "--yes", "--reason", "the latency looks odd")
	t.Logf("hold, from the command's start to its end: %s", ms(asked, time.Now()))
	if output, err := x.wait(); err != nil || !tells(output, "the latency looks odd") {
		t.Fatalf("the apply that was held ended with %v:\n%s", err, output)
	}
	watch.shows("candidate", " 25%", "the latency looks odd")
	if changes, output, err := c.plan(c.v2); err != nil || changes || !tells(output, "Promotion is held") || !tells(output, "the latency looks odd") {
		t.Errorf("the plan of what is held changes something (%t), or does not say who holds it: %v\n%s", changes, err, output)
	}
	c.mustApply(c.v2)

	s.says("resume", "web", "--yes", "--reason", "it was the network")
	s.says("promote", "web", "--yes") // past the pause, which is not over
	x = c.startApply(c.v2)
	c.until(50) // the pause is over with that
	watch.shows("web  working  running", "candidate", " 50%", "ok shift 50%")
	pause(t, watched)
	asked = time.Now()
	s.says("abort", "web", "--yes", "--reason", "not today")
	t.Logf("abort, from the command's start until the traffic is back: %s", ms(asked, c.until(0).asked))
	if output, err := x.wait(); err == nil || !tells(output, "not today") {
		t.Errorf("the apply that was aborted ended with %v:\n%s", err, output)
	}
	watch.shows("main", "100%")

	x = c.startApply(c.v2)
	c.untilMoved(4)
	watch.shows("web  working  running", " 25%", "-> pause 4m")
	pause(t, watched)
	asked = time.Now()
	s.says("rollback", "web", "--yes", "--reason", "it answers with errors")
	t.Logf("rollback, from the command's start to its end: %s", ms(asked, time.Now()))
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

// guard is the Job that guards a canary, by the manifest that the plugin prints, as who
// has the roles of SECURITY.md that it takes.
type guard struct{ canary }

// guarded starts one.
func (c canary) guarded(by terminal, args ...string) guard {
	t := c.test()
	t.Helper()
	image, err := c.cluster.PushProgram(t.Context(), by.path, "shop/kubectl-switchback:test")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, role := range []cluster.Feature{
		cluster.FeatureRefresh, cluster.FeatureDeploy, cluster.FeaturePromote, cluster.FeatureTerminate, cluster.FeatureLock, cluster.FeatureHTTPRoute, cluster.FeatureDiagnose,
	} {
		needed, _ := role.Rules()
		for _, r := range needed {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: r.Resources, Verbs: r.Verbs})
		}
	}
	account := testcluster.Shared(t).RestrictedAccount(t, c.namespace, rules)
	manifest, err := by.command(append(args, "--print-job", "--image", image, "--service-account", account)...).Output()
	if err != nil {
		t.Fatalf("the Job's manifest: %v", err)
	}
	create := c.cluster.Kubectl(t.Context(), "create", "-f", "-")
	create.Stdin = bytes.NewReader(manifest)
	if output, err := create.CombinedOutput(); err != nil {
		t.Fatalf("create the Job: %v\n%s", err, output)
	}
	return guard{c}
}

// pod is the Job's one, and what it has said.
func (g guard) pod() (corev1.Pod, string, error) {
	ctx, pods := g.test().Context(), g.cluster.Client().CoreV1().Pods(g.namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: release.LabelName + "=kubectl-switchback"})
	if err != nil {
		return corev1.Pod{}, "", err
	}
	if len(list.Items) != 1 {
		return corev1.Pod{}, "", fmt.Errorf("it has %d pods", len(list.Items))
	}
	said, err := pods.GetLogs(list.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	return list.Items[0], string(said), err
}

// until waits until it has said something.
func (g guard) until(text string) {
	g.test().Helper()
	testcluster.Eventually(g.test(), testcluster.Hang, "a guard that says "+text, func() error {
		switch pod, said, err := g.pod(); {
		case err != nil:
			return err
		case !strings.Contains(said, text):
			return fmt.Errorf("its pod is %s, and has said %q: %+v", pod.Status.Phase, said, pod.Status.ContainerStatuses)
		}
		return nil
	})
}

// ended waits until the Job has failed for good, and is its program's exit code and what it
// has said.
func (g guard) ended() (code int32, said string) {
	g.test().Helper()
	testcluster.Eventually(g.test(), testcluster.Hang, "a Job that has failed", func() error {
		jobs, err := g.cluster.Client().BatchV1().Jobs(g.namespace).List(g.test().Context(), metav1.ListOptions{LabelSelector: release.LabelName + "=kubectl-switchback"})
		if err != nil {
			return err
		}
		failed := func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobFailed && c.Reason == batchv1.JobReasonPodFailurePolicy
		}
		if len(jobs.Items) != 1 || !slices.ContainsFunc(jobs.Items[0].Status.Conditions, failed) {
			return fmt.Errorf("of %d Jobs, the first is %+v", len(jobs.Items), jobs.Items)
		}
		pod, text, err := g.pod()
		if err != nil {
			return err
		}
		if len(pod.Status.ContainerStatuses) != 1 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
			return fmt.Errorf("its pod is %+v", pod.Status)
		}
		code, said = pod.Status.ContainerStatuses[0].State.Terminated.ExitCode, text
		return nil
	})
	return code, said
}

// TestGuardTakesBack kills an apply where a bad release has a quarter of the traffic, and
// two of its three pods lose their readiness. A guard that runs as a Job in the cluster gives
// all of the traffic back. What fails is what the release has answered itself.
func TestGuardTakesBack(t *testing.T) {
	beside(t, loaded)
	c := newCanaryBy(t, `{ weight = 25, pause = "4m" }`, gateway(t, shared(t)))
	s := secondTerminal(c)
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
	guard := c.guarded(s, "guard", "web", "--reason", "its apply was killed")
	guard.until("watching " + c.sharer())
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
	if code, said := guard.ended(); code != tookBack || !strings.Contains(said, " ready, and it needs 2") {
		t.Errorf("the guard ended with %d, and says\n%s", code, said)
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
