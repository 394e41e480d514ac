package terminal_test

import (
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// wantPromoted fails the test unless v2 is main, and no promotion is open.
func (s *shop) wantPromoted() {
	s.t.Helper()
	if m := s.main(); m.Deployment != s.name("v2") || m.Progress != nil || m.Breach != nil {
		s.t.Fatalf("it is %+v: %+v, and remembers %+v", m, m.Progress, m.Breach)
	}
}

// TestPromote: past its gate is what resume does, too.
func TestPromote(t *testing.T) {
	t.Parallel()
	s := canary(t)
	s.says("", "promote", "api", "--yes", "--reason", "looks good").wants(t, terminal.ExitDone, "What is paused of "+s.namespace+"/api goes on with the next apply.", "api: the next apply goes on from here")
	s.says("", "history", "api", "--operation", "resume").wants(t, terminal.ExitDone, "looks good")
	s.promote("v2")
	s.wantPromoted()
}

// TestPromoteFull: what waits at a gate, or is held, has all of the traffic at once, where
// nobody is at it; and the next apply of it has nothing to do.
func TestPromoteFull(t *testing.T) {
	t.Parallel()
	s := canary(t)
	v1, v2 := s.name("v1"), s.name("v2")
	owner := s.main().Owner
	s.says("", "hold", "api", "--yes").wants(t, terminal.ExitDone)
	will := v2 + " gets all of the traffic of " + s.namespace + "/api: the shares and pauses that are left are skipped."
	s.says("no\n", "promote", "api", "--full").wants(t, terminal.ExitNo, will)
	if p := s.main().Progress; p == nil || !p.Paused || p.Held == nil {
		t.Fatalf("it did something: %+v", p)
	}
	watch := testcluster.Shared(t).WatchMain(t, s.namespace, "api")
	s.says("", "promote", "api", "--full", "--yes", "--reason", "v1 is on fire").wants(t, terminal.ExitDone, will, "api: "+v2+" has all of the traffic")
	watch.Check(t, 10*time.Millisecond)
	s.wantPromoted()
	if m := s.main(); m.Owner != owner || m.Asked != nil || len(m.Previous) == 0 || m.Previous[0] != v1 {
		t.Errorf("it is %+v", m)
	}
	s.says("", "history", "api", "--operation", "skip").wants(t, terminal.ExitDone, v1+" -> "+v2, "v1 is on fire")
	s.says("", "history", "api", "--operation", "promote", "--limit", "1").wants(t, terminal.ExitDone, v1+" -> "+v2, "v1 is on fire")
	s.says("", "get", "api").wants(t, terminal.ExitDone, v2+" main v2 started 100%")
	s.promote("v2")
	s.wantPromoted()
	s.says("", "promote", "api", "--full", "--yes").wants(t, terminal.ExitFailed, "nothing of the promotion of the application "+s.namespace+"/api on cluster", "was skipped: no promotion of it is under way")
}

// TestPromoteFullAsksWhoeverIsAtIt: a run that watches the release with its share for an hour
// gives it the rest, and ends well.
func TestPromoteFullAsksWhoeverIsAtIt(t *testing.T) {
	t.Parallel()
	s, ended := watchedCanary(t)
	v2 := s.name("v2")
	s.says("", "promote", "api", "--full", "--yes", "--reason", "urgent").wants(t, terminal.ExitDone, "asking ", " to give "+v2+" all of the traffic at once", "api: "+v2+" has all of the traffic")
	if err := <-ended; err != nil {
		t.Errorf("the run ended with %v", err)
	}
	s.wantPromoted()
	s.says("", "history", "api", "--operation", "skip").wants(t, terminal.ExitDone, "urgent")
}

// TestPromoteFullHasThePods: the release has a pod of four with its share, and all of them
// before it has all of the traffic.
func TestPromoteFullHasThePods(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.replicas = 4
	s.Steps, s.Scales = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}, {Weight: 50, Pause: time.Hour}}, true
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	if n := s.pods("v2"); n != 1 {
		t.Fatalf("with a quarter, v2 has %d pods", n)
	}
	s.says("", "promote", "api", "--full", "--yes").wants(t, terminal.ExitDone, s.name("v2")+" gets the pods for 100 % of the traffic", s.name("v2")+" has all of the traffic")
	if s.wantPromoted(); s.pods("v2") != 4 {
		t.Errorf("with all of it, v2 has %d pods", s.pods("v2"))
	}
}

// TestPromoteFullIsRefused where the configuration allows no more than a share.
func TestPromoteFullIsRefused(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.Canary = release.Canary{Steps: []release.CanaryStep{{Weight: 25}}, MaxWeight: 25}
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	s.says("", "promote", "api", "--full", "--yes").wants(t, terminal.ExitFailed, "was skipped: canary.max_weight allows it no more than a share")
	if p := s.main().Progress; p == nil || p.Weight(p.At) != 25 {
		t.Errorf("it is %+v", p)
	}
	s.says("", "promote", "web", "--full", "--yes").wants(t, terminal.ExitFailed, "there is no main deployment of "+s.namespace+"/web on any cluster")
}
