package terminal_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// openTerminal is a terminal of so many columns and lines, and what it shows.
func openTerminal(t *testing.T, columns, lines uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return screen, tty
}

// inTerminal runs a command that writes to a terminal.
func inTerminal(t *testing.T, args ...string) said {
	t.Helper()
	screen, tty := openTerminal(t, 120, 40)
	shown := make(chan string)
	go func() {
		all, _ := io.ReadAll(screen) // ends with an error when nobody has it open any more
		shown <- string(all)
	}()
	exit := terminal.Run(t.Context(), "test", genericiooptions.IOStreams{In: tty, Out: tty, ErrOut: tty}, args)
	_ = tty.Close()
	return said{out: strings.ReplaceAll(<-shown, "\r\n", "\n"), exit: exit}
}

// TestLogsInATerminal: what is bad has a colour there.
func TestLogsInATerminal(t *testing.T) {
	t.Parallel()
	a := talk(t)
	v1 := a.starts("v1")
	a.says(v1, "api", 0, "ERROR no database")
	shown := inTerminal(t, append([]string{"logs", "api"}, a.here...)...)
	if shown.exit != terminal.ExitDone || !strings.Contains(shown.out, "\x1b[31mERROR no database\x1b[0m") {
		t.Errorf("it ended with %d and wrote %q", shown.exit, shown.out)
	}
}

// TestNoColor: whoever wants no colours gets none, also in a terminal.
func TestNoColor(t *testing.T) {
	a := talk(t)
	a.says(a.starts("v1"), "api", 0, "ERROR no database")
	for _, variable := range []struct{ name, value string }{{"NO_COLOR", "1"}, {"TERM", "dumb"}} {
		t.Run(variable.name, func(t *testing.T) {
			t.Setenv(variable.name, variable.value)
			if shown := inTerminal(t, append([]string{"logs", "api"}, a.here...)...); shown.exit != terminal.ExitDone || !strings.Contains(shown.out, "ERROR no database") || strings.Contains(shown.out, "\x1b") {
				t.Errorf("it ended with %d and wrote %q", shown.exit, shown.out)
			}
		})
	}
}

// view is a command that draws in a terminal until q is pressed there.
type view struct {
	t      *testing.T
	screen *os.File
	shown  *written
	exit   chan terminal.Exit
}

// opens begins one.
func opens(t *testing.T, args ...string) *view {
	t.Helper()
	screen, tty := openTerminal(t, 140, 50)
	v := &view{t, screen, &written{}, make(chan terminal.Exit, 1)}
	go func() { _, _ = io.Copy(v.shown, screen) }()
	go func() {
		v.exit <- terminal.Run(t.Context(), "test", genericiooptions.IOStreams{In: tty, Out: tty, ErrOut: tty}, args)
	}()
	return v
}

// all is what it has drawn so far.
func (v *view) all() string { return ansi.Strip(v.shown.String()) }

// until waits until it has drawn a text.
func (v *view) until(text string) {
	v.t.Helper()
	testcluster.Eventually(v.t, testcluster.Hang, text, func() error {
		if all := v.all(); !strings.Contains(all, text) {
			return fmt.Errorf("it shows %q", all[max(0, len(all)-4000):])
		}
		return nil
	})
}

// quits presses q, after which the terminal is as it was.
func (v *view) quits() {
	v.t.Helper()
	if _, err := v.screen.WriteString("q"); err != nil {
		v.t.Fatal(err)
	}
	if got := <-v.exit; got != terminal.ExitDone {
		v.t.Errorf("it ended with %d", got)
	}
	testcluster.Eventually(v.t, testcluster.Hang, "the terminal as it was", func() error {
		if !strings.Contains(v.shown.String(), "\x1b[?1049l") {
			return errors.New("it shows the view")
		}
		return nil
	})
}

// TestWatchInATerminal: the live view follows a promotion that somebody else goes on with, and
// ends at q.
func TestWatchInATerminal(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	watch := opens(t, append([]string{"watch", "api"}, here...)...)
	watch.until("q ends, and changes nothing")
	watch.until(s.name("v1") + " -> " + s.name("v2") + ": step 5 of 9: pause manual, paused; ")
	watch.until("█████░░░░░░░░░░░░░░░  25%")
	s.goOn()
	watch.until("finalized")
	watch.quits()
}

// frame is the first one that a command draws.
func frame(t *testing.T, args ...string) string {
	t.Helper()
	v := opens(t, args...)
	v.until("q ends, and changes nothing")
	v.quits() // so that all of it is there
	return v.all()
}

// TestWatchOfSome: a group, and several names, over two clusters: what is theirs is shown, of
// both clusters, with what these say about it, and nothing else of the namespace.
func TestWatchOfSome(t *testing.T) {
	t.Parallel()
	both := testcluster.Clusters(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	kubeconfigs := map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath}
	here := []string{"--kubeconfig", testcluster.Contexts(t, namespace, kubeconfigs), "--contexts", "eu,us"}
	shops := map[string]*shop{}
	for app, group := range map[string]string{"api": "shop", "web": "shop", "mail": ""} {
		s := shopOn(t, namespace, kubeconfigs)
		if s.app = app; group != "" {
			s.member = rollout.Member{Group: group, Name: app}
		}
		s.deploy("v1")
		s.promote("v1")
		shops[app] = s
	}
	of := map[string][]string{"group": {"watch", "--group", "shop"}, "names": {"watch", "web", "mail"}}
	members := map[string][]string{"group": {"api", "web"}, "names": {"web", "mail"}}
	told := map[string]*live{}
	for name, args := range of {
		told[name] = begin(t, append(args, here...)...)
		for _, app := range members[name] {
			told[name].until(app + " is ready: " + shops[app].name("v1"))
		}
	}
	for _, app := range []string{"mail", "web"} {
		shops[app].deploy("v2")
		shops[app].promote("v2")
	}
	told["group"].until("web is ready: " + shops["web"].name("v2"))
	told["names"].until("mail is ready: " + shops["mail"].name("v2"))
	for name, args := range of {
		testcluster.Eventually(t, testcluster.Hang, "a frame with what both clusters say", func() error {
			shown := frame(t, append(args, here...)...)
			for _, text := range []string{" eu Finalized Service/web: ", " us Finalized Service/web: ", "eu/" + shops["web"].name("v2"), "us/" + shops["web"].name("v1")} {
				if !strings.Contains(shown, text) {
					return fmt.Errorf("there is no %q:\n%s", text, shown)
				}
			}
			for app, s := range shops {
				if strings.Contains(shown+told[name].out.String(), s.name("v1")) != slices.Contains(members[name], app) {
					t.Fatalf("of %s, it shows\n%s\nand has told\n%s", members[name], shown, told[name].out.String())
				}
			}
			return nil
		})
		told[name].interrupted().wants(t, terminal.ExitDone)
	}
}
