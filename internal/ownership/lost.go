package ownership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ErrLockLost is what every LockLostError is.
var ErrLockLost = errors.New("another process took the application's Lease over, because it saw no sign of life from this one")

// LockLostError is the cause of a context whose Lease somebody else has taken.
// It is an ErrLockLost.
type LockLostError struct {
	Cluster, Namespace, Application string
	Holder                          string // who has it now; empty: nobody any more
}

func (e *LockLostError) Error() string {
	by := "another process, which has let it go since,"
	if e.Holder != "" {
		by = e.Holder
	}
	return fmt.Sprintf("%s took the Lease of the application %s/%s on cluster %q over, because it saw no sign of life from this one", by, e.Namespace, e.Application, e.Cluster)
}

// Is makes every LockLostError an ErrLockLost.
func (e *LockLostError) Is(target error) bool { return target == ErrLockLost }

// LockedError says who holds an application's Lease when waiting for it ended.
type LockedError struct {
	Cluster, Namespace, Application, Holder string
	Waited                                  time.Duration
	Err                                     error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the application %s/%s on cluster %q is being changed by %s; waited %s for it: %v",
		e.Namespace, e.Application, e.Cluster, e.Holder, e.Waited.Round(time.Second), e.Err)
}

func (e *LockedError) Unwrap() error { return e.Err }

// HolderError says that waiting for somebody else's work on a release ended.
type HolderError struct {
	release.ClaimError
	Err error
}

func (e *HolderError) Error() string { return fmt.Sprintf("%s: %v", e.ClaimError.Error(), e.Err) }

func (e *HolderError) Unwrap() error { return e.Err }

// Interrupted says that the user's Ctrl-C has ended ctx: not a deadline, nor a
// request to cancel, nor that somebody else has taken over what this run was at
// work on. All of these but the deadline look alike in ctx.Err.
func Interrupted(ctx context.Context) bool {
	return CalledOff(ctx) && errors.Is(context.Cause(ctx), context.Canceled)
}

// CalledOff says that something other than a deadline has ended ctx.
func CalledOff(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// Lost is why an operation has nothing to say any more: somebody else has taken
// over its Lease or its release. Nil where nobody has.
func Lost(ctx context.Context, err error) error {
	for _, err := range []error{err, context.Cause(ctx)} {
		var lease *LockLostError
		var claim *release.TakenOverError
		switch {
		case errors.As(err, &lease):
			return lease
		case errors.As(err, &claim):
			return claim
		}
	}
	return nil
}

// LeaseLost says that an operation has lost the Lease that it runs under: then
// it writes nothing more.
func LeaseLost(ctx context.Context, err error) *LockLostError {
	var lost *LockLostError
	if errors.As(context.Cause(ctx), &lost) || errors.As(err, &lost) {
		return lost
	}
	return nil
}
