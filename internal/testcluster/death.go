package testcluster

import "sync"

// Death is that of a client which dies when something it asked for is done, and
// never hears of it: nothing that it asks later comes through.
type Death struct {
	k      int
	counts func(*Request) bool
	kill   func()

	mu   sync.Mutex
	n    int
	last string
}

// DiesAfter lets a client die after the k-th request (the first is 1) of those
// that count. kill is called before the client could have a reply.
func DiesAfter(k int, counts func(*Request) bool, kill func()) *Death {
	return &Death{k: k, counts: counts, kill: kill}
}

// Fault is for [Proxy.SetFault].
func (d *Death) Fault(r *Request, _ int) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != "" {
		return ConnectionReset()
	}
	if !d.counts(r) {
		return Fault{}
	}
	if d.n++; d.n < d.k {
		return Fault{}
	}
	d.last = r.Method + " " + r.Path
	return LostReply().BeforeReply(d.kill)
}

// Last is the request that the client has died after; false where it lives.
func (d *Death) Last() (request string, dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last, d.last != ""
}
