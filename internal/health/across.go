package health

import (
	"slices"
	"strings"
)

// Across is a finding that one or more clusters have.
type Across struct {
	Finding
	Clusters []string
}

// MergeClusters makes one finding of the same cause on many clusters, as [Compute]
// does of pods, and sorts them as it does. The surest of them speaks for the
// others.
func MergeClusters(clusters []string, findings [][]Finding) []Across {
	type key struct {
		cause             Cause
		container, object string // object: where it is no pod, whose names differ
	}
	var merged []Across
	at := map[key]int{}
	for n, cluster := range clusters {
		for _, f := range findings[n] {
			k := key{f.Cause, f.Container, ""}
			if !strings.HasPrefix(f.Object, aPod) {
				k.object = f.Object
			}
			i, known := at[k]
			if !known {
				at[k] = len(merged)
				merged = append(merged, Across{f, []string{cluster}})
				continue
			}
			same := &merged[i]
			affected, of := same.Affected+f.Affected, same.Of+f.Of
			if rank(f.Class) < rank(same.Class) {
				same.Finding = f
			}
			same.Affected, same.Of = affected, of
			if !slices.Contains(same.Clusters, cluster) {
				same.Clusters = append(same.Clusters, cluster)
			}
		}
	}
	slices.SortStableFunc(merged, func(a, b Across) int { return surer(a.Finding, b.Finding) })
	return merged
}

// Worst is the state of a whole whose parts have these: failed where one has,
// healthy where all are.
func Worst(states []State) State {
	for _, state := range []State{Failed, Progressing} {
		if slices.Contains(states, state) {
			return state
		}
	}
	return Healthy
}
