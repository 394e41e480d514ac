package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The one retry policy. client-go's own (ten times, only what carries
// Retry-After, a second apart) is switched off.
const (
	firstDelay = 50 * time.Millisecond
	maxDelay   = 2 * time.Second

	// connectPatience is how long a cluster that never answered is tried, in
	// total and for everybody.
	connectPatience = 5 * time.Second
	// readPatience bounds retries where the caller set no deadline.
	readPatience = 30 * time.Second
	// A failing webhook is reported as a plain InternalError. Its message must
	// be seen soon, so these are not tried for long; other 500s (etcd without a
	// leader) are.
	internalErrorPatience = 4 * time.Second
	serverErrorPatience   = 15 * time.Second

	readTimeout = 30 * time.Second
	// The API server gives a write up to 34 s for its admission webhooks.
	writeTimeout = 60 * time.Second
)

// nobody is whom an API server takes those for who do not say who they are.
const nobody = "system:anonymous"

var (
	errRequestTimeout = errors.New("the API server did not answer in time")
	errDialTimeout    = errors.New("no connection within 5 s")
)

// attempt is what the transport saw of one request: decisions are taken on it
// and on the API server's status, never on an error's text.
type attempt struct {
	held       *held // the plugin's credential; nil: there is no plugin
	sent       bool  // it reached the transport: not a local mistake
	answered   bool
	retryAfter time.Duration
	bodyErr    error // the reply broke off

	// How far it came. Dials tell of it from goroutines of their own.
	asked, handshake, connected, replied atomic.Bool
}

// trace has the transport tell how far a request comes.
func (at *attempt) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { at.asked.Store(true) },
		TLSHandshakeStart:    func() { at.handshake.Store(true) },
		GotConn:              func(httptrace.GotConnInfo) { at.connected.Store(true) },
		GotFirstResponseByte: func() { at.replied.Store(true) },
	})
}

type attemptKey struct{}

// recorder is the innermost http.RoundTripper: it fills the request's attempt,
// and cuts the first contact with a cluster short.
type recorder struct {
	c    *Cluster
	base http.RoundTripper
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	at, _ := req.Context().Value(attemptKey{}).(*attempt)
	if at == nil {
		at = &attempt{}
	}
	at.sent = true
	req = req.WithContext(at.trace(req.Context()))
	if !r.c.contacted.Load() {
		var err error
		if req, err = r.c.limitDial(req); err != nil {
			return nil, err
		}
	}
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		if cause := context.Cause(req.Context()); errors.Is(cause, errDialTimeout) {
			return nil, cause
		}
		return nil, err
	}
	r.c.contacted.Store(true)
	r.c.hear(resp)
	at.answered = true
	if resp.StatusCode < http.StatusInternalServerError {
		r.c.outage.end()
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		at.retryAfter = time.Duration(seconds) * time.Second
	}
	resp.Body = &watchedBody{resp.Body, at, func() {
		if req.Context().Err() == nil {
			r.c.outage.begin()
		}
	}}
	return resp, nil
}

// watchedBody notes that a reply broke off, so that this can be told from a
// reply that cannot be decoded.
type watchedBody struct {
	io.ReadCloser
	at     *attempt
	broken func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.at.bodyErr = err
		b.broken()
	}
	return n, err
}

// limitDial cancels req if it has no connection (TCP, proxy and TLS together)
// when the time for the first contact is over. A context cannot be given a
// deadline for its dial alone, hence the trace.
func (c *Cluster) limitDial(req *http.Request) (*http.Request, error) {
	left := connectPatience - c.sinceFirstDial()
	if left <= 0 {
		return nil, errDialTimeout
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(left, func() { cancel(errDialTimeout) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { timer.Stop() }})
	return req.WithContext(ctx), nil
}

func (c *Cluster) sinceFirstDial() time.Duration {
	now := time.Now()
	c.firstDial.CompareAndSwap(nil, &now)
	return now.Sub(*c.firstDial.Load())
}

// retry runs fn until it succeeds, fails for good, or patience or ctx end.
// again is true where an earlier attempt may have had its effect although it
// did not succeed.
func (c *Cluster) retry(ctx context.Context, timeout time.Duration, fn func(context.Context) error) (again bool, err error) {
	start := time.Now()
	refreshed, woken := false, 0
	var last error
	var tried *attempt // that last is of
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return n > 0, &InterruptedError{context.Cause(ctx), ctx.Err(), last}
		}
		at := &attempt{}
		var err error
		if at.held, err = c.credential.ready(ctx); err == nil {
			err = once(ctx, timeout, at, fn)
		}
		if err == nil {
			return n > 0, nil
		}
		if ctx.Err() != nil {
			if isCredential(err) {
				last = err // it is the plugin that was waited for
			}
			return n > 0, &InterruptedError{context.Cause(ctx), ctx.Err(), last}
		}
		if last != nil && errors.Is(err, errDialTimeout) {
			at, err = tried, last // which says more than that the time is over
		}
		tried, last = at, err
		if c.credential != nil && !refreshed && apierrors.IsUnauthorized(err) {
			refreshed = true // the credential's round tripper has dropped what was refused
			continue
		}
		var over <-chan struct{}
		if away(at, err) && c.contacted.Load() {
			over = c.outage.begin()
		}
		wait := delay(n, at, err)
		if time.Since(start)+wait > c.patience(ctx, start, at, err) {
			return n > 0, c.explain(at, err)
		}
		backOff(ctx, wait, over, &woken)
	}
}

