package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// server is the running application.
type server struct {
	config
	started  time.Time
	ready    atomic.Bool
	inFlight atomic.Int64
	ending   chan struct{} // closed when the program is told to end
	hog      [][]byte      // what APP_MEMORY_MB holds
}

// run serves until the program is told to end and the requests that are under
// way have their answers.
func run(cfg config) error {
	s := &server{config: cfg, started: time.Now(), ending: make(chan struct{})}
	log.Printf("starting version=%s pod=%s", cfg.version, cfg.pod)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	if cfg.crash {
		time.AfterFunc(cfg.crashAfter, s.die)
	}
	s.takeMemory()
	s.takeDisk()
	select {
	case <-time.After(cfg.startDelay):
	case <-s.end(term):
		return nil
	}

	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(cfg.port)))
	if err != nil {
		return err
	}
	web := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, Protocols: protocols()}
	failed := make(chan error, 2)
	go func() { failed <- web.Serve(listener) }()
	if cfg.tcpPort != 0 {
		lines, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(cfg.tcpPort)))
		if err != nil {
			return err
		}
		defer func() { _ = lines.Close() }()
		go func() { failed <- s.answerLines(lines) }()
	}
	if !cfg.neverReady {
		time.AfterFunc(cfg.readyDelay, func() { s.ready.Store(true); log.Print("ready") })
	}
	log.Printf("listening on %s", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-s.end(term):
	}
	return s.drainAndStop(web)
}

// end is the signal to end, unless it is not to be heard.
func (s *server) end(term <-chan os.Signal) <-chan os.Signal {
	if s.ignoreTerm {
		return nil
	}
	return term
}

// drainAndStop refuses new connections and lets requests finish. New requests
// on connections that are kept alive still get an answer, the last one there.
func (s *server) drainAndStop(web *http.Server) error {
	log.Printf("told to end: %d requests in flight", s.inFlight.Load())
	s.ready.Store(false)
	close(s.ending)
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	err := web.Shutdown(ctx)
	log.Printf("ended with %d requests in flight", s.inFlight.Load())
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("requests were still under way after %s", s.drain)
	}
	return err
}

func (s *server) die() {
	if s.crashMessage != "" {
		fmt.Fprintln(os.Stderr, s.crashMessage)
	}
	log.Print("crashing on purpose")
	os.Exit(3)
}

// takeMemory allocates piece by piece, and touches every page: only then is it
// the kernel's business.
func (s *server) takeMemory() {
	const piece = 1 << 20
	for range s.memoryMB {
		block := make([]byte, piece)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		s.hog = append(s.hog, block)
	}
}

// takeDisk fills the directory that it shall fill.
func (s *server) takeDisk() {
	if s.fillDir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(s.fillDir, "fill"), make([]byte, 8<<20), 0o600); err != nil {
		log.Print(err)
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("POST /unready", s.unready)
	mux.HandleFunc("GET /stream", s.stream)
	mux.HandleFunc("/", s.answer)
	mux.HandleFunc("POST /{service}/{method}", s.call)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.inFlight.Add(1)
		defer s.inFlight.Add(-1)
		w.Header().Set("X-Version", s.version)
		w.Header().Set("X-Pod", s.pod)
		mux.ServeHTTP(w, r)
	})
}

func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	if s.unhealthyAt > 0 && time.Since(s.started) > s.unhealthyAt {
		http.Error(w, "unhealthy on purpose", http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// unready makes /readyz say no from now on. Whoever asks still gets answers.
func (s *server) unready(w http.ResponseWriter, _ *http.Request) {
	s.ready.Store(false)
	log.Print("told not to be ready any more")
	_, _ = fmt.Fprintf(w, "version=%s pod=%s\n", s.version, s.pod)
}

// answer says who answers, as late and as badly as asked.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	status, delay := http.StatusOK, s.latency
	if value := r.URL.Query().Get("ms"); value != "" {
		ms, err := strconv.Atoi(value)
		if err != nil {
			http.Error(w, "ms: "+err.Error(), http.StatusBadRequest)
			return
		}
		delay += time.Duration(ms) * time.Millisecond
	}
	if value := r.URL.Query().Get("status"); value != "" {
		asked, err := strconv.Atoi(value)
		if err != nil || asked < 200 || asked > 599 {
			http.Error(w, "status: 200 to 599", http.StatusBadRequest)
			return
		}
		status = asked
	}
	if rand.Float64() < s.errorRate {
		status = http.StatusInternalServerError
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done(): // the client has gone
		log.Printf("abandoned %s %s", r.Method, r.URL)
		return
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "version=%s pod=%s\n", s.version, s.pod)
	log.Printf("%s %s %d", r.Method, r.URL, status)
}

// stream is a connection that lasts.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	tick := time.NewTicker(time.Duration(number("every", 100)) * time.Millisecond)
	defer tick.Stop()
	lines := number("lines", -1)
	control := http.NewResponseController(w)
	for i := 1; ; i++ {
		if _, err := fmt.Fprintf(w, "line=%d version=%s pod=%s\n", i, s.version, s.pod); err != nil || control.Flush() != nil || i == lines {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-s.ending:
			_, _ = fmt.Fprintln(w, "goodbye")
			return
		}
	}
}
