package testcluster

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
)

// adminToken is what the proxy's own kubeconfig authenticates with. Requests
// with any other token keep their identity.
const adminToken = "admin-through-the-proxy"

// Proxy stands between clients and a cluster's API server, records every
// request, and makes the wire fail on demand. It speaks HTTP/1.1, one request
// at a time on a connection, so that a dropped connection is one dropped
// request.
type Proxy struct {
	KubeconfigPath string // the administrator, through the proxy

	cluster   *Cluster
	port      *port
	url       string
	authority []byte // PEM
	tls       *tls.Config
	admin     *httputil.ReverseProxy
	anyone    *httputil.ReverseProxy
	bytes     atomic.Int64

	mu       sync.Mutex
	listener *trackingListener // nil while down
	requests []*Request
	writes   int
	fault    func(*Request, int) Fault
	watches  map[*Request]context.CancelFunc
}

// Proxy starts a proxy to the cluster, which ends with the test.
func (c *Cluster) Proxy(t testing.TB) *Proxy {
	t.Helper()
	p := &Proxy{cluster: c, watches: map[*Request]context.CancelFunc{}}
	var err error
	p.port, err = reservePort()
	if err != nil {
		t.Fatalf("reserve a port for a proxy: %v", err)
	}
	t.Cleanup(func() {
		p.Down(t)
		if err := p.port.release(); err != nil {
			t.Errorf("release the proxy's port: %v", err)
		}
	})
	p.url = "https://" + p.port.address
	if err := errors.Join(p.connectUpstream(), p.makeCertificate(), p.listen()); err != nil {
		t.Fatalf("start a proxy: %v", err)
	}
	p.KubeconfigPath = p.Through(t, c.Kubeconfig(t, WithToken(adminToken)))
	return p
}

// Cluster is the one behind the proxy.
func (p *Proxy) Cluster() *Cluster { return p.cluster }

// Through writes a variation of a kubeconfig that goes through the proxy. Its
// user must authenticate with a token ([Cluster.RestrictedKubeconfig]): a
// client certificate cannot be passed on.
func (p *Proxy) Through(t testing.TB, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatalf("read %s: %v", kubeconfig, err)
	}
	return p.cluster.Kubeconfig(t, func(c *clientcmdapi.Config) { *c = *config }, WithServer(p.url, p.authority))
}

// Requests are the requests since the start or the last [Proxy.Reset].
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := make([]Request, len(p.requests))
	for i, r := range p.requests {
		requests[i] = *r
	}
	return requests
}

// Writes are those of the requests that change something.
func (p *Proxy) Writes() []Request {
	var writes []Request
	for _, r := range p.Requests() {
		if r.Write() {
			writes = append(writes, r)
		}
	}
	return writes
}

// Bytes are what has gone over the wire, both ways, encrypted, since the start or
// the last [Proxy.Reset].
func (p *Proxy) Bytes() int64 { return p.bytes.Load() }

// Reset forgets the requests; counting starts again at 1.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.writes = nil, 0
	p.bytes.Store(0)
}

// SetFault decides what happens to each request: n is its index since the last
// [Proxy.Reset], and the first is 1. The function is called by many requests
// at the same time. Nil lets everything pass.
func (p *Proxy) SetFault(fault func(r *Request, n int) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// DropWatches breaks all open watches.
func (p *Proxy) DropWatches() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cancel := range p.watches {
		cancel()
	}
}

// OpenWatches is the number of watches that are open now.
func (p *Proxy) OpenWatches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.watches)
}

// Down resets all connections and refuses new ones, until [Proxy.Up]. Nobody
// else can get the port meanwhile.
func (p *Proxy) Down(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return
	}
	if err := p.listener.shut(); err != nil {
		t.Errorf("take the proxy down: %v", err)
	}
	p.listener = nil
}

// Up takes connections again after [Proxy.Down], at the same address.
func (p *Proxy) Up(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return
	}
	if err := p.listen(); err != nil {
		t.Fatalf("bring the proxy up: %v", err)
	}
}

// listen starts serving. Each time has a server of its own: one that was shut
// cannot serve again.
func (p *Proxy) listen() error {
	listener, err := p.port.listen()
	if err != nil {
		return err
	}
	p.listener = &trackingListener{Listener: listener, bytes: &p.bytes, open: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           http.HandlerFunc(p.serve),
		ErrorLog:          log.New(io.Discard, "", 0), // dropped connections are what it is for
		ReadHeaderTimeout: time.Minute,
	}
	go func(l net.Listener) { _ = server.Serve(l) }(tls.NewListener(p.listener, p.tls))
	return nil
}

// serve records a request, asks what should happen to it, and does that.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	r = r.WithContext(ctx)

	request, fault, err := p.record(r, cancel)
	if err != nil {
		return // the client left before it had sent its body
	}
	defer p.ended(request)
	if fault.delay > 0 {
		select {
		case <-time.After(fault.delay):
		case <-ctx.Done():
			drop(w) // a return would answer, and a client that is only just giving up would read it
			return
		}
	}
	switch fault.kind {
	case answer:
		p.status(request, int(fault.status.Code))
		fault.reply(w)
	case reset:
		drop(w)
	case blackhole:
		<-ctx.Done()
		drop(w)
	case pass, lostReply:
		if !p.forward(w, r, request, fault) {
			return
		}
	}
	if fault.after != nil {
		_ = http.NewResponseController(w).Flush()
		fault.after()
	}
}

