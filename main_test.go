package main

import (
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestTiming: nothing linked is what users have, and what is linked wrongly does
// not start.
func TestTiming(t *testing.T) {
	t.Parallel()
	if timing != "" {
		t.Errorf("it is linked with %q", timing)
	}
	users := rollout.DefaultTiming()
	hasty := users
	hasty.Expiry, hasty.Settle, hasty.Cleanup = 2*time.Second, time.Hour, time.Minute
	hasty.Beat, hasty.Poll = 533333333, 200*time.Millisecond // as many beats as before
	patient := users
	patient.Patience = time.Minute
	for changes, want := range map[string]rollout.Timing{"": users, "expiry=2s cleanup=1m settle=1h": hasty, "patience=1m": patient} {
		if got, err := timed(changes); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", changes, got, err, want)
		}
	}
	for _, wrong := range []string{"2s", "expiry", "expiry=2", "expiry=500ms", "expiry=2500ms", "expiry=0s", "settle=-1s", "grace=1s"} {
		if got, err := timed(wrong); err == nil {
			t.Errorf("%q: %+v", wrong, got)
		}
	}
}
