package wait

import (
	"context"
	"math"
	"time"
)

// Changes tells that something has changed.
type Changes interface {
	// Changed is closed at the next change. Take it before reading, wait on it
	// after.
	Changed() <-chan struct{}
}

// For waits for d or for the context.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Until calls ready after every change until it says so, fails, or the context
// ends. ready may ask to be called again after a while, for what time alone
// decides; 0 means only changes matter.
func Until(ctx context.Context, changes Changes, ready func() (done bool, again time.Duration, err error)) error {
	for {
		changed := changes.Changed() // before reading, so that nothing is missed
		done, again, err := ready()
		if done || err != nil {
			return err
		}
		if again <= 0 {
			again = math.MaxInt64
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