// record keeps the request and returns the fault that hits it.
func (p *Proxy) record(r *http.Request, cancel context.CancelFunc) (*Request, Fault, error) {
	request := &Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), UserAgent: r.UserAgent(), Time: time.Now(),
	}
	if r.Method != http.MethodGet && r.Header.Get("Upgrade") == "" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, Fault{}, err
		}
		request.Body = body
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	p.mu.Lock()
	p.requests = append(p.requests, request)
	request.Index = len(p.requests)
	if isWrite(r, request.Body) {
		p.writes++
		request.WriteIndex = p.writes
	}
	if request.Watch() {
		p.watches[request] = cancel
	}
	decide := p.fault
	seen := *request
	p.mu.Unlock()
	if decide == nil {
		return request, Fault{}, nil
	}
	return request, decide(&seen, seen.Index), nil
}

func (p *Proxy) ended(request *Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watches, request)
	request.Ended = time.Now()
}

func (p *Proxy) status(request *Request, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request.Status = code
}

// passing is what the reverse proxies know of a request under way.
type passing struct {
	request *Request
	fault   Fault
	lost    bool // the API server did as asked, and the client must not know
	failed  bool
}

type passingKey struct{}

// forward passes the request on and tells whether a reply was obtained.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, request *Request, fault Fault) bool {
	under := &passing{request: request, fault: fault}
	r = r.WithContext(context.WithValue(r.Context(), passingKey{}, under))
	upstream := p.anyone
	if r.Header.Get("Authorization") == "Bearer "+adminToken {
		r.Header.Del("Authorization")
		upstream = p.admin
	}
	upstream.ServeHTTP(w, r)
	if under.lost || under.failed {
		drop(w)
	}
	return !under.failed
}

// replied is called with the API server's reply, before any of it is passed on.
func (p *Proxy) replied(reply *http.Response) error {
	under := reply.Request.Context().Value(passingKey{}).(*passing)
	p.status(under.request, reply.StatusCode)
	if most := under.fault.bytes; most > 0 {
		reply.Body = &brokenBody{reply.Body, most}
	}
	lost := under.fault.kind == lostReply
	if under.fault.before == nil && !lost {
		return nil
	}
	if !under.request.Watch() && reply.StatusCode != http.StatusSwitchingProtocols {
		// The API server is done when it has sent everything.
		body, err := io.ReadAll(reply.Body)
		if err != nil {
			return err
		}
		_ = reply.Body.Close()
		reply.Body = io.NopCloser(bytes.NewReader(body))
	}
	if under.fault.before != nil {
		under.fault.before()
	}
	if lost {
		under.lost = true
		return errors.New("lost, as asked for")
	}
	return nil
}

// brokenBody ends in the middle: the reverse proxy then resets the connection.
type brokenBody struct {
	io.ReadCloser
	left int64
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("broken off, as asked for")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// connectUpstream makes what passes requests on: with the administrator's
// identity, and for clients that bring a token.
func (p *Proxy) connectUpstream() error {
	target, err := url.Parse(p.cluster.REST.Host)
	if err != nil {
		return err
	}
	wires, err := p.cluster.upstream()
	if err != nil {
		return err
	}
	for proxy, transport := range map[**httputil.ReverseProxy]http.RoundTripper{&p.admin: wires.admin, &p.anyone: wires.anyone} {
		*proxy = &httputil.ReverseProxy{
			Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
			FlushInterval:  -1, // a watch's events must not wait for one another
			ErrorLog:       log.New(io.Discard, "", 0),
			Transport:      transport,
			BufferPool:     copies,
			ModifyResponse: p.replied,
			ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) {
				under := r.Context().Value(passingKey{}).(*passing)
				under.failed = !under.lost
			},
		}
	}
	return nil
}

// upstream are the connections of all proxies to a cluster: to make one takes
// more than a request does.
type upstream struct {
	admin  http.RoundTripper // with the administrator's identity
	anyone http.RoundTripper
}

func newUpstream(config *rest.Config) (upstream, error) {
	anyone, err := wireTo(rest.AnonymousClientConfig(config))
	if err != nil {
		return upstream{}, err
	}
	if config.BearerToken != "" {
		return upstream{transport.NewBearerAuthRoundTripper(config.BearerToken, anyone), anyone}, nil
	}
	admin, err := wireTo(config)
	return upstream{admin, anyone}, err
}

func wireTo(config *rest.Config) (*http.Transport, error) {
	settings, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	settings.NextProtos = nil
	return &http.Transport{
		TLSClientConfig:     settings,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1, which can be upgraded
		MaxIdleConnsPerHost: 500,
		IdleConnTimeout:     time.Minute, // sooner than the API server, which might end one that is just used again
		DisableCompression:  true,        // pass on what comes
	}, nil
}

// makeCertificate makes the serving certificate, its own authority.
func (p *Proxy) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test proxy"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	p.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.tls = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}
	return nil
}
