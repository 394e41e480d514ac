package session

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/action"
)

func TestStreamSendsEverythingInOrder(t *testing.T) {
	t.Parallel()
	var got, want []string
	s := NewStream(func(e action.InvokeProgressEvent) { got = append(got, e.Message) })
	for i := range 100 {
		line := fmt.Sprint("line ", i)
		want = append(want, line)
		s.Say(line)
	}
	s.End(t.Context())
	if !slices.Equal(got, want) {
		t.Errorf("sent %v", got)
	}
	s.Say("too late")
}

// The framework blocks whoever sends progress that nobody takes any more. The
// work, which may hold an application's Lease, goes on.
func TestStreamNeverHoldsTheWorkUp(t *testing.T) {
	t.Parallel()
	blocked := make(chan struct{})
	defer close(blocked)
	s := NewStream(func(action.InvokeProgressEvent) { <-blocked })
	for i := range 1000 {
		s.Say(fmt.Sprint(i))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.End(gone)
}
