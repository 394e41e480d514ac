package provider

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
	s := newStream(func(e action.InvokeProgressEvent) { got = append(got, e.Message) })
	for i := range 100 {
		line := fmt.Sprint("line ", i)
		want = append(want, line)
		s.say(line)
	}
	s.end(t.Context())
	if !slices.Equal(got, want) {
		t.Errorf("sent %v", got)
	}
	s.say("too late")
}

// The framework blocks whoever sends progress that nobody takes any more. The
// work, which may hold an application's Lease, goes on.
func TestStreamNeverHoldsTheWorkUp(t *testing.T) {
	t.Parallel()
	blocked := make(chan struct{})
	defer close(blocked)
	s := newStream(func(action.InvokeProgressEvent) { <-blocked })
	for i := range 1000 {
		s.say(fmt.Sprint(i))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.end(gone)
}
