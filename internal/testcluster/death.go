package testcluster

import (
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Death is that of a client which dies when something it asked for is done, and
// never hears of it: nothing that it asks later comes through.
type Death struct {
	proxy  *Proxy
	k      int
	counts func(*Request) bool
	kill   func()

	mu   sync.Mutex
	n    int
	last string
}

// DiesAfter lets a client die after the k-th request (the first is 1) of those
// that count. kill is called before the client could have a reply. What is asked
// again does not count ([Repeats]).
func (p *Proxy) DiesAfter(k int, counts func(*Request) bool, kill func()) *Death {
	return &Death{proxy: p, k: k, counts: counts, kill: func() { kill(); p.DropWatches() }}
}

// Dead is what a client meets that a test takes for dead: nothing that it asks
// for is done. It is told so with an answer that nobody asks for twice, or the
// test would wait for what the dead still hopes for.
func Dead(*Request, int) Fault {
	return Reject(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "it is dead")
}

// Fault is for [Proxy.SetFault].
func (d *Death) Fault(r *Request, n int) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != "" {
		return Dead(r, n)
	}
	if !d.counts(r) || Repeats(r, d.proxy.Requests(), nil) {
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
