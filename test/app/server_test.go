package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// environment makes a getenv.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// serverFor is a server, as it is when it listens, and its web server.
func serverFor(t *testing.T, pairs ...string) (*server, *httptest.Server) {
	t.Helper()
	cfg, err := parseConfig(environment(append(pairs, "APP_VERSION=v7", "HOSTNAME=pod-1")...))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{config: cfg, started: time.Now(), ending: make(chan struct{})}
	s.ready.Store(!cfg.neverReady)
	web := httptest.NewUnstartedServer(s.routes())
	web.Config.Protocols = protocols()
	web.Start()
	t.Cleanup(web.Close)
	return s, web
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func TestAnswersSayWhoAnswers(t *testing.T) {
	t.Parallel()
	_, web := serverFor(t)
	status, body, header := get(t, web.URL+"/any/path")
	if status != http.StatusOK || body != "version=v7 pod=pod-1\n" || header.Get("X-Version") != "v7" || header.Get("X-Pod") != "pod-1" {
		t.Errorf("got %d %q %v", status, body, header)
	}
	if status, _, _ := get(t, web.URL+"/?status=418"); status != http.StatusTeapot {
		t.Errorf("asked for 418, got %d", status)
	}
	for _, query := range []string{"ms=x", "status=100", "status=x"} {
		if status, body, _ := get(t, web.URL+"/?"+query); status != http.StatusBadRequest {
			t.Errorf("%s: %d %q", query, status, body)
		}
	}
	start := time.Now()
	get(t, web.URL+"/?ms=150")
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("a request for 150 ms took %s", took)
	}
}

func TestMisbehavesAsTheEnvironmentSays(t *testing.T) {
	t.Parallel()
	for path, tc := range map[string]struct {
		env  string
		want int
	}{
		"/readyz":  {"APP_NEVER_READY=true", http.StatusServiceUnavailable},
		"/healthz": {"APP_UNHEALTHY_AFTER=1ns", http.StatusInternalServerError},
		"/":        {"APP_ERROR_RATE=1", http.StatusInternalServerError},
	} {
		_, well := serverFor(t)
		if status, body, _ := get(t, well.URL+path); status != http.StatusOK {
			t.Errorf("%s: %d %q", path, status, body)
		}
		_, badly := serverFor(t, tc.env)
		if status, body, _ := get(t, badly.URL+path); status != tc.want {
			t.Errorf("%s with %s: %d %q, want %d", path, tc.env, status, body, tc.want)
		}
	}
}

func TestEndingFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s, web := serverFor(t)
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get(web.URL + "/?ms=300")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answered <- string(body)
	}()
	stream, err := http.Get(web.URL + "/stream?every=20")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || lines.Text() != "line=1 version=v7 pod=pod-1" {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	for s.inFlight.Load() < 2 {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the requests do not arrive")
		}
	}

	if err := s.drainAndStop(web.Config); err != nil {
		t.Error(err)
	}
	if body := <-answered; body != "version=v7 pod=pod-1\n" {
		t.Errorf("the request under way got %q", body)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if last != "goodbye" || lines.Err() != nil {
		t.Errorf("the stream ends with %q, %v", last, lines.Err())
	}
	if s.ready.Load() {
		t.Error("it says that it is ready while it ends")
	}
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	s, web := serverFor(t, "APP_DRAIN=50ms")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/?ms=60000", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	for s.inFlight.Load() < 1 {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the request does not arrive")
		}
	}
	if err := s.drainAndStop(web.Config); err == nil || !strings.Contains(err.Error(), "still under way") {
		t.Errorf("the error is %v", err)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	cfg, err := parseConfig(environment())
	if err != nil || cfg.port != 8080 || cfg.crash || cfg.neverReady {
		t.Errorf("without an environment: %+v, %v", cfg, err)
	}
	cfg, err = parseConfig(environment("APP_CRASH_AFTER=0s", "APP_PORT=81", "APP_MEMORY_MB=64", "APP_REQUIRE_ENV=APP_PORT"))
	if err != nil || !cfg.crash || cfg.port != 81 || cfg.memoryMB != 64 {
		t.Errorf("got %+v, %v", cfg, err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, pair := range []string{"APP_PORT=http", "APP_NEVER_READY=perhaps", "APP_CRASH_AFTER=5", "APP_READ_FILE=" + missing, "APP_REQUIRE_ENV=DATABASE_URL"} {
		if _, err := parseConfig(environment(pair)); err == nil {
			t.Errorf("%s is accepted", pair)
		}
	}
	if err := os.WriteFile(missing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parseConfig(environment("APP_READ_FILE=" + missing)); err != nil {
		t.Error(err)
	}
}

func TestReadyUntilToldOtherwise(t *testing.T) {
	t.Parallel()
	_, web := serverFor(t)
	if status, _, _ := get(t, web.URL+"/readyz"); status != http.StatusOK {
		t.Fatalf("not ready to begin with: %d", status)
	}
	response, err := http.Post(web.URL+"/unready", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if status, _, _ := get(t, web.URL+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("told not to be ready, it says %d", status)
	}
	if status, _, _ := get(t, web.URL+"/"); status != http.StatusOK {
		t.Errorf("it answers with %d", status)
	}
}
