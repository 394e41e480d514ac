//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// caller has one HTTP/2 connection, as one of a gRPC client's.
type caller struct {
	conn *grpc.ClientConn
	err  error
}

// newCaller makes clients that call the load's host.
func newCaller(l *load) func() client {
	return func() client {
		conn, err := grpc.NewClient("passthrough:///"+l.address, grpc.WithAuthority(l.host), grpc.WithTransportCredentials(insecure.NewCredentials()))
		return &caller{conn, err}
	}
}

func (c *caller) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

func (c *caller) do(*load) answer {
	a := answer{kind: calls, began: time.Now(), err: c.err}
	if c.err != nil {
		return a
	}
	// Not the load's context: what is under way at its end is waited for.
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	var header metadata.MD
	_, a.err = grpc_health_v1.NewHealthClient(c.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
	a.ended = time.Now()
	for _, version := range header.Get("x-version") {
		a.version = version
	}
	return a
}

// liner sends one line on each connection, without HTTP.
type liner struct{}

func newLiner() client { return liner{} }

func (liner) close() {}

func (liner) do(l *load) answer {
	a := answer{kind: lines, began: time.Now()}
	conn, port, err := l.dialFrom()
	a.port = port
	if err == nil {
		defer func() { _ = conn.SetLinger(0); _ = conn.Close() }() // see single.do
		err = conn.SetDeadline(time.Now().Add(requestTimeout))
	}
	if err == nil {
		_, err = io.WriteString(conn, "who?\n")
	}
	text := ""
	if err == nil {
		text, err = bufio.NewReader(conn).ReadString('\n')
	}
	if err == nil {
		_, err = fmt.Sscanf(text, "version=%s pod=%s\n", &a.version, &a.pod)
	}
	a.ended, a.err = time.Now(), err
	return a
}
