//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	requestTimeout = 20 * time.Second     // a request without an answer has failed
	loadLimit      = 4 * testcluster.Hang // whatever happens to the test, load ends
)

// kind is how requests use connections.
type kind string

const (
	fresh kind = "new connection" // one connection for each request
	kept  kind = "keep-alive"     // connections that last as long as the server lets them
	calls kind = "gRPC"           // on connections that last
	lines kind = "TCP"            // one connection for each line
)

// answer is what became of a request.
type answer struct {
	kind         kind
	group        string // of kept connections
	began, ended time.Time
	version      string
	pod          string
	port         int  // of the client; 0 for kept connections
	retried      bool // on another connection; see keepAlive.do
	err          error
}

// load offers requests at fixed rates to one address and keeps every answer. It
// is an open loop: how fast answers come does not change how many are asked for,
// unless no client is free any more.
type load struct {
	t       testing.TB
	address string // host:port
	host    string // that requests name; the address
	began   time.Time
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	ports    atomic.Int64 // how many were taken
	answered atomic.Int64 // until now, or failed

	mu      sync.Mutex
	answers []answer
	offered int
}

func newLoad(t testing.TB, url string) *load {
	address := strings.TrimPrefix(url, "http://")
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "80")
	}
	l := &load{t: t, address: address, host: address, began: time.Now()}
	l.ports.Store(loads.Add(1) * portsApart)
	l.ctx, l.stop = context.WithTimeout(t.Context(), loadLimit)
	t.Cleanup(func() { l.stop(); l.running.Wait() })
	return l
}

// client makes one request after the other.
type client interface {
	do(l *load) answer
	close()
}

// offer begins to offer requests a second to a number of clients.
func (l *load) offer(rate, clients int, newClient func() client) {
	const backlog = 4096
	due := make(chan struct{}, backlog)
	l.running.Go(func() {
		defer close(due)
		offered := l.pace(rate, due)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.offered += offered
	})
	for range clients {
		l.running.Go(func() {
			c := newClient()
			defer c.close()
			var mine []answer
			for range due {
				if l.ctx.Err() != nil {
					break // what was not begun is not offered any more
				}
				mine = append(mine, c.do(l))
				l.answered.Add(1)
			}
			l.keep(mine)
		})
	}
}

func (l *load) keep(answers []answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, answers...)
}

// pace says when the next request is due, and at the end how many were.
func (l *load) pace(rate int, due chan<- struct{}) (sent int) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return sent
		}
		for ; sent < int(time.Since(began).Seconds()*float64(rate)); sent++ {
			select {
			case due <- struct{}{}:
			case <-l.ctx.Done():
				return sent
			}
		}
	}
}

// end stops the load, waits for what is under way, and returns all answers.
func (l *load) end() []answer {
	if l.ctx.Err() != nil {
		l.t.Errorf("the load had ended before the test: %v", l.ctx.Err())
	}
	l.stop()
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers
}

