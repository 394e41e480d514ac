//go:build bench

package bench_test

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

// told is what a failed apply said, and when.
type told struct {
	began    time.Time // the provider was asked to create
	returned time.Time // the provider had failed
	reported time.Time // the error was printed
	summary  string
	detail   string
}

// beginning is held by the one apply that starts: what a CLI and its providers
// take of the processors then is most of what they take at all, and would be
// measured by the others.
var beginning sync.Mutex

// apply applies a configuration that cannot work. It stamps every line of the
// output as it comes.
func apply(t *testing.T, configuration string) (told, error) {
	w := testcli.New(t, here.providers)
	w.Write(t, "main.tf", configuration)
	var said told
	begun := sync.OnceFunc(beginning.Unlock)
	w.Line = func(line []byte) { said.hear(line, begun) }
	beginning.Lock()
	defer begun()
	x := w.Start(t, "apply", "-auto-approve", "-input=false", "-json")
	err := x.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !errors.Is(err, testcli.ErrHung) {
		err = nil // as it should
	}
	if err == nil && (said.began.IsZero() || said.returned.IsZero() || said.reported.IsZero()) {
		err = fmt.Errorf("it did not fail as was expected\n%s", x.Output())
	}
	return said, err
}

// hear takes a line of the output. begun is called when the provider was asked to
// create.
func (t *told) hear(line []byte, begun func()) {
	now := time.Now()
	m, ok := testcli.ParseMessage(line)
	switch {
	case !ok:
	case m.Type == "apply_start" && t.began.IsZero():
		t.began = now
		begun()
	case m.Type == "apply_errored" && t.returned.IsZero():
		t.returned = now
	case m.Type == "diagnostic" && m.Diagnostic.Severity == "error" && t.reported.IsZero():
		t.reported, t.summary, t.detail = now, m.Diagnostic.Summary, m.Diagnostic.Detail
	}
}
