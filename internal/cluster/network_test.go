package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// server answers over TLS, and is trusted by the returned configuration.
func server(t *testing.T, next http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewTLSServer(next)
	t.Cleanup(s.Close)
	return Config{Host: s.URL, ClusterCACertificate: pemOf(s.Certificate()), Token: "t"}
}

// raw accepts connections and does with them what it is told.
func raw(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// proxyAnswering is an HTTP proxy that makes no connection.
func proxyAnswering(t *testing.T, code int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	t.Cleanup(s.Close)
	return s.URL
}

// TestWhatAnswersIsNotTheNetwork: what a load balancer in front of an API server
// answers for it does not make the cluster unreachable, and what a proxy answers is
// known for that.
func TestWhatAnswersIsNotTheNetwork(t *testing.T) {
	t.Parallel()
	for _, code := range []int{502, 503, 504} {
		t.Run(fmt.Sprint("a load balancer answers ", code), func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			ctx, over := testcluster.Deadline(t, errors.New("the time is over"))
			balancer := server(t, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) == 2 {
					over()
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(code)
				_, _ = io.WriteString(w, "<html><body>no backend</body></html>")
			})
			var unreachable *UnreachableError
			if err := connect(t, balancer).Check(ctx); err == nil || errors.As(err, &unreachable) {
				t.Errorf("it is %v", err)
			}
		})
	}
	for name, test := range map[string]struct {
		config   Config
		answered bool
	}{
		"a proxy answers":        {Config{Host: "https://api.invalid", Token: "t", ProxyURL: proxyAnswering(t, 503)}, true},
		"nobody answers":         {Config{Host: "https://127.0.0.1:1", Token: "t"}, false},
		"the proxy is not there": {Config{Host: "https://api.invalid", Token: "t", ProxyURL: "http://127.0.0.1:1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var unreachable *UnreachableError
			if err := connect(t, test.config).Check(t.Context()); !errors.As(err, &unreachable) || unreachable.Answered() != test.answered {
				t.Errorf("it is %v", err)
			}
		})
	}
}

// Only what is the network's own makes a cluster unreachable, since one that
// cannot be reached may be forgotten.
func TestOnlyTheNetworkMakesAClusterUnreachable(t *testing.T) {
	t.Parallel()
	host, ca := serverOf(t, testcluster.Shared(t).KubeconfigPath)
	garbage := server(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n\r\n"))
			_ = conn.Close()
		}
	})
	silent := server(t, func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	})
	old := httptest.NewUnstartedServer(nil)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // the point of it
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)

	const (
		away     = "unreachable"
		unusable = "unusable"
		mistrust = "untrusted"
	)
	for name, test := range map[string]struct {
		config Config
		want   string
		says   string
	}{
		"nobody listens":        {Config{Host: "https://127.0.0.1:1", Token: "t"}, away, "refused"},
		"no such name":          {Config{Host: "https://no-such-host.invalid", Token: "t"}, away, "no-such-host.invalid"},
		"closed at once":        {Config{Host: "https://" + raw(t, func(c net.Conn) { _ = c.Close() }), Token: "t"}, away, ""},
		"silence in TLS":        {Config{Host: "https://" + raw(t, func(net.Conn) {}), Token: "t"}, away, ""},
		"closed after a while":  {silent, away, "EOF"},
		"proxy is not there":    {Config{Host: host, ClusterCACertificate: ca, Token: "t", ProxyURL: "http://127.0.0.1:1"}, away, "proxyconnect"},
		"proxy reaches nothing": {Config{Host: host, ClusterCACertificate: ca, Token: "t", ProxyURL: proxyAnswering(t, 502)}, away, "502"},
		"proxy wants a login":   {Config{Host: host, ClusterCACertificate: ca, Token: "t", ProxyURL: proxyAnswering(t, 407)}, unusable, "407"},
		"proxy forbids":         {Config{Host: host, ClusterCACertificate: ca, Token: "t", ProxyURL: proxyAnswering(t, 403)}, unusable, "403"},
		"no API server":         {garbage, unusable, "malformed"},
		"old TLS":               {Config{Host: old.URL, ClusterCACertificate: pemOf(old.Certificate()), Token: "t"}, mistrust, ""},
		"no port":               {Config{Host: "https://127.0.0.1:99999", Token: "t"}, unusable, "invalid port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := connect(t, test.config).Check(t.Context())
			var (
				unreachable *UnreachableError
				broken      *UnusableError
				untrusted   *TLSError
				got         string
			)
			switch {
			case errors.As(err, &unreachable):
				got = away
			case errors.As(err, &broken):
				got = unusable
			case errors.As(err, &untrusted):
				got = mistrust
			}
			if got != test.want || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it is %q, want %q: %v", got, test.want, err)
			}
		})
	}
}
