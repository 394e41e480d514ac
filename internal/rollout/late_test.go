package rollout_test

import (
	"context"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// late does something again and again, with twice as much time each time, until
// it has come to where its time was to end: a busy machine needs more for that.
func late(t *testing.T, first time.Duration, do func(limit time.Duration) (came bool)) {
	t.Helper()
	for limit := first; !do(limit); limit *= 2 {
		if limit > testcluster.Hang {
			t.Fatalf("within %s it has not come to where its time was to end", limit)
		}
	}
}

// until is a context that ends after a while, because of cause.
func until(t *testing.T, limit time.Duration, cause error) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, cause)
	t.Cleanup(cancel)
	return ctx
}
