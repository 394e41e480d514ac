package testcluster_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestEveryDeath: whatever is known, each write has its run, and one run has met
// none.
func TestEveryDeath(t *testing.T) {
	t.Parallel()
	const writes = 5
	for _, known := range []int{0, 1, 4, 5} {
		var mu sync.Mutex
		var ran []int
		testcluster.EveryDeath(t, known, func(_ *testing.T, k int) bool {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, k)
			return k <= writes
		})
		slices.Sort(ran)
		if want := []int{1, 2, 3, 4, 5, 6}; !slices.Equal(ran, want) {
			t.Errorf("with %d known, it ran %v, want %v", known, ran, want)
		}
	}
}
