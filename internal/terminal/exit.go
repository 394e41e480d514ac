package terminal

import (
	"errors"
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// Exit is the exit code of a command.
type Exit int

// Exit codes.
const (
	ExitDone       Exit = 0
	ExitFailed     Exit = 1
	ExitUsage      Exit = 2
	ExitIncomplete Exit = 3
	ExitNo         Exit = 4
)

// Exits lists every Exit.
func Exits() []Exit { return []Exit{ExitDone, ExitFailed, ExitUsage, ExitIncomplete, ExitNo} }

// Meaning says what the exit code means.
func (e Exit) Meaning() string {
	switch e {
	case ExitDone:
		return "The command did what it was asked for. Nothing found is no failure, but for what was named, and what is so already is done: `resume` of what is not paused, `stop` of what is stopped."
	case ExitFailed:
		return "It did not: what was named is not there, does not allow it, such as `hold` or `abort` where nothing is under way, or no cluster could be read. The last lines say why."
	case ExitUsage:
		return "The command line is wrong. Nothing was asked of any cluster."
	case ExitIncomplete:
		return "Some of the clusters, or of the logs, could not be read. What is shown is true, and without them."
	case ExitNo:
		return "The answer is no: something that was diagnosed is not healthy, a role that was named is not allowed, there is no way back for a runbook, guard has taken a promotion back, or nobody said yes to what would be changed. What it prints says what."
	}
	return ""
}

// exitError is an error that has an exit code of its own.
type exitError struct {
	exit Exit
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// usage is what is wrong with a command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{ExitUsage, err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// tell writes what went wrong and returns the exit code for it. It goes to the standard
// error, so that what is piped is as it should be.
func tell(w io.Writer, err error) Exit {
	if err == nil {
		return ExitDone
	}
	for _, one := range flatten(err) {
		if errors.Is(one, errNo) {
			continue // the standard output has said it
		}
		text := strings.TrimRight(mask.Redact(one.Error()), "\n")
		_, _ = fmt.Fprintln(w, "Error:", text) // there is nobody else to tell
	}
	if apierrors.IsForbidden(err) {
		_, _ = fmt.Fprintln(w, "What you may do there, and what each role lacks: kubectl switchback access")
	}
	var coded *exitError
	if errors.As(err, &coded) {
		return coded.exit
	}
	return ExitFailed
}

// flatten takes joined errors apart, each of which gets a line.
func flatten(err error) []error {
	if coded, ok := err.(*exitError); ok { //nolint:errorlint // this very one
		return flatten(coded.err)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, flatten(one)...)
	}
	return all
}
