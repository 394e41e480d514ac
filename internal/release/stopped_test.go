package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestWhyThereAreNoPods: who has stopped it, and who starts it again.
func TestWhyThereAreNoPods(t *testing.T) {
	t.Parallel()
	alice := &release.Hold{By: "alice", Why: "night", At: time.Date(2026, 12, 1, 22, 0, 0, 0, time.UTC)}
	for name, test := range map[string]struct {
		record  release.Record
		reason  string
		halted  bool
		desired release.DesiredState
	}{
		"by itself":                        {release.Record{Status: release.StatusStopped}, "", false, release.DesiredStopped},
		"with its application":             {release.Record{Status: release.StatusStopped, WithMain: true}, "its application is stopped", false, release.DesiredStarted},
		"taken back":                       {release.Record{Status: release.StatusStopped, Halt: release.Halt{TakenBack: "it crashed"}}, "taken back from it, and `on_failure` stops it until it is promoted again: it crashed", true, release.DesiredStarted},
		"taken back, and up":               {release.Record{Status: release.StatusStarted, Halt: release.Halt{TakenBack: "it crashed"}}, "it crashed", false, release.DesiredStarted},
		"by somebody":                      {release.Record{Status: release.StatusStopped, Halt: release.Halt{StoppedBy: alice}}, "until it is started or promoted: stopped by alice since 2026-12-01T22:00:00Z (night)", true, release.DesiredStarted},
		"by somebody, and its application": {release.Record{Status: release.StatusStopped, WithMain: true, Halt: release.Halt{StoppedBy: alice}}, "stopped by alice", true, release.DesiredStarted},
	} {
		got := test.record.StoppedReason()
		if (got == "") != (test.reason == "") || !strings.Contains(got, test.reason) {
			t.Errorf("%s: the reason is %q", name, got)
		}
		if release.StaysStopped(got) != (test.reason != "") || test.record.Halted() != test.halted || test.record.Desired() != test.desired {
			t.Errorf("%s: it stays stopped: %t, is halted: %t, desired as %s", name, release.StaysStopped(got), test.record.Halted(), test.record.Desired())
		}
	}
	if older := "its application is stopped: `desired_state` of the main deployment says so"; !release.StaysStopped(older) {
		t.Error("what an older provider has written is not known")
	}
	if release.StaysStopped("it is broken") {
		t.Error("any reason is one to stay stopped")
	}
}

// TestWhoStaysNamed: a release that the traffic has left for good is no side of its promotion.
func TestWhoStaysNamed(t *testing.T) {
	t.Parallel()
	m := release.Main{Deployment: "v1", Progress: inSteps(1)}
	m.Progress.Direction = release.DirectionBack
	if !m.Names("v1") || !m.Names("v2") || m.Names("v3") {
		t.Errorf("on the way back, v1: %t, v2: %t, v3: %t", m.Names("v1"), m.Names("v2"), m.Names("v3"))
	}
	if m.Progress.Returned = true; !m.Names("v1") || m.Names("v2") {
		t.Errorf("when the traffic is back, v1: %t, v2: %t", m.Names("v1"), m.Names("v2"))
	}
}

// TestWhoHasStoppedOrHolds an application is told with since when, and why.
func TestWhoHasStoppedOrHolds(t *testing.T) {
	t.Parallel()
	by := &release.Hold{By: "alice", Why: "night", At: time.Date(2026, 12, 1, 22, 0, 0, 0, time.UTC)}
	if got, want := by.StopText(), "stopped by alice since 2026-12-01T22:00:00Z (night)"; got != want {
		t.Errorf("it says %q", got)
	}
	if got, want := (&release.Hold{At: by.At}).Text(), "held by somebody since 2026-12-01T22:00:00Z"; got != want {
		t.Errorf("it says %q", got)
	}
	m := release.Main{StoppedBy: by}
	if m.StaysStopped() != nil {
		t.Error("an application with pods stays stopped")
	}
	if m.State = release.DesiredStopped; m.StaysStopped() != by {
		t.Error("it does not stay stopped")
	}
}
