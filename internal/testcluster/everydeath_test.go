package testcluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestEveryDeath: whatever is known, each write has its run, and one run has met
// none. Of a part, what is known to be the last has one all the same.
func TestEveryDeath(t *testing.T) {
	const writes = 5
	every := []int{1, 2, 3, 4, 5, 6}
	for _, test := range []struct {
		points testcluster.Points
		known  int
		want   []int
	}{
		{testcluster.Each, 0, every},
		{testcluster.Each, 1, every},
		{testcluster.Each, 4, every},
		{testcluster.Each, 5, every},
		{testcluster.All, 5, every},
		{testcluster.Part(1, 2), 0, every},
		{testcluster.Part(1, 2), 4, []int{1, 3, 4, 5, 6}},
		{testcluster.Part(1, 2), 5, []int{1, 3, 5, 6}},
		{testcluster.Part(2, 2), 4, []int{2, 4, 5, 6}},
		{testcluster.Part(2, 2), 5, []int{2, 4, 5, 6}},
		{testcluster.Part(1, 4), 4, []int{1, 4, 5, 6}},
		{testcluster.Part(3, 4), 5, []int{3, 5, 6}},
		{testcluster.Part(4, 4), 5, []int{4, 5, 6}},
	} {
		t.Setenv(testcluster.PointsEnv, string(test.points))
		var mu sync.Mutex
		var ran []int
		testcluster.EveryDeath(t, test.known, func(_ *testing.T, k int) bool {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, k)
			return k <= writes
		})
		slices.Sort(ran)
		if !slices.Equal(ran, test.want) {
			t.Errorf("%q, with %d known: it ran %v, want %v", test.points, test.known, ran, test.want)
		}
	}
}

// TestEveryDeathThen: all that may follow has its turn, also where only some
// writes are cut off.
func TestEveryDeathThen(t *testing.T) {
	ways := []string{"again", "back", "gone"}
	for points, want := range map[testcluster.Points][]string{
		testcluster.Each:       {"1 back", "2 gone", "3 again", "4 back", "5 gone", "6 again", "7 back"},
		testcluster.Part(1, 2): {"1 again", "3 back", "5 gone", "6 again", "7 again"},
		testcluster.Part(2, 2): {"2 back", "4 gone", "6 again", "7 again"},
	} {
		t.Setenv(testcluster.PointsEnv, string(points))
		var mu sync.Mutex
		var ran []string
		testcluster.EveryDeathThen(t, 6, ways, func(_ *testing.T, way, k int) bool {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, fmt.Sprint(k, " ", ways[way]))
			return k <= 6
		})
		slices.Sort(ran)
		if !slices.Equal(ran, want) {
			t.Errorf("%q: it ran %q, want %q", points, ran, want)
		}
	}
}
