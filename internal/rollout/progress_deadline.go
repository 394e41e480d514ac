package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// progressError says that the user's own limit for becoming healthy has passed.
type progressError struct{ limit time.Duration }

func (e *progressError) Error() string {
	return fmt.Sprintf("health.progress_deadline (%s) has passed", release.DurationText(e.limit))
}

// withinProgressDeadline bounds a wait for pods by what the user typed.
func withinProgressDeadline(ctx context.Context, h release.Health) (context.Context, context.CancelFunc) {
	if h.ProgressDeadline <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, h.ProgressDeadline, &progressError{h.ProgressDeadline})
}
