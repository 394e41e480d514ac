package explain

import (
	"fmt"
	"time"
)

// TimeoutError is why an operation's context ended: its deadline, not a cancel.
type TimeoutError struct {
	limit   time.Duration
	setting string
}

// TimedOut is the cause of an operation whose time, which setting gives, is over.
func TimedOut(limit time.Duration, setting string) error {
	return &TimeoutError{limit: limit, setting: setting}
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("it was not done within %s, which is `%s`", e.limit, e.setting)
}

// keptError is a cluster that something was to be taken from and that is away.
type keptError struct{ error }

// Kept says that a cluster which cannot be reached is not forgotten.
func Kept(err error) error { return &keptError{err} }

func (e *keptError) Unwrap() error { return e.error }

// vouchedError is a cluster that only a proxy says is away: it may be well, and is not
// forgotten, although it might be.
type vouchedError struct{ error }

// Vouched says that a cluster is not forgotten because only a proxy says that it is away.
func Vouched(err error) error { return &vouchedError{err} }

func (e *vouchedError) Unwrap() error { return e.error }
