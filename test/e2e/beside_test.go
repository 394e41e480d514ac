//go:build e2e

package e2e_test

import (
	"runtime"
	"testing"

	"golang.org/x/sync/semaphore"
)

// What a test costs the machine while it runs beside others, in tests that
// release something on the shared cluster and wait for it.
const (
	light  = 1
	loaded = 4 // hundreds of requests a second, of which none may fail
	ownOne = 2 // a control plane, a kubelet and a containerd of its own
)

// bears is what the machine bears at once. Beyond that, probes time out, nodes
// are not ready, and what is red says nothing about the provider.
var bears = max(6, 3*int64(runtime.NumCPU()))

var machine = semaphore.NewWeighted(bears)

// beside lets a test run beside others, as soon as the machine bears it. It comes
// first in a test: what waits here has nothing yet. A test that has called it has
// no subtests that do, or they wait for one another.
func beside(t *testing.T, cost int64) {
	t.Helper()
	t.Parallel()
	if err := machine.Acquire(t.Context(), min(cost, bears)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { machine.Release(min(cost, bears)) })
}
