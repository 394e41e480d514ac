package terminal_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/genericiooptions"

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

// TestWatchInATerminal: the live view follows a promotion that somebody else goes on with, and
// ends at q.
func TestWatchInATerminal(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	screen, tty := openTerminal(t, 140, 50)
	shown := &written{}
	go func() { _, _ = io.Copy(shown, screen) }()
	exit := make(chan terminal.Exit, 1)
	go func() {
		exit <- terminal.Run(t.Context(), "test", genericiooptions.IOStreams{In: tty, Out: tty, ErrOut: tty}, append([]string{"watch", "api"}, here...))
	}()
	until := func(text string) {
		t.Helper()
		testcluster.Eventually(t, testcluster.Hang, text, func() error {
			if all := ansi.Strip(shown.String()); !strings.Contains(all, text) {
				return fmt.Errorf("it shows %q", all[max(0, len(all)-4000):])
			}
			return nil
		})
	}
	until("q ends, and changes nothing")
	until(s.name("v1") + " -> " + s.name("v2") + ": step 5 of 9: pause manual, paused; ")
	until("█████░░░░░░░░░░░░░░░  25%")
	s.goOn()
	until("finalized")
	if _, err := screen.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if got := <-exit; got != terminal.ExitDone {
		t.Errorf("it ended with %d", got)
	}
	testcluster.Eventually(t, testcluster.Hang, "the terminal as it was", func() error {
		if !strings.Contains(shown.String(), "\x1b[?1049l") {
			return errors.New("it shows the view")
		}
		return nil
	})
}
