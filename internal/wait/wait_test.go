package wait_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// never changes.
type never struct{}

func (never) Changed() <-chan struct{} { return nil }

// changes is one change after the other.
type changes struct{ next chan struct{} }

func (c *changes) Changed() <-chan struct{} { return c.next }

func (c *changes) happen() {
	was := c.next
	c.next = make(chan struct{})
	close(was)
}

var errOver = errors.New("it is over")

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := wait.For(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errOver)
		defer cancel()
		if err := wait.For(ctx, time.Minute); !errors.Is(err, errOver) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// TestUntil: ready is asked at once, after each change, and after the time that it
// has asked for.
func TestUntil(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, count := &changes{next: make(chan struct{})}, new(atomic.Int32) // what time alone wakes up is not ordered after what has read it
		ended := make(chan error)
		go func() {
			ended <- wait.Until(t.Context(), c, func() (bool, time.Duration, error) {
				asked := count.Add(1)
				return asked == 4, map[int32]time.Duration{2: time.Hour}[asked], nil
			})
		}()
		synctest.Wait()
		if asked := count.Load(); asked != 1 {
			t.Errorf("asked %d times before anything has changed", asked)
		}
		c.happen()
		synctest.Wait()
		if asked := count.Load(); asked != 2 {
			t.Errorf("asked %d times after one change", asked)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if asked := count.Load(); asked != 3 {
			t.Errorf("asked %d times after the time that it asked for", asked)
		}
		c.happen()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestUntilEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errOver)
		defer cancel()
		notYet := func() (bool, time.Duration, error) { return false, 0, nil }
		if err := wait.Until(ctx, never{}, notYet); !errors.Is(err, errOver) {
			t.Errorf("it ends with %v", err)
		}
		fails := func() (bool, time.Duration, error) { return false, time.Second, errOver }
		if err := wait.Until(t.Context(), never{}, fails); !errors.Is(err, errOver) {
			t.Errorf("it ends with %v", err)
		}
	})
}
