package terminal_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// live is a command that goes on until somebody ends it.
type live struct {
	t         *testing.T
	out, errs written
	end       context.CancelFunc
	exit      chan terminal.Exit
}

// written is what a command has written so far.
type written struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// begin begins a command.
func begin(t *testing.T, args ...string) *live {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &live{t: t, end: cancel, exit: make(chan terminal.Exit, 1)}
	go func() {
		l.exit <- terminal.Run(ctx, "test", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &l.out, ErrOut: &l.errs}, args)
	}()
	t.Cleanup(cancel)
	return l
}

// until waits until it has written a text.
func (l *live) until(text string) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, text, func() error {
		if all := l.out.String() + l.errs.String(); !strings.Contains(squeezed(all), text) {
			return fmt.Errorf("it wrote\n%s", all)
		}
		return nil
	})
}

// ended waits until it has come to its end by itself.
func (l *live) ended() said {
	l.t.Helper()
	exit := <-l.exit
	return said{l.out.String(), l.errs.String(), exit}
}

// interrupted ends it, as Ctrl-C does.
func (l *live) interrupted() said {
	l.t.Helper()
	l.end()
	return l.ended()
}

// wantAtLeast is an error for fewer.
func wantAtLeast(got, want int) error {
	if got < want {
		return fmt.Errorf("there are %d of %d", got, want)
	}
	return nil
}
