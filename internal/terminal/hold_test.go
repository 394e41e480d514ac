package terminal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
)

// TestHold: what waits stays where it is, whatever is applied, until somebody lets it go on;
// then its gate asks again.
func TestHold(t *testing.T) {
	t.Parallel()
	s := canary(t)
	v2 := s.name("v2")
	held := func() *release.Hold {
		t.Helper()
		p := s.main().Progress
		if p == nil || !p.Paused || p.To != v2 || p.Weight(p.At) != 25 {
			t.Fatalf("it is %+v", p)
		}
		return p.Held
	}
	s.says("", "hold", "api", "--yes", "--reason", "odd latency").wants(t, terminal.ExitDone, "The promotion of "+s.namespace+"/api stays where it is", "api: it is held where it is")
	if h := held(); h == nil || h.By == "" || h.Why != "odd latency" {
		t.Fatalf("it is held by %+v", h)
	}
	s.says("", "get", "api").wants(t, terminal.ExitDone, "(odd latency), until somebody lets it go on: `kubectl switchback resume api")
	s.says("", "history", "api", "--operation", "hold").wants(t, terminal.ExitDone, "odd latency")
	s.says("", "hold", "api", "--yes").wants(t, terminal.ExitDone, "Nothing is to be held")
	s.Steps = []release.CanaryStep{{Weight: 25, Pause: time.Nanosecond}} // whatever is asked for
	s.promote("v2")
	if held() == nil {
		t.Error("an apply lets it go on")
	}
	s.Steps = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
	s.says("", "resume", "api", "--yes").wants(t, terminal.ExitDone, "is not held any more")
	s.promote("v2")
	if held() != nil {
		t.Error("it is still held")
	}
	s.says("", "hold", "api", "--yes").wants(t, terminal.ExitDone)
	s.says("", "rollback", "api", "--yes").wants(t, terminal.ExitDone, "is back on "+s.name("v1"))
	s.says("", "hold", "api", "--yes").wants(t, terminal.ExitFailed, "was not held: no promotion of it is under way")
}

// TestHoldThatIsRefused is refused before anybody is asked whether to go on.
func TestHoldThatIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy("v1")
	s.promote("v1")
	for name, says := range map[string]string{"api": "was not held: no promotion of it is under way", "web": "there is no main deployment of " + s.namespace + "/web"} {
		said := s.says("", "hold", name, "-o", "json")
		said.wants(t, terminal.ExitFailed, says, `"outcome": "refused"`)
		if strings.Contains(said.err, "Go on?") {
			t.Errorf("it asks: %s", said.err)
		}
	}
}

// TestHoldAsksWhoeverIsAtIt: a run that watches the release with its share ends in a pause.
func TestHoldAsksWhoeverIsAtIt(t *testing.T) {
	t.Parallel()
	s, ended := watchedCanary(t)
	s.says("", "hold", "api", "--yes", "--reason", "odd").wants(t, terminal.ExitDone, "asking ", " to hold "+s.name("v2"))
	if err := <-ended; err != nil {
		t.Errorf("the run ended with %v", err)
	}
	p := s.main().Progress
	if p == nil || !p.Paused || p.Held == nil || p.Held.Why != "odd" || p.Since.IsZero() {
		t.Fatalf("it is %+v", p)
	}
	s.says("", "resume", "api", "--yes").wants(t, terminal.ExitDone)
	if now := s.main().Progress; now.Held != nil || !now.Since.Equal(p.Since) {
		t.Errorf("its pause has begun anew: %+v", now)
	}
	if text := s.says("", "get", "api").out; !strings.Contains(text, "Its pause ends at ") {
		t.Errorf("it says %s", text)
	}
}
