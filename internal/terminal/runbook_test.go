package terminal_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// byHand are the lines of a runbook that take nothing but kubectl.
func byHand(t *testing.T, s said) (lines []string) {
	t.Helper()
	var book terminal.Runbook
	decode(t, s, &book)
	for _, way := range book.Ways {
		if way.With != "kubectl" {
			continue
		}
		for _, step := range way.Steps {
			lines = append(lines, step.Lines...)
		}
	}
	return lines
}

// kubectl is the directory of the kubectl that end-to-end tests have, too: whether there is
// another one on the machine changes nothing.
func kubectl(t *testing.T) string {
	t.Helper()
	program, err := devtools.Devnode.Build(t.Context(), os.Stderr)
	dir := t.TempDir()
	if err = errors.Join(err, os.Symlink(program, filepath.Join(dir, "kubectl"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// doByHand does what the lines say, as they stand there.
func doByHand(t *testing.T, lines ...string) {
	t.Helper()
	path := "PATH=" + kubectl(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, line := range lines {
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Env = append(os.Environ(), path)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// TestRunbook: the lines are for the state that the application is in, and do what they say.
func TestRunbook(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("runbook", "api").wants(t, terminal.ExitFailed, `application "api" not found`)
	s.deploy("v1")
	do("runbook", "api").wants(t, terminal.ExitNo, "There is no way back: there is no main deployment of "+s.namespace+"/api on any cluster")
	s.promote("v1")
	do("runbook", "api").wants(t, terminal.ExitNo, "There is no way back: ", "no deployment was main before "+s.name("v1"))
	s.deploy("v2")
	s.promote("v2")
	do("runbook", "api").wants(t, terminal.ExitDone,
		"# Going back is from "+s.name("v2")+" to "+s.name("v1")+" (v1).\n", "so that the version is v1, and apply", `deployment_id = "`+s.namespace+"/"+s.name("v1")+`"`,
		"terraform apply -invoke=action.switchback_rollback.api\n", "patch service api --type merge --patch '", "# Then: The configuration still asks")

	if _, err := s.engine.Stop(t.Context(), rollout.ActionRequest{ID: release.ID{Namespace: s.namespace, Name: s.name("v1")}, Clusters: s.on}); err != nil {
		t.Fatal(err)
	}
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) != 3 || !strings.Contains(lines[0], " scale deployment "+s.name("v1")+" --replicas=1") || !strings.Contains(lines[1], " rollout status deployment "+s.name("v1")) {
		t.Errorf("from a release that has no pods, it is %q", lines)
	}
	doByHand(t, lines...)
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 ", " 100% 1/1 ")
}

// TestRunbookOfACanary: a route goes back, too, and whoever promotes is asked to, first.
func TestRunbookOfACanary(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) != 2 || !strings.Contains(lines[0], " patch httproute api --type json --patch '") {
		t.Fatalf("in a pause, it is %q", lines)
	}
	doByHand(t, lines...)
	testcluster.Eventually(t, testcluster.Hang, "the traffic is back", func() error {
		if now := do("get", "api"); !strings.Contains(squeezed(now.out), s.name("v1")+" main v1 started 100%") {
			return errors.New(now.out)
		}
		return nil
	})
}

// TestRunbookWhileSomebodyPromotes: the first line makes them take it back.
func TestRunbookWhileSomebodyPromotes(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	s.deploy("v3")
	s.Steps = []release.CanaryStep{{Weight: 10, Pause: time.Hour}}
	req := s.request("v3")
	watched := make(chan struct{})
	req.Progress = func(line string) {
		if strings.HasPrefix(line, "watching "+s.name("v3")) {
			close(watched)
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.engine.Promote(t.Context(), req)
		ended <- err
	}()
	<-watched
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) < 2 || !strings.Contains(lines[0], " patch configmap api-switchback --type merge --patch '") {
		t.Fatalf("while somebody promotes, it is %q", lines)
	}
	doByHand(t, lines[0])
	var asked *release.AskedBackError
	if err := <-ended; !errors.As(err, &asked) {
		t.Errorf("the promotion ends with %v", err)
	}
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}
