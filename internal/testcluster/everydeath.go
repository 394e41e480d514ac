package testcluster

import (
	"fmt"
	"os"
	"testing"
)

// PointsEnv is the environment variable that says where something is cut off, as [Points].
const PointsEnv = "SWITCHBACK_TEST_POINTS"

// Points are the writes at which something is cut off: [Each], [All] or a [Part].
type Points string

// Where it is not said, it is Each.
const (
	Each Points = "each" // at each write, once: what may follow takes turns
	All  Points = "all"  // at each write, once for all that may follow
)

// Part is the i-th of n parts, such as "2/4": the second write, the sixth, and so on.
func Part(i, n int) Points { return Points(fmt.Sprintf("%d/%d", i, n)) }

// part is which part it is of how many; of one, where it is none.
func (p Points) part() (i, n int) {
	if _, err := fmt.Sscanf(string(p), "%d/%d", &i, &n); err != nil || n < 1 {
		return 0, 1
	}
	return i, n
}

// ThesePoints are those that the environment names.
func ThesePoints() Points { return Points(os.Getenv(PointsEnv)) }

// AllPoints says that what else takes turns has its turn at every point.
func AllPoints() bool { return ThesePoints() == All }

// Has says that the k-th write (the first is 1) is one of them. The last one that is
// known always is, and the one behind it, which must not be there.
func (p Points) Has(k, known int) bool {
	i, n := p.part()
	return k >= known || (k-i)%n == 0
}

// turn is which one of so many has its turn at the k-th write.
func (p Points) turn(k, of int) int {
	_, n := p.part()
	return k / n % of
}

// EveryDeathThen is [EveryDeath] where several things may follow: they take turns, so
// that each write is cut off at once, whatever there is that may follow. With [All],
// each of them follows every write.
func EveryDeathThen(t *testing.T, known int, ways []string, at func(t *testing.T, way, k int) (hit bool)) {
	t.Helper()
	if !AllPoints() {
		EveryDeath(t, known, func(t *testing.T, k int) bool {
			way := ThesePoints().turn(k, len(ways))
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
// disturbed. With a [Part], it is for the k of that.
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
			if !ThesePoints().Has(i+1, known) {
				continue
			}
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
