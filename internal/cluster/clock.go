package cluster

import (
	"net/http"
	"time"
)

// told is what time a server said it was, and when we heard it.
type told struct {
	date, heard time.Time
}

// hear notes the time that a reply was sent. Every reply has it, so that knowing
// the server's time costs no request.
func (c *Cluster) hear(reply *http.Response) {
	if date, err := http.ParseTime(reply.Header.Get("Date")); err == nil {
		c.time.Store(&told{date: date, heard: time.Now()})
	}
}

// Now is the API server's time, to the second: what processes on different
// machines write down can be compared by it. Before the first reply, and where a
// proxy removes the time from replies, it is this machine's.
func (c *Cluster) Now() time.Time {
	t := c.time.Load()
	if t == nil {
		return time.Now()
	}
	return t.date.Add(time.Since(t.heard))
}
