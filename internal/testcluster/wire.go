package testcluster

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// drop resets the connection that a request came on. Nothing of a reply may
// have been written.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection at least
	}
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	resetConn(conn)
}

// resetConn closes a connection so that the other side sees a reset, not an
// orderly end.
func resetConn(conn net.Conn) {
	if tracked, ok := conn.(*trackedConn); ok {
		conn = tracked.Conn
		tracked.forget()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// trackingListener knows its open connections, hijacked ones too, which an
// http.Server would forget.
type trackingListener struct {
	net.Listener
	bytes *atomic.Int64 // both ways

	mu   sync.Mutex
	open map[net.Conn]struct{} // nil once shut
}

// Accept takes a connection and remembers it.
func (l *trackingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	tracked := &trackedConn{Conn: conn, listener: l}
	l.open[tracked] = struct{}{}
	return tracked, nil
}

// shut closes the listener and resets all connections.
func (l *trackingListener) shut() error {
	err := l.Close()
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for conn := range open {
		resetConn(conn)
	}
	return err
}

type trackedConn struct {
	net.Conn
	listener *trackingListener
}

// Read counts what comes.
func (c *trackedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.listener.bytes.Add(int64(n))
	return n, err
}

// Write counts what goes.
func (c *trackedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.listener.bytes.Add(int64(n))
	return n, err
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

func (c *trackedConn) forget() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	delete(c.listener.open, c)
}

// copyBuffers are what replies are copied through. A new one for each reply is
// most of the memory that a request takes, and the race detector clears its own
// notes of all of it, too.
type copyBuffers struct{ pool sync.Pool }

type copyBuffer [32 << 10]byte

var copies = &copyBuffers{sync.Pool{New: func() any { return new(copyBuffer) }}}

// Get returns a buffer for [copyBuffers.Put].
func (b *copyBuffers) Get() []byte { return b.pool.Get().(*copyBuffer)[:] }

// Put takes a buffer back.
func (b *copyBuffers) Put(used []byte) { b.pool.Put((*copyBuffer)(used)) }
