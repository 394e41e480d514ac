package testcluster

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault is what happens to one request on its way through a [Proxy]. The zero
// value lets it pass.
type Fault struct {
	kind   faultKind
	delay  time.Duration
	status metav1.Status
	event  string // not empty: status is the object of a watch's event of this type
	header http.Header
	before func()
	after  func()
	bytes  int64 // not 0: of the reply's body, before the connection is reset
}

type faultKind int

const (
	pass faultKind = iota
	answer
	reset
	lostReply
	blackhole
)

// Reject answers in the API server's place, with a Status object; the request
// never reaches it.
func Reject(code int, reason metav1.StatusReason, message string) Fault {
	return Fault{kind: answer, status: metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Code:     int32(code),
		Reason:   reason,
		Message:  message,
	}}
}

// Expired answers a watch whose resource version has been compacted away: 200,
// and one event that says 410.
func Expired() Fault {
	f := Reject(http.StatusGone, metav1.StatusReasonExpired, "too old resource version")
	f.event = "ERROR"
	return f
}

// Conflict answers 409, as for an update of what changed in between.
func Conflict() Fault {
	return Reject(http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified; please apply your changes to the latest version and try again")
}

// Unavailable answers 503, without a Retry-After.
func Unavailable() Fault {
	return Reject(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request")
}

// TooManyRequests answers 429 with a Retry-After header.
func TooManyRequests(retryAfter time.Duration) Fault {
	f := Reject(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests")
	return f.WithHeader("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
}

// ConnectionReset resets the connection; the request never reaches the API
// server. (net/http repeats a GET by itself when the connection was used
// before.)
func ConnectionReset() Fault { return Fault{kind: reset} }

// LostReply lets the API server do what it is asked, and resets the connection
// instead of replying.
func LostReply() Fault { return Fault{kind: lostReply} }

// Blackhole neither forwards nor answers, until the client gives up.
func Blackhole() Fault { return Fault{kind: blackhole} }

// Delay forwards the request after a while.
func Delay(d time.Duration) Fault { return Fault{delay: d} }

// WithDelay makes the fault happen after a while.
func (f Fault) WithDelay(d time.Duration) Fault {
	f.delay = d
	return f
}

// WithHeader adds a header to an answer of the proxy's own.
func (f Fault) WithHeader(key, value string) Fault {
	f.header = f.header.Clone()
	if f.header == nil {
		f.header = http.Header{}
	}
	f.header.Add(key, value)
	return f
}

// SuggestsWaiting lets an answer of the proxy's own ask for a pause in its
// status, rather than in a header: as no load balancer does.
func (f Fault) SuggestsWaiting(d time.Duration) Fault {
	f.status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(d.Seconds())}
	return f
}

// BreaksOff resets the connection when so much of the reply's body has been sent.
func (f Fault) BreaksOff(after int64) Fault {
	f.bytes = after
	return f
}

// BeforeReply calls a function when the API server has done what it was asked,
// before the client can know: the place to kill a process after write k.
func (f Fault) BeforeReply(do func()) Fault {
	f.before = do
	return f
}

// AfterReply calls a function when the reply was sent to the client.
func (f Fault) AfterReply(do func()) Fault {
	f.after = do
	return f
}

// OnRequest lets one fault happen, to the k-th request (the first is 1) since
// the last [Proxy.Reset].
func OnRequest(k int, fault Fault) func(*Request, int) Fault {
	return func(_ *Request, n int) Fault {
		if n == k {
			return fault
		}
		return Fault{}
	}
}

// OnWrite lets one fault happen, to the k-th write (the first is 1) since the
// last [Proxy.Reset].
func OnWrite(k int, fault Fault) func(*Request, int) Fault {
	return func(r *Request, _ int) Fault {
		if r.WriteIndex == k {
			return fault
		}
		return Fault{}
	}
}

// OnNth lets one fault happen, to the k-th request (the first is 1) of those that
// count. It is asked once about each request.
func OnNth(k int, counts func(*Request) bool, fault Fault) func(*Request, int) Fault {
	var n atomic.Int64
	return func(r *Request, _ int) Fault {
		if counts(r) && n.Add(1) == int64(k) {
			return fault
		}
		return Fault{}
	}
}

// reply writes the proxy's own answer.
func (f Fault) reply(w http.ResponseWriter) {
	for key, values := range f.header {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Type", "application/json")
	if f.event != "" {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": f.event, "object": f.status})
		return
	}
	w.WriteHeader(int(f.status.Code))
	_ = json.NewEncoder(w).Encode(f.status) // the client may have left
}
