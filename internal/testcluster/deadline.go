package testcluster

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Deadline is a context whose deadline comes when over is called: what a test
// says of a deadline then does not depend on how far a machine had come by some
// time. cause is the context's, as with [context.WithTimeoutCause].
func Deadline(t testing.TB, cause error) (ctx context.Context, over func()) {
	t.Helper()
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	inner, cancel := context.WithCancelCause(t.Context())
	d := &deadline{Context: inner, done: make(chan struct{})}
	var once sync.Once
	over = func() { once.Do(func() { cancel(cause); close(d.done) }) }
	t.Cleanup(over)
	return d, over
}

// deadline has a channel of its own: contexts made from it then ask it for its
// error, and not the one inside, which knows only cancels.
type deadline struct {
	context.Context
	done chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.done }

// Deadline is far away, as somebody's is who has enough time.
func (d *deadline) Deadline() (time.Time, bool) { return time.Now().Add(24 * time.Hour), true }

func (d *deadline) Err() error {
	select {
	case <-d.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
