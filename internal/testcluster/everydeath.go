package testcluster

import (
	"fmt"
	"os"
	"testing"
)

// pointsEnv is how often something is cut off: "all" is at each write once for all that
// may follow, nothing is at each write once.
const pointsEnv = "SWITCHBACK_TEST_POINTS"

// AllPoints says that what else takes turns has its turn at every point.
func AllPoints() bool { return os.Getenv(pointsEnv) == "all" }

// EveryDeathThen is [EveryDeath] where several things may follow: they take turns, so
// that each write is cut off at once, whatever there is that may follow. With
// [AllPoints], each of them follows every write.
func EveryDeathThen(t *testing.T, known int, ways []string, at func(t *testing.T, way, k int) (hit bool)) {
	t.Helper()
	if !AllPoints() {
		EveryDeath(t, known, func(t *testing.T, k int) bool {
			way := k % len(ways)
			t.Logf("then: %s", ways[way])
			return at(t, way, k)
		})
		return
	}
	for way, name := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			EveryDeath(t, known, func(t *testing.T, k int) bool { return at(t, way, k) })
		})
	}
}

// EveryDeath runs at for each k that something can be cut off at: after the
// first of its writes, the second, and so on, each as a subtest of its own. at
// says whether there was a k-th; what it says where there was none was not
// disturbed.
//
// As many as are known to be there are run side by side, with one more that must
// not be there. If it is, those that come after it follow one by one: all are
// run, however many more there have come to be. If there are fewer than known,
// the test fails.
func EveryDeath(t *testing.T, known int, at func(t *testing.T, k int) (hit bool)) {
	t.Helper()
	hits, ran := make([]bool, known+1), make([]bool, known+1)
	if !t.Run("after write", func(t *testing.T) {
		for i := range known + 1 {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				t.Parallel()
				hits[i] = at(t, i+1)
				ran[i] = true
			})
		}
	}) {
		return
	}
	for i, hit := range hits {
		if i < known && ran[i] && !hit {
			t.Errorf("it has no write %d, of the %d that are known", i+1, known)
		}
	}
	for k, more := known+2, hits[known]; more; k++ {
		more = false // where this one is not asked for
		if !t.Run(fmt.Sprintf("after write/%d", k), func(t *testing.T) { more = at(t, k) }) {
			return
		}
		if more {
			t.Logf("it has %d writes, of which only %d are known, and run side by side", k, known)
		}
	}
}
