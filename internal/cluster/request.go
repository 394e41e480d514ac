package cluster

import (
	"context"
	"strconv"
	"time"
)

// Request is one request as a log tells of it: nothing of what was sent or
// answered.
type Request struct {
	Cluster         string
	Verb, Kind      string
	Namespace, Name string
	Took            time.Duration // with all tries and what was waited between them
	Tries           int
	Failed          string // how: the HTTP status or "no answer"; empty where it went well
}

// heard is fn, and what is told of it afterwards; where nobody listens, it is fn
// itself.
func (c *Cluster) heard(k call, fn func(context.Context) error) (try func(context.Context) error, told func(error)) {
	if c.listener == nil {
		return fn, func(error) {}
	}
	r, began := Request{Cluster: c.name, Verb: k.verb, Kind: k.res.kind, Namespace: k.namespace, Name: k.name}, time.Now()
	try = func(ctx context.Context) error { r.Tries++; return fn(ctx) }
	return try, func(err error) {
		r.Took = time.Since(began)
		if err != nil {
			r.Failed = "no answer"
			if code, _ := answer(err); code != 0 {
				r.Failed = strconv.Itoa(int(code))
			}
		}
		c.listener(r)
	}
}
