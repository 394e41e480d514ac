package release

import (
	"slices"
	"time"
)

// Rollout is how one change goes over the clusters of a resource. The zero value
// is all at once, and all or none.
type Rollout struct {
	MaxParallel int           `json:"maxParallel,omitempty"` // clusters at a time; 0: all
	Order       []string      `json:"order,omitempty"`       // the clusters that come first, in this order; the others follow by name
	Bake        time.Duration `json:"bake,omitempty"`        // how long a batch is watched before the next one begins
	OnFailure   FailurePolicy `json:"onFailure,omitempty"`   // empty: FailureAbort
	Quorum      int           `json:"quorum,omitempty"`      // with FailureContinue: how many clusters must succeed; 0: one
}

// FailurePolicy is what the failure of one cluster means for the others.
type FailurePolicy string

// Every FailurePolicy.
const (
	FailureAbort    FailurePolicy = "abort"
	FailureContinue FailurePolicy = "continue"
)

// FailurePolicies lists every FailurePolicy, the default first.
func FailurePolicies() []FailurePolicy { return []FailurePolicy{FailureAbort, FailureContinue} }

// Batches are the clusters in the order in which the change reaches them. What
// is in one batch is changed at the same time. Names in Order that are not among
// the clusters are passed over.
func (r Rollout) Batches(clusters []string) [][]string {
	rest := slices.Compact(slices.Sorted(slices.Values(clusters)))
	var queue []string
	for _, name := range r.Order {
		if i, found := slices.BinarySearch(rest, name); found {
			queue, rest = append(queue, name), slices.Delete(rest, i, i+1)
		}
	}
	queue = append(queue, rest...)
	if len(queue) == 0 {
		return nil
	}
	size := r.MaxParallel
	if size <= 0 {
		size = len(queue)
	}
	return slices.Collect(slices.Chunk(queue, size))
}

// Tolerates says whether the change may go on although it has failed on so many
// of all its clusters.
func (r Rollout) Tolerates(failed, all int) bool {
	if failed == 0 {
		return true
	}
	return r.OnFailure == FailureContinue && all-failed >= max(1, r.Quorum)
}