func (l *load) dial() (*net.TCPConn, error) {
	conn, err := (&net.Dialer{Timeout: requestTimeout}).Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// The ports that new connections come from. Loads begin far apart from each
// other: side by side at the same rate, none comes to a port that another holds.
const (
	firstPort  = 4000
	portCount  = 61000
	portsApart = 23000
)

// loads is how many there have been.
var loads atomic.Int64

// dialFrom dials from one port after the other. Left to itself, the kernel uses
// its ports again within half a minute, at such rates and from a single address.
// A node remembers for up to two minutes where a port's former connection was
// sent (conntrack); that no port comes twice leaves out whatever follows from
// that, and lets a failure be told from it.
func (l *load) dialFrom() (conn *net.TCPConn, port int, err error) {
	const tries = 100 // somebody else may have a port
	for range tries {
		port = firstPort + int((l.ports.Add(1)-1)%portCount)
		dialer := &net.Dialer{Timeout: requestTimeout, LocalAddr: &net.TCPAddr{Port: port}}
		c, err := dialer.Dial("tcp", l.address)
		if err == nil {
			return c.(*net.TCPConn), port, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return nil, port, err
		}
	}
	return nil, 0, errors.New("no port is free")
}

// request asks on a connection, and tells whether the connection can be used
// again.
func (l *load) request(conn *net.TCPConn, reader *bufio.Reader, header string) (from origin, again bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return origin{}, false, err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+l.host+"\r\n"+header+"\r\n"); err != nil {
		return origin{}, false, &unanswered{err}
	}
	if _, err := reader.Peek(1); err != nil {
		return origin{}, false, &unanswered{err}
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return origin{}, false, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return origin{response.Header.Get("X-Version"), response.Header.Get("X-Pod")}, !response.Close, err
}

// origin is where an answer comes from.
type origin struct{ version, pod string }

// unanswered is a connection's end before the first byte of an answer.
type unanswered struct{ error }

func (e *unanswered) Unwrap() error { return e.error }

// single has a connection for each request, with more lines of header. Nothing is ever
// retried.
type single struct{ header string }

func newSingle() client { return single{} }

// cohortHeader is what a canary's cohort sends.
const cohortHeader = "x-canary"

func newOfCohort() client { return single{cohortHeader + ": 1\r\n"} }

func (single) close() {}

func (s single) do(l *load) answer {
	a := answer{kind: fresh, began: time.Now()}
	conn, port, err := l.dialFrom()
	a.port = port
	if err != nil {
		a.ended, a.err = time.Now(), err
		return a
	}
	from, _, err := l.request(conn, bufio.NewReader(conn), "Connection: close\r\n"+s.header)
	a.ended, a.version, a.pod, a.err = time.Now(), from.version, from.pod, err
	// The answer is here: a reset leaves no TIME_WAIT behind. A thousand of those
	// a second would use up this machine's ports within half a minute.
	_ = conn.SetLinger(0)
	_ = conn.Close()
	return a
}

// keepAlive has one connection, as one of an HTTP client's pool.
type keepAlive struct {
	group  string
	conn   *net.TCPConn
	reader *bufio.Reader
}

func newKeepAlive(group string) func() client {
	return func() client { return &keepAlive{group: group} }
}

func (c *keepAlive) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// do is a request as HTTP clients make it (net/http, browsers, most proxies),
// and no more forgiving: a connection that the server has closed in the meantime
// is not used. If the server closes an idle connection in the very moment when
// the request is on its way, there is no answer at all, not even a part: an
// idempotent request (here: GET) is then made once more, on a connection of its
// own (RFC 9110, section 9.2.2). Such requests are counted as retried. A
// non-idempotent one would fail there, whatever is released and however: that
// race is HTTP/1.1's, at any end of any server.
func (c *keepAlive) do(l *load) answer {
	a := answer{kind: kept, group: c.group, began: time.Now()}
	if c.conn != nil && closedByServer(c.conn) {
		c.close()
	}
	used := c.conn != nil
	from, err := c.ask(l)
	if used && unheard(err) {
		a.retried = true
		from, err = c.ask(l)
	}
	a.ended, a.version, a.pod, a.err = time.Now(), from.version, from.pod, err
	return a
}

// unheard tells whether the server ended the connection before any byte of an
// answer: at the write, or instead of the answer. Silence is something else.
func unheard(err error) bool {
	var none *unanswered
	return errors.As(err, &none) &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

func (c *keepAlive) ask(l *load) (from origin, err error) {
	if c.conn == nil {
		if c.conn, err = l.dial(); err != nil {
			c.conn = nil
			return origin{}, err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	from, again, err := l.request(c.conn, c.reader, "")
	if err != nil || !again {
		c.close()
	}
	return from, err
}

// closedByServer looks whether the other side has closed a connection on which
// nothing is under way.
func closedByServer(conn *net.TCPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN)
		return true
	})
	return closed || err != nil
}