func once(ctx context.Context, timeout time.Duration, at *attempt, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(context.WithValue(ctx, attemptKey{}, at), timeout, errRequestTimeout)
	defer cancel()
	err := fn(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errRequestTimeout) && !isCredential(err) {
		return fmt.Errorf("%w (%s)", errRequestTimeout, timeout)
	}
	return err
}

// delay is exponential with jitter, but never shorter than the server asks.
func delay(n int, at *attempt, err error) time.Duration {
	d := min(maxDelay, firstDelay<<min(n, 10))
	d = d/2 + rand.N(d/2+1)
	asked := at.retryAfter
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		asked = max(asked, time.Duration(seconds)*time.Second)
	}
	if asked > 0 {
		return asked + rand.N(asked/10+1)
	}
	if apierrors.IsTooManyRequests(err) {
		return max(d, time.Second)
	}
	return d
}

// patience is how long after start err is worth another attempt; 0: never.
func (c *Cluster) patience(ctx context.Context, start time.Time, at *attempt, err error) time.Duration {
	whole := readPatience
	if deadline, ok := ctx.Deadline(); ok {
		whole = max(deadline.Sub(start), 0) + time.Hour // the operation's own timeout decides
	}
	settled := c.outage.settled().Sub(start)
	switch code, status := answer(err); {
	case isCredential(err), !at.sent, code == 0 && !network(at, err):
		return 0
	case code == http.StatusForbidden:
		return min(whole, settled)
	case code == http.StatusTooManyRequests:
		return whole
	case code == http.StatusNotImplemented, code == http.StatusHTTPVersionNotSupported:
		return 0
	case code == http.StatusInternalServerError && at.retryAfter == 0 && status.Status().Reason == metav1.StatusReasonInternalError:
		return min(whole, max(internalErrorPatience, settled))
	case code == http.StatusInternalServerError && at.retryAfter == 0 && status.Status().Reason == metav1.StatusReasonUnknown:
		return min(whole, max(serverErrorPatience, settled))
	case code >= http.StatusInternalServerError:
		return whole
	case code != 0:
		return 0
	case !c.contacted.Load():
		return connectPatience - c.sinceFirstDial() + time.Since(start)
	default:
		return whole // no connection, no answer, or half of one
	}
}

// explain gives connection failures their type and their place.
func (c *Cluster) explain(at *attempt, err error) error {
	var credential *CredentialError
	code, status := answer(err)
	switch {
	case errors.As(err, &credential):
		return credential
	case code == http.StatusUnauthorized && c.nobody:
		return &CredentialError{c.name, c.host, c.source, &NoCredentialError{c.source, err}}
	case code == http.StatusUnauthorized:
		return &CredentialError{c.name, c.host, c.source, err}
	case code == http.StatusForbidden && c.nobody && strings.Contains(status.Status().Message, nobody):
		return &NoCredentialError{c.source, err} // a proxy in front may know who we are
	case code != 0 || !at.sent:
		return err
	case network(at, err):
		return &UnreachableError{c.name, c.host, c.source, err}
	case at.answered:
		return err // a reply that cannot be understood
	case isTLS(err), at.handshake.Load() && !at.connected.Load():
		return &TLSError{c.name, c.host, c.source, err}
	}
	return &UnusableError{c.name, c.host, c.source, err}
}

func isCredential(err error) bool {
	var credential *CredentialError
	return errors.As(err, &credential)
}

// network says that err is the network's own: no address, no connection, no
// answer, or half of one. Nothing else makes a cluster unreachable, since an
// unreachable one may be forgotten.
func network(at *attempt, err error) bool {
	var refused *proxyError
	switch {
	case errors.Is(err, errRequestTimeout), errors.Is(err, errDialTimeout):
		return true
	case at.answered:
		return at.bodyErr != nil
	case isTLS(err), !at.asked.Load():
		return false
	case errors.As(err, &refused):
		return refused.away()
	case onTheWire(err):
		return true
	}
	// HTTP/2 has no types for a connection that broke. One that was made broke if
	// nothing came back on it.
	return at.connected.Load() && !at.replied.Load()
}

// onTheWire knows the errors of sockets and resolvers.
func onTheWire(err error) bool {
	var (
		op      *net.OpError
		address *net.AddrError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &address): // an address that is none
		return false
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return errors.As(err, &timeout) && timeout.Timeout()
}

// proxyError is a proxy's answer that is not a connection.
type proxyError struct {
	proxy, status string
	code          int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s answered %s", e.proxy, e.status)
}

// away says that the proxy did not reach what is behind it either.
func (e *proxyError) away() bool {
	return e.code == http.StatusBadGateway || e.code == http.StatusServiceUnavailable || e.code == http.StatusGatewayTimeout
}

// tunnelled is an http.Transport's OnProxyConnectResponse.
func tunnelled(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, resp.Status, resp.StatusCode}
}

func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		invalid      x509.CertificateInvalidError
		hostname     x509.HostnameError
		roots        x509.SystemRootsError
		record       tls.RecordHeaderError
		op           *net.OpError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &hostname) ||
		errors.As(err, &roots) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) ||
		// An alert of the peer (it does not like our certificate), or of ours, has
		// no exported type; crypto/tls marks it with these operations.
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
