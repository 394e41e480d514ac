package session

import (
	"sync"
)

// Once remembers what this run has told already: that a cluster is away
// concerns every resource on it, and is one fact.
type Once struct {
	mu   sync.Mutex
	told map[string]bool
}

func newOnce() *Once { return &Once{told: map[string]bool{}} }

// First says whether it is the first time that this is to be told.
func (o *Once) First(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told[what] {
		return false
	}
	o.told[what] = true
	return true
}
