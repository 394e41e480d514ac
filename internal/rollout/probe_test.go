package rollout_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// front is what answers at an application's address.
type front struct {
	*httptest.Server
	mu     sync.Mutex
	asked  int
	answer func(n int) int // status of the nth answer, from 1 on
}

func newFront(t *testing.T, answer func(n int) int) *front {
	t.Helper()
	f := &front{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		f.asked++
		status := f.answer(f.asked)
		f.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(f.Close)
	return f
}

// since is how often it was asked after it had been asked n times.
func (f *front) since(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked - n
}

// probed promotes behind a route with a probe of the front.
func (p *process) probed(t *testing.T, f *front, version string, canary release.Canary) (rollout.Promoted, error) {
	t.Helper()
	route := p.route()
	route.Probe = &traffic.Probe{URL: f.URL + "/healthz", Status: http.StatusOK, Timeout: testcluster.Hang}
	done, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
		Service: p.service(), Route: route, Canary: canary, To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
	})
	if done.Owner != "" {
		p.main = done.Owner
	}
	return done, err
}

// isProbed: each share is asked about until it is answered; the first release, and a way
// back, never are.
func isProbed(t *testing.T, c *testcluster.Cluster) {
	l := newLife(t, c)
	c.DataPlane(t, l.namespace, "httproutes")
	p := l.process(t)
	must(t, p.deploy(t.Context(), "v1"), p.deploy(t.Context(), "v2"))
	f := newFront(t, func(n int) int {
		if n == 1 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	_, err := p.probed(t, f, "v1", steps(10, 50))
	if must(t, err); f.since(0) != 0 {
		t.Errorf("of the first release, it was asked %d times", f.since(0))
	}
	done, err := p.probed(t, f, "v2", steps(10, 50))
	if must(t, err); done.Status != release.MainFinalized || f.since(0) != 4 {
		t.Errorf("it ends as %s, and was asked %d times, want once for each share, and again where it was not right", done.Status, f.since(0))
	}
	asked := f.since(0)
	done, err = p.probed(t, f, "v1", steps(10, 50))
	if must(t, err); done.Status != release.MainFinalized || f.since(asked) != 0 {
		t.Errorf("the way back ends as %s, and was asked about %d times", done.Status, f.since(asked))
	}
}

// isNotAnswered: a share that is not answered for goes back.
func isNotAnswered(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	timing := faultyTiming()
	timing.Settle = 10 * time.Second // all of it is waited for
	p.engine = rollout.New(timing)
	f := newFront(t, func(n int) int {
		if n == 1 {
			return http.StatusOK
		}
		return http.StatusServiceUnavailable
	})
	done, err := p.probed(t, f, "v2", steps(10, 50))
	var wrong *release.ProbeError
	if !errors.As(err, &wrong) || wrong.Percent != 50 || !strings.Contains(err.Error(), "/healthz") || !strings.Contains(err.Error(), "503 Service Unavailable") {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if done.Status != release.MainRolledBack || done.Moved {
		t.Errorf("it ends as %s", done.Status)
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
}

// diesUnwatched: a release whose pods go down while the data plane follows the last share,
// where nothing watches it any more, does not become main.
func diesUnwatched(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	f := newFront(t, func(n int) int {
		if n == 3 { // of all of the traffic
			l.failReady()
		}
		return http.StatusOK
	})
	done, err := p.probed(t, f, "v2", steps(10, 50))
	var failed *rollout.BakeError
	if !errors.As(err, &failed) || failed.Share != 100 || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	for _, says := range []string{"had all of the traffic on cluster ", "0 of its 1 pods were ready, and it needs 1", "Traffic: "} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("it does not say %q: %v", says, err)
		}
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
}
