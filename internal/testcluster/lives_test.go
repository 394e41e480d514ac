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
	t.Parallel()
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
	t.Parallel()
	var ran []string
	cuts := []testcluster.Cut{{Name: "stop", Writes: 2}, {Name: "start", Writes: 1}}
	testcluster.EveryDeathInLives(t, 1, cuts, func(*testing.T) int { return 0 }, func(_ *testing.T, _, i, k int) bool {
		ran = append(ran, fmt.Sprintf("%s %d", cuts[i].Name, k))
		return k <= cuts[i].Writes
	})
	if want := []string{"stop 1", "start 1", "stop 2", "start 2", "stop 3"}; !slices.Equal(ran, want) {
		t.Errorf("it ran %v, want %v", ran, want)
	}
}
