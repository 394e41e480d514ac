package release

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	all := []string{"west", "east", "north"}
	tests := map[string]struct {
		rollout  Rollout
		clusters []string
		want     [][]string
	}{
		"all at once, by name":    {Rollout{}, all, [][]string{{"east", "north", "west"}}},
		"one at a time":           {Rollout{MaxParallel: 1}, all, [][]string{{"east"}, {"north"}, {"west"}}},
		"two at a time":           {Rollout{MaxParallel: 2}, all, [][]string{{"east", "north"}, {"west"}}},
		"in an order":             {Rollout{MaxParallel: 1, Order: []string{"west", "north"}}, all, [][]string{{"west"}, {"north"}, {"east"}}},
		"others in the order":     {Rollout{Order: []string{"south", "west", "west"}}, all, [][]string{{"west", "east", "north"}}},
		"more than there are":     {Rollout{MaxParallel: 9}, all, [][]string{{"east", "north", "west"}}},
		"none":                    {Rollout{MaxParallel: 2, Order: []string{"east"}}, nil, nil},
		"the same one given once": {Rollout{}, []string{"east", "east"}, [][]string{{"east"}}},
	}
	for name, tt := range tests {
		if got := tt.rollout.Batches(tt.clusters); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestBatchesMissNoCluster: whatever the policy, each cluster is in exactly one
// batch, and none is larger than max_parallel.
func TestBatchesMissNoCluster(t *testing.T) {
	t.Parallel()
	names := rapid.SliceOfDistinct(rapid.StringMatching(`[a-e]`), rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		clusters := names.Draw(t, "clusters")
		given := slices.Clone(clusters)
		r := Rollout{MaxParallel: rapid.IntRange(0, 6).Draw(t, "max"), Order: names.Draw(t, "order")}
		batches := r.Batches(clusters)
		for _, b := range batches {
			if len(b) == 0 || r.MaxParallel > 0 && len(b) > r.MaxParallel {
				t.Fatalf("a batch of %d: %v", len(b), b)
			}
		}
		if got := slices.Sorted(slices.Values(slices.Concat(batches...))); !slices.Equal(got, slices.Sorted(slices.Values(given))) {
			t.Fatalf("got %v of %v", batches, given)
		}
		if !slices.Equal(clusters, given) {
			t.Fatalf("the caller's clusters changed: %v", clusters)
		}
	})
}

func TestTolerates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rollout     Rollout
		failed, all int
		want        bool
	}{
		{Rollout{}, 0, 3, true},
		{Rollout{}, 1, 3, false},
		{Rollout{OnFailure: FailureAbort, Quorum: 1}, 1, 3, false},
		{Rollout{OnFailure: FailureContinue}, 2, 3, true},
		{Rollout{OnFailure: FailureContinue}, 3, 3, false},
		{Rollout{OnFailure: FailureContinue, Quorum: 2}, 1, 3, true},
		{Rollout{OnFailure: FailureContinue, Quorum: 2}, 2, 3, false},
		{Rollout{OnFailure: FailureContinue, Quorum: 4}, 0, 3, true},
	}
	for _, tt := range tests {
		if got := tt.rollout.Tolerates(tt.failed, tt.all); got != tt.want {
			t.Errorf("%+v with %d of %d failed: %t", tt.rollout, tt.failed, tt.all, got)
		}
	}
}
