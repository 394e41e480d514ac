package coretest

import (
	"slices"
	"sync"
)

// atOnce is how many nodes of a graph a CLI visits at a time.
const atOnce = 10

// walk visits every node after those that it waits for, and many at a time. What
// waits for one that failed is left out. It is false for a graph with a cycle.
func walk(waits map[string][]string, visit func(node string) bool) bool {
	if cyclic(waits) {
		return false
	}
	done, ok := map[string]chan struct{}{}, map[string]*bool{}
	for node := range waits {
		done[node], ok[node] = make(chan struct{}), new(bool)
	}
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for node, before := range waits {
		all.Go(func() {
			defer close(done[node])
			for _, b := range before {
				if done[b] == nil {
					continue
				}
				if <-done[b]; !*ok[b] {
					return
				}
			}
			places <- struct{}{}
			defer func() { <-places }()
			*ok[node] = visit(node)
		})
	}
	all.Wait()
	return true
}

func cyclic(waits map[string][]string) bool {
	left := map[string][]string{}
	for node, before := range waits {
		left[node] = slices.DeleteFunc(slices.Clone(before), func(b string) bool { _, there := waits[b]; return !there })
	}
	for len(left) > 0 {
		n := len(left)
		for node, before := range left {
			if !slices.ContainsFunc(before, func(b string) bool { _, there := left[b]; return there }) {
				delete(left, node)
			}
		}
		if len(left) == n {
			return true
		}
	}
	return false
}
