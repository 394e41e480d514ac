package testcluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestEveryDeathInLives: whatever is known, and however many lives there are, each
// write of each has its run, one run of each has met none, and no life is used by
// two at a time.
func TestEveryDeathInLives(t *testing.T) {
	t.Setenv(testcluster.PointsEnv, string(testcluster.Each))
	writes := []int{5, 2}
	for _, lives := range []int{1, 3, 20} {
		for _, known := range [][2]int{{0, 0}, {4, 2}, {5, 1}, {5, 2}} {
			var mu sync.Mutex
			var ran []string
			begun := 0
			type life struct{ busy sync.Mutex }
			cuts := []testcluster.Cut{{Name: "one", Writes: known[0]}, {Name: "other", Writes: known[1]}}
			begin := func(*testing.T) *life {
				mu.Lock()
				defer mu.Unlock()
				begun++
				return &life{}
			}
			testcluster.EveryDeathInLives(t, lives, cuts, begin, func(t *testing.T, l *life, i, k int) bool {
				if !l.busy.TryLock() {
					t.Error("somebody is in this life")
					return false
				}
				defer l.busy.Unlock()
				mu.Lock()
				defer mu.Unlock()
				ran = append(ran, fmt.Sprintf("%s %d", cuts[i].Name, k))
				return k <= writes[i]
			})
			slices.Sort(ran)
			if want := []string{"one 1", "one 2", "one 3", "one 4", "one 5", "one 6", "other 1", "other 2", "other 3"}; !slices.Equal(ran, want) {
				t.Errorf("with %v known, in %d lives, it ran %v, want %v", known, lives, ran, want)
			}
			if most := lives + 7; begun > most {
				t.Errorf("with %v known, there were %d lives, want at most %d", known, begun, most)
			}
		}
	}
}

// TestEveryDeathInLivesGoesRound: what one cut has done is where the next one of the
// same place begins.
func TestEveryDeathInLivesGoesRound(t *testing.T) {
	cuts := []testcluster.Cut{{Name: "stop", Writes: 4}, {Name: "start", Writes: 3}}
	for points, want := range map[testcluster.Points][]string{
		testcluster.Each:       {"stop 1", "start 1", "stop 2", "start 2", "stop 3", "start 3", "stop 4", "start 4", "stop 5"},
		testcluster.Part(1, 2): {"stop 1", "start 2", "stop 3", "start 3", "stop 4", "start 4", "stop 5"},
		testcluster.Part(2, 2): {"start 1", "stop 2", "start 3", "stop 4", "start 4", "stop 5"},
	} {
		t.Setenv(testcluster.PointsEnv, string(points))
		var ran []string
		testcluster.EveryDeathInLives(t, 1, cuts, func(*testing.T) int { return 0 }, func(_ *testing.T, _, i, k int) bool {
			ran = append(ran, fmt.Sprintf("%s %d", cuts[i].Name, k))
			return k <= cuts[i].Writes
		})
		if !slices.Equal(ran, want) {
			t.Errorf("%q: it ran %v, want %v", points, ran, want)
		}
	}
}
