package testcluster

import (
	"fmt"
	"testing"
)

// Cut is something that can be cut off at each of its writes.
type Cut struct {
	Name   string
	Writes int // that it is known to have
}

// EveryDeathInLives is [EveryDeath] of several things, where making what they begin
// in costs more than they do: few lives, side by side, go through all points one
// after the other. begin makes a life. at brings it to where the i-th of the cuts
// begins, whatever was there before, proves that it is there, cuts off at k, and says
// whether there was a k-th write.
//
// Points follow each other as the writes do: the first of each cut, the second of
// each, and so on. So what one has done may be where the next one begins. A life in
// which a point has failed is over, and another one takes its place. With a
// [Part], each of the cuts begins with another one of its writes.
func EveryDeathInLives[L any](t *testing.T, lives int, cuts []Cut, begin func(*testing.T) L, at func(t *testing.T, life L, i, k int) (hit bool)) {
	t.Helper()
	type point struct{ i, k int }
	name := func(p point) string { return fmt.Sprintf("%s after write %d", cuts[p.i].Name, p.k) }
	hits := make([][]bool, len(cuts))
	ran := make([][]bool, len(cuts))
	var points []point
	for i, cut := range cuts {
		hits[i], ran[i] = make([]bool, cut.Writes+2), make([]bool, cut.Writes+2)
	}
	for k, more := 1, true; more; k++ {
		more = false
		for i, cut := range cuts {
			if k > cut.Writes+1 { // one more must not be there
				continue
			}
			more = true
			if ThesePoints().Has(i+k, i+cut.Writes) {
				points = append(points, point{i, k})
			}
		}
	}
	if !t.Run("life", func(t *testing.T) {
		for n := range lives {
			mine := points[n*len(points)/lives : (n+1)*len(points)/lives]
			if len(mine) == 0 {
				continue
			}
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				life := begin(t)
				for j, p := range mine {
					passed := t.Run(name(p), func(t *testing.T) {
						hits[p.i][p.k] = at(t, life, p.i, p.k)
						ran[p.i][p.k] = true
					})
					if !passed && j+1 < len(mine) {
						life = begin(t)
					}
				}
			})
		}
	}) {
		return
	}
	for i, cut := range cuts {
		for k := 1; k <= cut.Writes; k++ {
			if ran[i][k] && !hits[i][k] {
				t.Errorf("%s has no write %d, of the %d that are known", cut.Name, k, cut.Writes)
			}
		}
		if !hits[i][cut.Writes+1] {
			continue
		}
		more := true
		for k := cut.Writes + 2; more; k++ {
			more = false // where this one is not asked for
			life := begin(t)
			if !t.Run(name(point{i, k}), func(t *testing.T) { more = at(t, life, i, k) }) {
				return
			}
			if more {
				t.Logf("%s has %d writes, of which only %d are known, and dealt to the lives", cut.Name, k, cut.Writes)
			}
		}
	}
}
