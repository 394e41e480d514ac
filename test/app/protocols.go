package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// protocols are those of the web server's port. gRPC is HTTP/2, here without TLS.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// call answers a call by gRPC: one message with no fields, which any message's type
// can be read from. Who answers is in the headers. (What a call looks like on the
// wire is in grpc/doc/PROTOCOL-HTTP2.md.)
func (s *server) call(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		s.answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(make([]byte, 5)) // not compressed; four bytes of length
	w.Header().Set("Grpc-Status", "0")
}

// answerLines answers each line of each connection, until the listener is closed.
func (s *server) answerLines(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go s.converse(conn)
	}
}

// converse ends with the line that is under way when the program is told to end.
func (s *server) converse(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		s.inFlight.Add(1)
		_, err := fmt.Fprintf(conn, "version=%s pod=%s\n", s.version, s.pod)
		s.inFlight.Add(-1)
		if err != nil {
			return
		}
		select {
		case <-s.ending:
			return
		default:
		}
	}
}
