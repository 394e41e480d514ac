package fleet

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ByName sorts clusters, so that locks are taken and results told in one order.
func ByName[C interface{ Name() string }](clusters []C) []C {
	return slices.SortedFunc(slices.Values(clusters), func(a, b C) int { return cmp.Compare(a.Name(), b.Name()) })
}

// All runs f for every item at once and returns the results in the items' order,
// with every error. None waits for another, nor ends with it.
func All[I, T any](items []I, f func(I) (T, error)) ([]T, error) {
	results, errs := make([]T, len(items)), make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { results[i], errs[i] = f(item) })
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// Each is [All] by index, for what is kept beside the items.
func Each[T any](n int, f func(i int) (T, error)) ([]T, error) {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return All(items, f)
}

// Failed is what each of several did not succeed with, by name. What has succeeded is
// not in it.
func Failed(names []string, f func(name string) error) map[string]error {
	errs, _ := All(names, func(name string) (error, error) { return f(name), nil })
	failed := map[string]error{}
	for i, err := range errs {
		if err != nil {
			failed[names[i]] = err
		}
	}
	return failed
}

// Batches are items, one for each cluster, in the order in which a change reaches
// them. What is in one batch is changed at the same time.
func Batches[I any](r release.Rollout, items []I, cluster func(I) string) [][]I {
	of := map[string]I{}
	for _, item := range items {
		of[cluster(item)] = item
	}
	var batches [][]I
	for _, names := range r.Batches(slices.Collect(maps.Keys(of))) {
		batch := make([]I, len(names))
		for i, name := range names {
			batch[i] = of[name]
		}
		batches = append(batches, batch)
	}
	return batches
}

// Verdict is the error that ends a change over so many clusters: what has failed, by
// cluster, unless the change goes on without it.
func Verdict(r release.Rollout, failed map[string]error, clusters int) error {
	if r.Tolerates(len(failed), clusters) {
		return nil
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		errs = append(errs, failed[name])
	}
	return errors.Join(errs...)
}
