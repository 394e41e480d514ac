package cluster

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// settling is how long after an outage a refusal, or an error of the server's, is not
// believed. An API server that has just started answers before it has read its roles:
// 403, to everybody but its administrators; and before it knows its address ranges:
// 500, "range is full", to whoever makes a Service.
const settling = 10 * time.Second

// outage is what all requests to a cluster have learnt together about its being
// away.
type outage struct {
	mu   sync.Mutex
	last time.Time     // when a request last went unanswered
	over chan struct{} // closed at the next answer; nil: nobody waits for that
}

// begin notes that a request went unanswered. The result is closed when another
// one is answered.
func (o *outage) begin() (over <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
	if o.over == nil {
		o.over = make(chan struct{})
	}
	return o.over
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over != nil {
		close(o.over)
		o.over = nil
	}
}

// settled is when refusals can be believed: in the past where there was no
// outage lately.
func (o *outage) settled() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last.Add(settling)
}

// away says that err is for want of an API server rather than an answer of one.
// In front of those that restart, a load balancer answers for them.
func away(at *attempt, err error) bool {
	switch code, _ := answer(err); code {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return at.retryAfter == 0
	case 0:
		return at.sent && network(at, err)
	default:
		return false
	}
}

// backOff waits before another attempt. Where the cluster is away, the first
// answer that anybody gets ends the wait, or all would sleep on for up to
// maxDelay. woken is how often that happened to this request: what fails while
// others are answered must not be tried as often as they are.
func backOff(ctx context.Context, d time.Duration, over <-chan struct{}, woken *int) {
	deadline := time.Now().Add(d)
	if sleep(ctx, d, over) {
		short := firstDelay << min(*woken, 10)
		*woken++
		sleep(ctx, min(time.Until(deadline), short/2+rand.N(short/2+1)), nil)
	}
}

// sleep tells whether it was cut short by early.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-early:
		return true
	}
	return false
}
