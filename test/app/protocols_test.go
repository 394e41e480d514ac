package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

func TestCallsAreAnswered(t *testing.T) {
	t.Parallel()
	_, web := serverFor(t)
	conn, err := grpc.NewClient(strings.TrimPrefix(web.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for range 2 { // on one connection
		var header metadata.MD
		_, err = grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "any"}, grpc.Header(&header))
		if err != nil || len(header.Get("x-version")) != 1 || header.Get("x-version")[0] != "v7" {
			t.Errorf("the call is answered with %v, %v", header, err)
		}
	}
}

func TestLinesAreAnswered(t *testing.T) {
	t.Parallel()
	s, _ := serverFor(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.answerLines(listener) }()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	ask := func() {
		t.Helper()
		if _, err := io.WriteString(conn, "who?\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := answers.ReadString('\n'); err != nil || line != "version=v7 pod=pod-1\n" {
			t.Errorf("a line is answered with %q, %v", line, err)
		}
	}
	ask()
	ask()
	close(s.ending)
	ask() // the last one
	if _, err := answers.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
