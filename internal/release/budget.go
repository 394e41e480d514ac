package release

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// DurationBudget is how long a release may take until its user is warned. What
// is zero is no limit.
type DurationBudget struct {
	Total  time.Duration // of the whole, as its user waited
	Factor float64       // on each cluster, of the median of the last releases there
}

// Of a median.
const (
	BudgetFewest = 3  // fewer releases tell nothing
	BudgetMost   = 10 // older ones tell of another time
)

// Spent is how long a release has taken on one cluster, and those before it.
type Spent struct {
	Durations
	Past []time.Duration // totals of former releases, the newest last
}

// Excess is a budget that was exceeded.
type Excess struct {
	Whole   time.Duration // what the user waited
	Limit   time.Duration // Total of the budget; 0: that was kept
	Cluster string        // the one that took longest, or longest by its own median
	Spent   Durations     // there
	Median  time.Duration // there, where Factor was exceeded; 0: it was kept
	Factor  float64
}

// Exceeded compares what a release has taken with the budget; nil: it was kept.
func (b DurationBudget) Exceeded(whole time.Duration, clusters map[string]Spent) *Excess {
	over := &Excess{Whole: whole, Factor: b.Factor}
	worst := 0.0
	for _, name := range slices.Sorted(maps.Keys(clusters)) {
		spent := clusters[name]
		if over.Median == 0 && (over.Cluster == "" || spent.Total > over.Spent.Total) {
			over.Cluster, over.Spent = name, spent.Durations
		}
		median := medianOf(spent.Past)
		if b.Factor <= 0 || median <= 0 {
			continue
		}
		if times := float64(spent.Total) / float64(median); times > b.Factor && times > worst {
			worst, over.Cluster, over.Spent, over.Median = times, name, spent.Durations, median
		}
	}
	if b.Total > 0 && whole > b.Total {
		over.Limit = b.Total
	}
	if over.Limit == 0 && over.Median == 0 {
		return nil
	}
	return over
}

// medianOf the last ones; 0 where there are too few.
func medianOf(past []time.Duration) time.Duration {
	if len(past) < BudgetFewest {
		return 0
	}
	last := slices.Sorted(slices.Values(past[max(0, len(past)-BudgetMost):]))
	return (last[(len(last)-1)/2] + last[len(last)/2]) / 2
}

// partAdvice is what makes a part shorter.
var partAdvice = map[Part]string{
	PartQueue:     "the pods waited for a node. Lower `container.resources.requests`, loosen `node_selector`, or keep room on the nodes",
	PartBuild:     "the image was being built. Build it before, or keep its layers in a cache",
	PartImagePull: "make the image smaller, order its layers so that the ones that change are last, or have it near the nodes: a registry mirror, or nodes that have pulled it before",
	PartStartup:   "look at what init containers and the application do when they start, and at `readiness_probe`: its `initial_delay_seconds` and `period_seconds` are part of this",
}

// Sentences say what took too long, where the time went, and what to do.
func (x Excess) Sentences() string {
	text := fmt.Sprintf("It took %s.", short(x.Whole))
	if x.Limit > 0 {
		text = fmt.Sprintf("It took %s, and `duration_budget.total` is %s.", short(x.Whole), short(x.Limit))
	}
	if x.Median > 0 {
		text += fmt.Sprintf(" On cluster %q it took %s, %.1f times the median of the last releases there, %s; `duration_budget.factor` is %g.",
			x.Cluster, short(x.Spent.Total), float64(x.Spent.Total)/float64(x.Median), short(x.Median), x.Factor)
	}
	part, took, known := x.Spent.Slowest()
	rest, waited := x.Spent.Total-x.Spent.Known(), x.Whole-x.Spent.Total
	switch {
	case x.Median == 0 && waited > max(rest, took):
		return text + fmt.Sprintf("\n\nNo single cluster took longer than %s (%q): the rest is clusters that were changed one after the other, the time between them that `rollout.bake` asks for, or waiting for somebody else's work.", short(x.Spent.Total), x.Cluster)
	case !known:
		return text + fmt.Sprintf("\n\nWhere the time went on cluster %q is not known: its pods cannot be read, or none was started.", x.Cluster)
	case rest > took:
		return text + fmt.Sprintf("\n\nThe longest part that is known on cluster %q, %s, took %s of %s; the rest went to what is not measured: writing the objects, volumes and networks of pods, and pods that came up one after the other.",
			x.Cluster, part, short(took), short(x.Spent.Total))
	}
	return text + fmt.Sprintf("\n\nOn cluster %q, %s took %s of %s: %s.", x.Cluster, part, short(took), short(x.Spent.Total), partAdvice[part])
}

// short is a duration for people.
func short(d time.Duration) string {
	unit := time.Second
	if d < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	return d.Round(unit).String()
}

// Totals are how long the last releases took on this cluster, the oldest first:
// those that started pods. The operation with the ID is left out.
func (h History) Totals(except string) []time.Duration {
	var totals []time.Duration
	for _, e := range h.Entries {
		if (e.Operation == OperationDeploy || e.Operation == OperationUpdate) && e.Durations.Total > 0 && e.ID != except {
			totals = append(totals, e.Durations.Total)
		}
	}
	return totals
}
