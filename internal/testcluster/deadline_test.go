package testcluster_test

import (
	"context"
	"errors"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestDeadline: what is made from it ends as with a real one.
func TestDeadline(t *testing.T) {
	t.Parallel()
	late := errors.New("it is late")
	ctx, over := testcluster.Deadline(t, late)
	made, cancel := context.WithCancel(ctx)
	defer cancel()
	without := context.WithoutCancel(made)
	if _, ok := made.Deadline(); !ok || made.Err() != nil {
		t.Errorf("before it is over: %v", made.Err())
	}
	over()
	<-made.Done()
	for name, c := range map[string]context.Context{"itself": ctx, "made from it": made} {
		if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(c), late) {
			t.Errorf("%s: %v, because %v", name, c.Err(), context.Cause(c))
		}
	}
	if without.Err() != nil {
		t.Errorf("without a cancel: %v", without.Err())
	}
}
