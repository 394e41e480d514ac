package rollout

import (
	"context"
	"math"
	"time"
)

// await calls ready after every change in the view until it says so, fails, or
// the context ends. ready may ask to be called again after a while, for what
// time alone decides; 0 means only changes matter.
func await(ctx context.Context, view View, ready func() (done bool, again time.Duration, err error)) error {
	for {
		changed := view.Changed() // before reading, so that nothing is missed
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
