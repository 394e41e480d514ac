package fleet

import (
	"cmp"
	"errors"
	"slices"
	"sync"
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
