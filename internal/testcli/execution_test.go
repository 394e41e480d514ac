package testcli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// running is a command that makes a resource with a shell script, when that has
// said "it runs". The command is that of another test, of.
func running(t, of testing.TB, bound time.Duration, script string) *talking {
	t.Helper()
	w := testcli.New(t, testcli.Provider{})
	lines := make(chan string, 1000)
	w.Bound, w.Line = bound, func(line []byte) { lines <- string(line) }
	w.Write(t, "main.tf", fmt.Sprintf(`
resource "terraform_data" "script" {
  provisioner "local-exec" {
    command = %q
  }
}
`, script))
	x := &talking{w.Start(of, "apply", "-auto-approve", "-input=false", "-no-color"), lines}
	x.says(t, "(local-exec): it runs")
	return x
}

// talking is an execution that can be waited for to say something.
type talking struct {
	*testcli.Execution
	lines chan string
}

func (x *talking) says(t testing.TB, text string) {
	t.Helper()
	for {
		select {
		case line := <-x.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-x.Exited():
			if !strings.Contains(x.Output(), text) {
				t.Fatalf("it has not said %q:\n%s", text, x.Output())
			}
			return
		}
	}
}

// recorder is a test that is told of errors, and does not fail.
type recorder struct {
	testing.TB
	errors []error
}

func (r *recorder) Error(args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			r.errors = append(r.errors, err)
		}
	}
}

// gone waits until no process of the group is left: who was killed is there until
// its parent has heard of it.
func (x *talking) gone(t *testing.T) {
	t.Helper()
	tick, limit := time.NewTicker(10*time.Millisecond), time.NewTimer(time.Minute)
	defer tick.Stop()
	defer limit.Stop()
	for !errors.Is(x.Signal(0), syscall.ESRCH) {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("the process group %d is still there", x.Pid())
		}
	}
}

func TestHangIsEndedAndFailsItsTest(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	const bound = 20 * time.Second // in which any machine has come to where it hangs
	x := running(t, r, bound, "echo it runs; sleep 1000")
	err := x.Wait()
	if !errors.Is(err, testcli.ErrHung) || !strings.Contains(err.Error(), "it had not ended after "+bound.String()) || !strings.Contains(err.Error(), "it runs") {
		t.Errorf("it ended with %v", err)
	}
	if len(r.errors) != 1 || !errors.Is(r.errors[0], testcli.ErrHung) {
		t.Errorf("its test was told %v", r.errors)
	}
	if code := x.Code(); code != -1 {
		t.Errorf("its exit code is %d", code)
	}
	x.gone(t)
}

func TestFailureIsNoHang(t *testing.T) {
	t.Parallel()
	x := running(t, t, 0, "echo it runs; exit 7")
	err := x.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || errors.Is(err, testcli.ErrHung) || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("it ended with %v", err)
	}
	if code := x.Code(); code != 1 {
		t.Errorf("its exit code is %d", code)
	}
}

// Terraform does not care about SIGWINCH, and kills what it has started when it
// is interrupted itself.
func TestSignalReachesTheGroup(t *testing.T) {
	t.Parallel()
	x := running(t, t, 0, "trap 'echo it was told' WINCH; echo it runs; while :; do sleep 0.1; done")
	if err := x.Signal(syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	x.says(t, "(local-exec): it was told")
	if err := x.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	x.says(t, "Interrupt received")
	if err := x.Wait(); err == nil {
		t.Error("it succeeded")
	}
	x.gone(t)
}

func TestEndOfTheTestKillsTheGroup(t *testing.T) {
	t.Parallel()
	var x *talking
	t.Run("", func(t *testing.T) { x = running(t, t, 0, "trap '' INT TERM; echo it runs; sleep 1000") })
	select {
	case <-x.Exited():
	default:
		t.Error("the test's end has not waited")
	}
	if err := x.Wait(); err == nil || errors.Is(err, testcli.ErrHung) {
		t.Errorf("it ended with %v", err)
	}
	x.gone(t)
}

func TestEndOfTheTestKillsAProviderThatTheCLIHasLeft(t *testing.T) {
	t.Parallel()
	var x *talking
	t.Run("", func(t *testing.T) {
		x = running(t, t, 0, `sleep 1000 >/dev/null 2>&1 & echo $! >>"$SWITCHBACK_TEST_PROVIDERS"; echo it runs`)
		if err := x.Wait(); err != nil {
			t.Error(err)
		}
	})
	x.gone(t)
}

// A shell stands in for a provider: it writes its id down as Build's script does.
func TestProvidersAreKilledAndTheCLIIsSpared(t *testing.T) {
	t.Parallel()
	x := running(t, t, 0, `echo $$ >>"$SWITCHBACK_TEST_PROVIDERS"; echo it runs; exec sleep 1000`)
	if ids := x.Providers(); len(ids) != 1 || ids[0] == x.Pid() {
		t.Errorf("the providers are %v", ids)
	}
	if err := x.KillProviders(); err != nil {
		t.Fatal(err)
	}
	if err := x.Wait(); err == nil || x.Code() != 1 || !strings.Contains(x.Output(), "signal: killed") {
		t.Errorf("it ended with %v", err)
	}
	if err := x.KillProviders(); err == nil {
		t.Error("a provider was killed twice")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	w := testcli.New(t, testcli.Provider{})
	w.Write(t, "main.tf", `
resource "terraform_data" "one" {
  input = "something"
}
resource "terraform_data" "each" {
  for_each = toset(["a"])
}
check "fine" {
  assert {
    condition     = terraform_data.one.input == "else"
    error_message = "It is not."
  }
}
`)
	var heard []string
	w.Line = func(line []byte) { heard = append(heard, string(line)) }
	x := w.Start(t, "plan", "-json", "-input=false")
	if err := x.Wait(); err != nil {
		t.Fatal(err)
	}
	actions := x.Messages().Actions()
	if len(actions) != 2 || !slices.Equal(actions["terraform_data.one"], []string{"create"}) || !slices.Equal(actions[`terraform_data.each["a"]`], []string{"create"}) {
		t.Errorf("it plans %v", actions)
	}
	if found := x.Messages().Diagnostics(); len(found) != 1 || found[0].Severity != "warning" || found[0].Detail != "It is not." {
		t.Errorf("it says %+v", found)
	}
	if strings.Join(heard, "") != x.Output() || len(heard) < 4 {
		t.Errorf("it was heard to say %q", heard)
	}
}

// TestFreeze: nothing runs on when it returns.
func TestFreeze(t *testing.T) {
	t.Parallel()
	x := running(t, t, 0, "echo it runs; while :; do :; done")
	if err := x.Freeze(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" { // elsewhere, nothing tells
		wantStill(t, x.Pid())
	}
	if err := x.Kill(); err != nil {
		t.Error(err)
	}
	_ = x.Wait()
}

func wantStill(t *testing.T, id int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		t.Fatal(err)
	}
	if _, after, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(after, "T") {
		t.Errorf("it runs on: %s", stat)
	}
}
