package cluster

import (
	"context"
	"sync"
)

// flights runs what several callers need at the same time once for all of them.
// What none of them waits for any more ends: an exec plugin must not outlive
// whom it was called for.
type flights struct {
	mu    sync.Mutex
	under map[string]*flight
}

// flight is one that is under way.
type flight struct {
	done    chan struct{}
	err     error
	waiting int
	end     context.CancelFunc
}

// join waits for the flight of this name, and starts it where there is none.
// base is what fn's context comes from: a caller's end is that caller's matter
// alone. done is false where ctx ended first.
func (f *flights) join(ctx, base context.Context, name string, fn func(context.Context) error) (done bool, err error) {
	f.mu.Lock()
	one := f.under[name]
	if one == nil {
		one = &flight{done: make(chan struct{})}
		var fly context.Context
		fly, one.end = context.WithCancel(base)
		if f.under == nil {
			f.under = map[string]*flight{}
		}
		f.under[name] = one
		go func() {
			one.err = fn(fly)
			one.end()
			f.mu.Lock()
			f.forget(name, one)
			f.mu.Unlock()
			close(one.done)
		}()
	}
	one.waiting++
	f.mu.Unlock()
	select {
	case <-one.done:
		return true, one.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if one.waiting--; one.waiting == 0 {
		f.forget(name, one)
		one.end()
	}
	return false, nil
}

// forget lets the next caller start anew. The caller holds the lock.
func (f *flights) forget(name string, one *flight) {
	if f.under[name] == one {
		delete(f.under, name)
	}
}
